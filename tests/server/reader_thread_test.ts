/** Long configurations are read in a thread of their own, and without it where it is gone. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ConfigReader } from "../../lib/config/config_reader.ts";
import { loadHostFacts } from "../../lib/config/load.ts";
import { LiveConfig } from "../../lib/config/live_config.ts";
import { Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { startWorker } from "../../lib/reactor/worker_thread.ts";
import { ReaderThread } from "../../lib/server/reader_thread.ts";

const HOST_FACTS = loadHostFacts(effectiveUid());
const MAIN = new URL("../../main.ts", import.meta.url).href;
const FAILING = new URL("../support/failing_reader.ts", import.meta.url).href;

/** A file of 1,000 users and bob. */
function text(access: boolean, last = ""): string {
  const users = Array.from(
    { length: 1_000 },
    (_, index) => `  - { name: user${index}, uid: ${1_000 + index}, admin: true }\n`,
  );
  return "listeners: [{ unix: /run/a, allow: [user7] }]\nusers:\n" +
    `  - { name: bob, uid: 579, local_ipc_access: ${access} }\n${users.join("")}${last}`;
}

/** A configuration that a thread reads. */
class Plane {
  readonly directory = Deno.makeTempDirSync();
  readonly path = join(this.directory, "config.yaml");
  readonly problems: string[] = [];
  /** How often a thread was asked for. */
  asked = 0;
  readonly thread: ReaderThread;
  readonly reader: ConfigReader;
  readonly live: LiveConfig;

  /**
   * @param selves The module of each thread, one after the other; null for none that comes.
   * @param now Without it no time passes: a thread of the source may load for long.
   */
  constructor(selves: readonly (string | null)[], now = () => 0) {
    this.replace(text(true));
    const start = () => startWorker(selves[Math.min(this.asked, selves.length) - 1]!, READER);
    this.thread = new ReaderThread(start, (error) => {
      this.problems.push(error.message);
      this.reader.disconnect();
    });
    this.reader = new ConfigReader({
      reserved: HOST_FACTS,
      ask: () => {
        if (selves[Math.min(this.asked++, selves.length - 1)] === null) return;
        this.reader.connect(this.thread.connectHere());
      },
      report: (problem) => this.problems.push(problem),
    }, now);
    this.live = new LiveConfig(
      { paths: [this.path], explicit: true },
      HOST_FACTS,
      () => {},
      this.reader,
    );
  }

  replace(text: string): void {
    Deno.writeTextFileSync(`${this.path}.new`, text, { mode: 0o644 });
    Deno.renameSync(`${this.path}.new`, this.path);
  }

  get bob(): boolean | undefined {
    return this.live.config.access.usersByName.get("bob")?.localIpcAccess;
  }

  /** Refreshes until the file is decided. @returns The outcomes, and whether it was waited for. */
  async settled(): Promise<{ outcomes: ("changed" | Failure)[]; waited: boolean }> {
    const outcomes: ("changed" | Failure)[] = [];
    for (let waited = false;; waited = true) {
      const outcome = this.live.refresh();
      if (outcome !== "same") outcomes.push(outcome);
      if (this.live.wait === 0) return { outcomes, waited };
      await new Promise((resolve) => setTimeout(resolve, this.live.wait));
    }
  }

  [Symbol.dispose](): void {
    this.thread.end();
    Deno.removeSync(this.directory, { recursive: true });
  }
}

const READER = "configuration reader";

Deno.test("a long file is read in a thread, and decides when it is read", async () => {
  using plane = new Plane([MAIN]);
  assertEquals([plane.asked, plane.bob], [0, true]);
  plane.replace(text(false));
  assertEquals(plane.live.refresh(), "same");
  assert(plane.live.wait > 0);
  assertEquals(plane.bob, true);
  assertEquals(await plane.settled(), { outcomes: ["changed"], waited: true });
  assertEquals(plane.bob, false);
  assertEquals([plane.asked, plane.problems], [1, []]);
  const { access, listeners } = plane.live.config;
  assertEquals(plane.live.userChanges, {
    named: ["user bob local_ipc_access true → false"],
    more: 0,
  });
  const user = access.usersByUid.get(1_007)!;
  assertEquals([user.name, user.admin, user.localIpcAccess], ["user7", true, false]);
  assertEquals([user.at.line, user.accessAt.line], [11, 11]);
  assertEquals(access.usersByName.get("bob")!.accessAt.column, 46);
  const { at, allow } = listeners![0]!;
  assertEquals([at.line, allow!.at.column, [...allow!.users]], [1, 36, ["user7"]]);
  assertEquals([plane.asked, plane.problems], [1, []]);
});

