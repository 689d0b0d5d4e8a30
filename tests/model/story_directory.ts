/** The name service of a story: a directory on the network, and `/etc/group`. */
import { FakeDirectory } from "../support/fake_directory.ts";
import type { NamesFixture } from "../support/name_service.ts";
import { ACCOUNTS, type ModelNames } from "./model_names.ts";
import { ask, type Real, settlePlanes } from "./story.ts";

/** The questions whose answers the server keeps in each story. */
const KEPT = ["group far", ...Object.values(ACCOUNTS).map((uid) => `uid ${uid}`)];
/** How many questions hang when the last thread is kept. */
const HANGING = 3;
/** How long a question may not come, in milliseconds. */
const TIMEOUT_MS = 20_000;

/** Keeps the name service as the model has it. */
export class StoryDirectory implements Disposable {
  readonly #fixture: NamesFixture;
  readonly #directory: FakeDirectory;
  /** The questions that are waited for. */
  readonly #missing = new Set<string>();
  #onHeard: () => void = () => {};
  /** How many questions hang. */
  #hanging = 0;
  #onHanging: () => void = () => {};

  constructor(fixture: NamesFixture) {
    this.#fixture = fixture;
    this.#directory = new FakeDirectory(fixture.program.path("nslcd", "socket"));
    this.#directory.onQuestion = (question) => {
      if (this.#directory.behaviour === "hang" && ++this.#hanging === HANGING) this.#onHanging();
      if (this.#missing.delete(question) && this.#missing.size === 0) this.#onHeard();
    };
  }

  /** Takes over what the model says. */
  async set({ entries: { groups, accounts }, answers }: ModelNames): Promise<void> {
    const directory = this.#directory;
    const { far, near } = groups;
    directory.groups.clear();
    if (far.gid !== null) directory.groups.set("far", { gid: far.gid, members: [...far.members] });
    directory.accounts.clear();
    for (const name of accounts) directory.accounts.set(name, ACCOUNTS[name]!);
    directory.behaviour = answers ? "answer" : "fail";
    await this.#fixture.setGroups(`near:x:${near.gid}:${[...near.members].join(",")}`);
  }

  /** Lets every question hang. */
  hang(): void {
    this.#hanging = 0;
    this.#directory.behaviour = "hang";
  }

  /** Has the server start all threads that ask: the last one is kept for `/etc/group`. */
  async startThreads(real: Real): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onHanging = resolve;
    this.hang();
    real.server.child.kill("SIGHUP");
    await promise;
    this.release();
    await this.refresh(real);
  }

  /** Answers again. */
  release(): void {
    this.#directory.behaviour = "answer";
    this.#directory.release();
  }

  /** Has the server ask for the accounts that it does not know. */
  async learn(real: Real): Promise<void> {
    for (const uid of Object.values(ACCOUNTS)) {
      await ask(real, { method: "access.check", params: { uid } });
    }
  }

  /**
   * Has the server ask for everything again, and waits until all of it is known everywhere. Each
   * question is heard twice: the second time, the answer to the first one has been taken over.
   */
  async refresh(real: Real): Promise<void> {
    for (let round = 0; round < 2; round++) {
      const asked = this.#asked();
      real.server.child.kill("SIGHUP");
      await asked;
    }
    await settlePlanes(real);
  }

  /** Waits until every question has been asked. */
  async #asked(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    for (const question of KEPT) this.#missing.add(question);
    this.#onHeard = resolve;
    const late = setTimeout(() => {
      reject(new Error(`the name service is not asked again: ${[...this.#missing]}`));
    }, TIMEOUT_MS);
    await promise.finally(() => clearTimeout(late));
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}
