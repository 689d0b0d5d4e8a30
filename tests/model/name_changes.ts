/** The steps of a story in which the name service changes, fails or hangs. */
import { assertEquals } from "@std/assert";
import type { AuditEvent } from "../support/program.ts";
import type { NameFacts } from "./access_model.ts";
import type { Command } from "./connecting.ts";
import { ACCOUNTS, type NamedGroup, type NameEntries } from "./model_names.ts";
import { everyone, settle } from "./settle.ts";
import {
  closeAll,
  decide,
  endDenied,
  followGroups,
  type Model,
  note,
  type Real,
  settlePlanes,
  textOf,
} from "./story.ts";
import { write } from "./ways_of_writing.ts";

/** How the server comes to ask again: it is told, or an answer is as old as it may be. */
export type AskWay = "SIGHUP" | "refresh";

/** A change of the groups and accounts. */
abstract class NamesChange implements Command {
  constructor(readonly way: AskWay) {}

  check({ names, file }: Readonly<Model>): boolean {
    if (names === null) return false;
    // Answers that are not in use are forgotten when they are too old.
    return this.way === "SIGHUP" || names.answers && file.groups.has("far");
  }
  protected abstract change(entries: NameEntries, model: Model): void;
  protected abstract get name(): string;

  async run(model: Model, real: Real): Promise<void> {
    const { names, directory } = both(model, real);
    this.change(names.entries, model);
    await directory.set(names);
    if (this.way === "refresh") {
      names.learn();
      await setRefresh(model, real, "1s");
      await endDenied(model, real);
      await setRefresh(model, real, "1h");
      await directory.learn(real);
    }
    await refreshed(model, real);
  }

  toString(): string {
    return `${this.name} (${this.way})`;
  }
}

/** A user joins a group, or leaves it. */
export class SetMember extends NamesChange {
  constructor(
    readonly group: NamedGroup,
    readonly account: string,
    readonly joins: boolean,
    way: AskWay,
  ) {
    super(way);
  }
  protected change({ groups }: NameEntries): void {
    const { members } = groups[this.group];
    if (this.joins) members.add(this.account);
    else members.delete(this.account);
  }
  protected get name(): string {
    return `${this.account} ${this.joins ? "joins" : "leaves"} ${this.group}`;
  }
}

/** A user with an open session leaves one of its groups, or all. */
export class MemberLeaves extends NamesChange {
  /** @param index Which of those that may. */
  constructor(readonly index: number, readonly all: boolean, way: AskWay) {
    super(way);
  }
  override check(model: Readonly<Model>): boolean {
    return super.check(model) && this.#memberships(model).length > 0;
  }
  protected change({ groups }: NameEntries, model: Model): void {
    const memberships = this.#memberships(model);
    const [account, members] = memberships[this.index % memberships.length]!;
    members.delete(account);
    if (this.all) Object.values(groups).forEach((group) => group.members.delete(account));
  }
  /** The groups of users of open sessions; of those without an entry, where there are any. */
  #memberships({ open, names }: Readonly<Model>): [string, Set<string>][] {
    const own = open.filter(({ identity }) => identity.startsWith("uid "));
    const uids = new Set((own.length > 0 ? own : open).map(({ uid }) => uid));
    return Object.entries(ACCOUNTS).filter(([, uid]) => uids.has(uid)).flatMap(([account]) =>
      Object.values(names!.entries.groups).flatMap(({ members }) =>
        members.has(account) ? [[account, members] as [string, Set<string>]] : []
      )
    );
  }
  protected get name(): string {
    return `user ${this.index} of the open sessions leaves ${this.all ? "all groups" : "a group"}`;
  }
}

/** The group of the directory has another gid, or is gone. */
export class SetGroupId extends NamesChange {
  constructor(readonly gid: number | null, way: AskWay) {
    super(way);
  }
  protected change({ groups }: NameEntries): void {
    groups.far.gid = this.gid;
  }
  protected get name(): string {
    return `the gid of far is ${this.gid}`;
  }
}