Deno.test("a mistake in a long file has its line and hint, and the last file stays", async () => {
  using plane = new Plane([MAIN]);
  plane.replace(text(false, "  - { name: zed, uid: 579 }\n"));
  const [outcome, ...more] = (await plane.settled()).outcomes;
  if (!(outcome instanceof Failure)) throw new Error(outcome);
  assertEquals(more, []);
  assertEquals(outcome.lines, [
    `${plane.path}:1004:23: users[1001].uid: the uid 579 stands already in line 3`,
  ]);
  assertEquals([outcome.exit, outcome.hint], [78, `correct ${plane.path}, line 1004`]);
  assertEquals([plane.live.problem?.failure, plane.bob], [outcome, true]);
  plane.replace(text(false));
  assertEquals((await plane.settled()).outcomes, ["changed"]);
  assertEquals(plane.bob, false);
});

Deno.test("a text that changes while it is read counts, and then the later one", async () => {
  using plane = new Plane([MAIN]);
  plane.replace(text(false));
  plane.live.refresh();
  plane.replace(text(true, "  - { name: zed, uid: 580 }\n"));
  assertEquals(await plane.settled(), { outcomes: ["changed", "changed"], waited: true });
  assertEquals([plane.bob, plane.live.config.access.users.length], [true, 1_002]);
  assertEquals(plane.live.userChanges, {
    named: ["user bob local_ipc_access false → true", "user zed added"],
    more: 0,
  });
});

Deno.test("a user struck out stays out where the next file is bad or gone", async () => {
  for (
    const spoil of [
      (plane: Plane) => plane.replace(text(true, "  - { name: zed, uid: 579 }\n")),
      (plane: Plane) => plane.replace("users: 1\n"),
      (plane: Plane) => Deno.removeSync(plane.path),
    ]
  ) {
    using plane = new Plane([MAIN]);
    plane.replace(text(false));
    plane.live.refresh();
    assert(plane.live.wait > 0);
    spoil(plane);
    const { outcomes } = await plane.settled();
    assertEquals(outcomes.map((one) => one instanceof Failure), [false, true]);
    assertEquals([plane.bob, plane.live.problem?.failure], [false, outcomes[1]]);
  }
});

Deno.test("where the thread ends the file is read without it, and the next one in another", async () => {
  using plane = new Plane([FAILING, MAIN]);
  plane.replace(text(false));
  assertEquals(await plane.settled(), { outcomes: ["changed"], waited: true });
  assertEquals([plane.bob, plane.live.userChanges], [false, undefined]);
  assertEquals(plane.problems.length, 1);
  assertStringIncludes(plane.problems[0]!, "the configuration reader ended: ");
  plane.replace(text(true));
  assertEquals(await plane.settled(), { outcomes: ["changed"], waited: true });
  assertEquals([plane.bob, plane.asked, plane.problems.length], [true, 2, 1]);
  assert(plane.live.userChanges !== undefined);
});

Deno.test("where no thread comes the file is read without it after 2 s", () => {
  let now = 0;
  using plane = new Plane([null], () => now);
  plane.replace(text(false));
  plane.live.refresh();
  now = 1_999;
  assertEquals([plane.live.refresh(), plane.live.wait > 0, plane.bob], ["same", true, true]);
  now = 2_000;
  assertEquals([plane.live.refresh(), plane.bob], ["changed", false]);
  assertEquals([plane.live.refresh(), plane.live.wait], ["same", 0]);
  assertEquals(plane.problems, [
    `The thread that reads ${plane.path} does not answer: it is read without it`,
  ]);
});