/** An account is removed, or made again. */
export class SetAccount extends NamesChange {
  constructor(readonly account: string, readonly exists: boolean, way: AskWay) {
    super(way);
  }
  protected change({ accounts }: NameEntries): void {
    if (this.exists) accounts.add(this.account);
    else accounts.delete(this.account);
  }
  protected get name(): string {
    return `the account ${this.account} ${this.exists ? "exists" : "is removed"}`;
  }
}

/** The directory fails from now on, or answers again. */
export class SetAnswers implements Command {
  constructor(readonly answers: boolean) {}
  check({ names }: Readonly<Model>): boolean {
    return names !== null && names.answers !== this.answers;
  }
  async run(model: Model, real: Real): Promise<void> {
    const { names, directory } = both(model, real);
    names.answers = this.answers;
    await directory.set(names);
    await refreshed(model, real);
  }
  toString(): string {
    return `the directory ${this.answers ? "answers" : "fails"}`;
  }
}

/** The directory hangs until its answers are too old, and then answers again. */
export class Hang implements Command {
  check({ names, file }: Readonly<Model>): boolean {
    return names !== null && names.answers && ["far", "near"].every((one) => file.groups.has(one));
  }
  async run(model: Model, real: Real): Promise<void> {
    const { names, directory } = both(model, real);
    const before = names.now;
    const isTooOld = ({ message }: AuditEvent) => String(message).includes(UNANSWERED);
    await directory.startThreads(real);
    await setRefresh(model, real, "2s");
    let earlier = real.server.of("error").filter(isTooOld).length;
    directory.hang();
    names.answers = false;
    names.learn();
    await real.server.event("error", (event) => isTooOld(event) && earlier-- === 0);
    await settlePlanes(real);
    // The answers about accounts are of other moments.
    const until = performance.now() + TIMEOUT_MS;
    for (const connect of everyone().filter((one) => one.check(model))) {
      while (!await this.#isUnknown(connect, before, model, real)) {
        assertEquals(performance.now() < until, true, `${connect}: known for too long`);
      }
    }
    await settlePlanes(real);
    await settle(model, real);
    await setRefresh(model, real, "1h");
    directory.release();
    names.answers = true;
    await directory.learn(real);
    await refreshed(model, real);
  }
  /** Connects once. @returns Whether it was decided as while nothing is known. */
  async #isUnknown(
    connect: ReturnType<typeof everyone>[number],
    before: NameFacts,
    model: Model,
    real: Real,
  ): Promise<boolean> {
    const origin = connect.origin(model, real);
    const id = `h${++real.count}`;
    const letIn = await connect.connect(id, model, real);
    const [then, now] = [decide(model, origin, [], { known: before }), decide(model, origin)];
    const decision = letIn === now.allow ? now : then;
    assertEquals(decision.allow, letIn, `${connect}: ${JSON.stringify({ then, now })}`);
    note(model, real, decision, origin, id);
    if (decision.allow) await closeAll([{ id, origin, ...decision, first: null }], model, real);
    return decision === now;
  }
  toString(): string {
    return "the directory hangs, and answers again";
  }
}

/** Said of the gid of the directory's group, once. */
const UNANSWERED = 'does not know the gid of the group "far": it does not answer';
/** How long an answer may count after its time, in milliseconds. */
const TIMEOUT_MS = 20_000;

function both({ names }: Model, { directory }: Real) {
  if (names === null || directory === null) throw new Error("this story has no name service");
  return { names, directory };
}

/** Changes how old an answer may be. */
async function setRefresh({ file }: Model, real: Real, refresh: string): Promise<void> {
  await write(real.config, textOf(file, real, refresh), "rename");
  await settlePlanes(real);
}

/** The server asks for everything again, and decides by the answers. */
async function refreshed(model: Model, real: Real): Promise<void> {
  const { names, directory } = both(model, real);
  await directory.refresh(real);
  names.learn();
  followGroups(model);
  await settle(model, real);
}
