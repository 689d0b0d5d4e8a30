/**
 * A model beside the server: random stories of edits, connections and keys, in which every answer,
 * every open session and every line of the log must be what the model says.
 *
 * `IPCAUTH_MODEL_RUNS` is how many stories there are, `IPCAUTH_FUZZ_SEED` the seed of other ones.
 * A failure shrinks to a short story.
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { freePort, readKey } from "../support/keys.ts";
import { isRoot, Program, type RunningServer } from "../support/program.ts";
import {
  type AccessFile,
  admitted,
  type Expected,
  expected,
  type Origin,
  type Peer,
  type Secrets,
} from "./access_model.ts";
import { Peers } from "./peers.ts";
import { type Way, WAYS, write } from "./ways_of_writing.ts";

const UIDS: Readonly<Record<string, number>> = { alice: 578, bob: 579, carol: 580 };
const GIDS: Readonly<Record<string, number>> = { staff: 2001, lab: 2002 };
const PEERS: readonly Peer[] = [
  ...Object.values(UIDS).map((uid) => ({ uid, gids: [uid] })),
  { uid: 580, gids: [2001] },
  { uid: 581, gids: [581, 2001] },
  { uid: 582, gids: [2002, 2001] },
  { uid: 583, gids: [583] },
  { uid: 0, gids: [0] },
];
/** The key of carol that stands in the directory of keys, or does not. */
const COPIED = "copied";
const ENTRY_KEYS = ["admin", "k1", "k2"];
const KEYS = [...ENTRY_KEYS, COPIED];

/** Limits that no story reaches. */
const WIDE = { all: 1024, perUser: 256 };

/** A session that must be open. */
interface OpenSession {
  readonly id: string;
  readonly origin: Origin;
  readonly identity: string;
  readonly uid: number;
}

interface Model {
  readonly file: AccessFile;
  readonly secrets: Secrets;
  open: OpenSession[];
  /** The lines of the log that must be there: what was decided, and why. */
  readonly lines: string[];
  /** How many sessions have ended. */
  closed: number;
}

/** The server, and what drives it. */
interface Real {
  readonly program: Program;
  readonly server: RunningServer;
  readonly peers: Peers;
  readonly config: string;
  /** Of the listener with keys: an address of this story alone. */
  readonly address: string;
  readonly port: number;
  /** Key files of earlier secrets. */
  readonly old: Map<string, Uint8Array>;
  count: number;
}

function socketOf({ program }: Real, listener: "open" | "narrow"): string {
  return program.path(`${listener}.sock`);
}

/** The file of a model as YAML. */
function textOf(file: AccessFile, real: Real): string {
  const list = (lines: string[]) => lines.length === 0 ? " []\n" : `\n${lines.join("")}`;
  const { listeners, users, groups, allow, keys, limits } = file;
  const narrow = `  - { unix: ${socketOf(real, "narrow")}, service: console${
    allow === null ? "" : `, allow: ${JSON.stringify(allow)}`
  } }\n`;
  const entries = [...keys].filter(([, { isInDirectory }]) => !isInDirectory);
  const tcp = `  - tcp: ${real.address}:${real.port}
    service: console
    keys:
${
    entries.map(([name, { user, notAfter }]) =>
      `      - { file: ${real.program.path(`${name}.key`)}${
        user === null ? "" : `, user: ${user}`
      }${notAfter === undefined ? "" : `, not_after: ${new Date(notAfter).toISOString()}`} }\n`
    ).join("")
  }      - { dir: ${real.program.path("keys.d")} }\n`;
  return `listeners:
  - { unix: ${socketOf(real, "open")}, service: console }
${listeners.has("narrow") ? narrow : ""}${listeners.has("tcp") ? tcp : ""}users:${
    list([...users].map(([name, { uid, access }]) =>
      `  - { name: ${name}, uid: ${uid}, local_ipc_access: ${access} }\n`
    ))
  }groups:${
    list([...groups].map(([name, { gid, access }]) =>
      `  - { name: ${name}, gid: ${gid}, local_ipc_access: ${access} }\n`
    ))
  }limits: { max_connections: ${limits.all}, max_connections_per_user: ${limits.perUser} }
`;
}

/**
 * After a change: the next decision about everyone is the new one, and what must end has ended.
 * Whether there is a place for a new one is known when it has.
 */
async function settle(model: Model, real: Real): Promise<void> {
  const connects = [
    ...PEERS.flatMap((peer) =>
      (["open", "narrow"] as const).map((listener) => new Connect(peer, listener, false))
    ),
    ...KEYS.map((key) => new ConnectKeyed(key, false, false)),
  ];
  const ending = model.open.filter(({ origin, identity }) => {
    const now = expected(model.file, model.secrets, origin);
    return !now.allow || now.identity !== identity;
  });
  const isFirst = (one: Connect | ConnectKeyed) =>
    ending.length === 0 || !expected(model.file, model.secrets, one.origin(model, real)).allow;
  for (const connect of connects.filter(isFirst)) await connect.run(model, real);
  for (const { id } of ending) await real.peers.ended(id);
  model.open = model.open.filter((session) => !ending.includes(session));
  await closed(model, real, ending.length);
  for (const connect of connects.filter((one) => !isFirst(one))) await connect.run(model, real);
}

/** Waits until the places of sessions that end are free. */
async function closed(model: Model, { server }: Real, count: number): Promise<void> {
  model.closed += count;
  await server.events("close", model.closed);
}

type Command = fc.AsyncCommand<Model, Real>;

/** A command that edits what the file says. */
abstract class Edit implements Command {
  readonly #way: Way | "command" | "console";

  constructor(way: Way | "command" | "console") {
    this.#way = way;
  }

  abstract check(model: Readonly<Model>): boolean;
  /** Changes the model's file. */
  protected abstract edit(file: AccessFile): void;
  /** The same as a command line. */
  protected abstract argv(): string[] | null;
  /** The same as a request. */
  protected abstract request(): unknown;
  protected abstract get name(): string;

  async run(model: Model, real: Real): Promise<void> {
    const argv = this.argv();
    const request = this.request();
    if (this.#way === "console" && request !== null) {
      const id = `r${++real.count}`;
      const root: Origin = { listener: "open", peer: { uid: 0, gids: [0] } };
      const decision = decide(model, root);
      note(model, decision);
      const answer = await real.peers.request(id, socketOf(real, "open"), request);
      assertEquals(answer, decision.allow ? "result" : "out");
      if (!decision.allow) return;
      this.edit(model.file);
      await closed(model, real, 1);
      await settle(model, real);
      return;
    }
    this.edit(model.file);
    if (this.#way === "command" && argv !== null) {
      const { code, stderr } = await real.program.run([...argv, "--config", real.config]);
      assertEquals(code, 0, stderr);
    } else {
      const way = this.#way === "command" || this.#way === "console" ? "rename" : this.#way;
      await write(real.config, textOf(model.file, real), way);
    }
    await this.applied(real);
    await settle(model, real);
  }

  /** Waits for what the server does before it decides by the new file. */
  protected applied(_real: Real): Promise<void> {
    return Promise.resolve();
  }

  toString(): string {
    return `${this.name} (${this.#way})`;
  }
}

class SetAccess extends Edit {
  constructor(readonly user: string, readonly access: boolean, way: Way | "command" | "console") {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    return file.users.has(this.user);
  }
  protected edit({ users }: AccessFile): void {
    users.get(this.user)!.access = this.access;
  }
  protected argv(): string[] {
    return ["users", this.access ? "allow" : "deny", this.user];
  }
  protected request(): unknown {
    const params = { name: this.user, field: "local_ipc_access", value: this.access };
    return { method: "users.set", params };
  }
  protected get name(): string {
    return `${this.access ? "allow" : "deny"} ${this.user}`;
  }
}

class AddUser extends Edit {
  constructor(readonly user: string, readonly access: boolean, way: Way | "command" | "console") {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    return !file.users.has(this.user);
  }
  protected edit({ users }: AccessFile): void {
    users.set(this.user, { uid: UIDS[this.user]!, access: this.access });
  }
  protected argv(): string[] {
    const flags = this.access ? ["--local-ipc-access"] : [];
    return ["users", "add", this.user, `--uid=${UIDS[this.user]}`, ...flags];
  }
  protected request(): unknown {
    const params = { name: this.user, uid: UIDS[this.user], local_ipc_access: this.access };
    return { method: "users.add", params };
  }
  protected get name(): string {
    return `add ${this.user}`;
  }
}

class RemoveUser extends Edit {
  constructor(readonly user: string, way: Way | "command" | "console") {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    const named = [...file.keys.values()]
      .some(({ user, isInDirectory }) => user === this.user && !isInDirectory);
    return file.users.has(this.user) && !named && !file.allow?.includes(this.user);
  }
  protected edit({ users }: AccessFile): void {
    users.delete(this.user);
  }
  protected argv(): string[] {
    return ["users", "remove", this.user];
  }
  protected request(): unknown {
    return { method: "users.remove", params: { name: this.user } };
  }
  protected get name(): string {
    return `remove ${this.user}`;
  }
}

class SetGroup extends Edit {
  /** @param access Null removes it. */
  constructor(readonly group: string, readonly access: boolean | null, way: Way) {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    return this.access !== null || !file.allow?.includes(`@${this.group}`);
  }
  protected edit({ groups }: AccessFile): void {
    if (this.access === null) groups.delete(this.group);
    else groups.set(this.group, { gid: GIDS[this.group]!, access: this.access });
  }
  protected argv(): null {
    return null;
  }
  protected request(): unknown {
    return null;
  }
  protected get name(): string {
    return `group ${this.group} ${this.access}`;
  }
}

class SetAllow extends Edit {
  constructor(readonly allow: readonly string[] | null, way: Way) {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    return this.allow?.every((name) =>
      name.startsWith("@") ? file.groups.has(name.slice(1)) : file.users.has(name)
    ) ?? true;
  }
  protected edit(file: AccessFile): void {
    file.allow = this.allow;
  }
  protected argv(): null {
    return null;
  }
  protected request(): unknown {
    return null;
  }
  protected get name(): string {
    return `allow ${JSON.stringify(this.allow)}`;
  }
}

/** Removes a listener, or adds it again. */
class SetListener extends Edit {
  /** How many listeners had been opened before. */
  #opened = 0;

  constructor(readonly listener: "narrow" | "tcp", readonly isListed: boolean, way: Way) {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    return file.listeners.has(this.listener) !== this.isListed;
  }
  protected edit({ listeners }: AccessFile): void {
    if (this.isListed) listeners.add(this.listener);
    else listeners.delete(this.listener);
  }
  override async run(model: Model, real: Real): Promise<void> {
    this.#opened = real.server.of("listen").length;
    const removals = real.server.of("stop").length;
    await super.run(model, real);
    if (!this.isListed) await real.server.events("stop", removals + 1);
  }
  protected override async applied({ server }: Real): Promise<void> {
    if (this.isListed) await server.events("listen", this.#opened + 1);
  }
  protected argv(): null {
    return null;
  }
  protected request(): unknown {
    return null;
  }
  protected get name(): string {
    return `${this.isListed ? "add" : "remove"} listener ${this.listener}`;
  }
}

class SetKey extends Edit {
  /** @param user Null for a trusted key, undefined to remove it. */
  constructor(
    readonly key: string,
    readonly user: string | null | undefined,
    readonly notAfter: number | undefined,
    way: Way,
  ) {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    // A removed listener keeps the entries that it had.
    return file.listeners.has("tcp") &&
      (this.user === null || this.user === undefined || file.users.has(this.user));
  }
  protected edit({ keys }: AccessFile): void {
    if (this.user === undefined) keys.delete(this.key);
    else keys.set(this.key, { user: this.user, notAfter: this.notAfter });
  }
  protected argv(): null {
    return null;
  }
  protected request(): unknown {
    return null;
  }
  protected get name(): string {
    return `key ${this.key} of ${this.user} until ${this.notAfter}`;
  }
}

class SetLimits extends Edit {
  constructor(readonly all: number, readonly perUser: number, way: Way) {
    super(way);
  }
  check(): boolean {
    return true;
  }
  protected edit(file: AccessFile): void {
    file.limits = { all: this.all, perUser: this.perUser };
  }
  protected argv(): null {
    return null;
  }
  protected request(): unknown {
    return null;
  }
  protected get name(): string {
    return `limits ${this.all}, ${this.perUser} of a user`;
  }
}

/** A new secret in a key's file. */
class ReplaceKey implements Command {
  constructor(readonly key: string, readonly way: Way) {}
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    const path = real.program.path(`${this.key}.key`);
    real.old.set(this.key, readKey(path));
    model.secrets.set(this.key, model.secrets.get(this.key)! + 1);
    await write(path, newSecret(), this.way);
    await settle(model, real);
  }
  toString(): string {
    return `new secret for ${this.key} (${this.way})`;
  }
}

/** A new secret for carol, copied to the directory of keys; or her file there is removed. */
class CopyKey implements Command {
  constructor(readonly way: Way | "remove") {}
  check({ file }: Readonly<Model>): boolean {
    return this.way !== "remove" || file.keys.has(COPIED);
  }
  async run(model: Model, real: Real): Promise<void> {
    const path = real.program.path("keys.d/carol.key");
    if (this.way === "remove") {
      model.file.keys.delete(COPIED);
      await Deno.remove(path);
    } else {
      const own = real.program.path(`${COPIED}.key`);
      real.old.set(COPIED, readKey(own));
      model.secrets.set(COPIED, model.secrets.get(COPIED)! + 1);
      model.file.keys.set(COPIED, { user: "carol", isInDirectory: true });
      const secret = newSecret();
      await Deno.writeTextFile(own, secret);
      await write(path, secret, this.way);
    }
    await settle(model, real);
  }
  toString(): string {
    return `carol's key in the directory (${this.way})`;
  }
}

/** One connection, or some at the same time. */
abstract class Connecting implements Command {
  constructor(readonly stays: boolean, readonly count: number) {}

  check(): boolean {
    return true;
  }
  abstract origin(model: Readonly<Model>, real: Real): Origin;
  /** @returns Whether it was let in. */
  protected abstract connect(id: string, model: Model, real: Real): Promise<boolean>;
  protected abstract get name(): string;

  async run(model: Model, real: Real): Promise<void> {
    const origin = this.origin(model, real);
    const ids = Array.from({ length: this.count }, () => `c${++real.count}`);
    const letIn = await Promise.all(ids.map((id) => this.connect(id, model, real)));
    const open: OpenSession[] = [];
    for (const id of ids.filter((_, index) => letIn[index])) {
      const decision = decide(model, origin, open);
      assertEquals(decision.allow, true, JSON.stringify({ origin, decision, open: model.open }));
      note(model, decision);
      if (decision.allow) open.push({ id, origin, ...decision });
    }
    for (const _ of letIn.filter((one) => !one)) {
      const decision = decide(model, origin, open);
      assertEquals(decision.allow, false, JSON.stringify({ origin, decision, open: model.open }));
      note(model, decision);
    }
    if (this.stays) model.open.push(...open);
    else await closeAll(open, model, real);
  }

  toString(): string {
    return `${this.name}${this.count === 1 ? "" : ` ${this.count} times`}${
      this.stays ? ", and stays" : ""
    }`;
  }
}

class Connect extends Connecting {
  constructor(
    readonly peer: Peer,
    readonly listener: "open" | "narrow",
    stays: boolean,
    count = 1,
  ) {
    super(stays, count);
  }
  origin(): Origin {
    return { listener: this.listener, peer: this.peer };
  }
  protected connect(id: string, _model: Model, real: Real): Promise<boolean> {
    return real.peers.open(id, socketOf(real, this.listener), this.peer);
  }
  protected get name(): string {
    return `uid ${this.peer.uid} (${this.peer.gids}) connects to ${this.listener}`;
  }
}

class ConnectKeyed extends Connecting {
  constructor(readonly key: string, readonly isOld: boolean, stays: boolean, count = 1) {
    super(stays, count);
  }
  origin({ secrets }: Readonly<Model>, { old }: Real): Origin {
    const isOld = this.isOld && old.has(this.key);
    return { listener: "tcp", key: this.key, secret: secrets.get(this.key)! - (isOld ? 1 : 0) };
  }
  protected connect(id: string, _model: Model, real: Real): Promise<boolean> {
    const old = this.isOld ? real.old.get(this.key) : undefined;
    const key = old ?? readKey(real.program.path(`${this.key}.key`));
    return real.peers.openKeyed(id, real.address, real.port, key);
  }
  protected get name(): string {
    return `${this.isOld ? "the old" : "the"} key ${this.key} connects`;
  }
}

/** Some of the open sessions are closed by their clients. */
class Leave implements Command {
  constructor(readonly count: number) {}
  check({ open }: Readonly<Model>): boolean {
    return open.length > 0;
  }
  async run(model: Model, real: Real): Promise<void> {
    await closeAll(model.open.splice(0, this.count), model, real);
  }
  toString(): string {
    return `the first ${this.count} leave`;
  }
}

class Hangup implements Command {
  check(): boolean {
    return true;
  }
  run(_model: Model, { server }: Real): Promise<void> {
    server.child.kill("SIGHUP");
    return Promise.resolve();
  }
  toString(): string {
    return "SIGHUP";
  }
}

/** @param more Sessions that are open beside those of the model. */
function decide(model: Model, origin: Origin, more: readonly OpenSession[] = []): Expected {
  return admitted(model.file, model.secrets, origin, [...model.open, ...more]);
}

async function closeAll(sessions: OpenSession[], model: Model, real: Real): Promise<void> {
  for (const { id } of sessions) await real.peers.close(id);
  await closed(model, real, sessions.length);
}

function note({ lines }: Model, { allow, reason }: Expected): void {
  if (reason === "no-listener") return;
  lines.push(`${allow ? "allow" : "deny"} ${reason}`);
}

function newSecret(): string {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  return `${secret.toBase64({ alphabet: "base64url", omitPadding: true })}\n`;
}

/** @param groups Their flags, in the order of the file. */
function newModel(groups: readonly (readonly [string, boolean])[]): Model {
  return {
    file: {
      users: new Map([
        ["alice", { uid: 578, access: false }],
        ["bob", { uid: 579, access: true }],
      ]),
      groups: new Map(groups.map(([name, access]) => [name, { gid: GIDS[name]!, access }])),
      listeners: new Set(["open", "narrow", "tcp"]),
      allow: null,
      limits: WIDE,
      keys: new Map([["admin", { user: null }], ["k1", { user: "bob" }]]),
    },
    secrets: new Map(KEYS.map((key) => [key, 1])),
    open: [],
    lines: [],
    closed: 0,
  };
}

const way = fc.constantFrom(...WAYS);
/** A command and the console as often as all others. */
const anyWay = fc.oneof(way, fc.constantFrom("command" as const, "console" as const));
const user = fc.constantFrom(...Object.keys(UIDS));
const key = fc.constantFrom("k1", "k2");
/** For ever, a time that has passed, or one that no story lasts until. */
const notAfter = fc.constantFrom(undefined, Date.UTC(2001), Date.UTC(2101));
const listener = fc.constantFrom("open" as const, "narrow" as const);
const count = fc.constantFrom(1, 1, 4);
const limits = fc.constantFrom([2, 1], [2, 256], [6, 3], [1, 10], [1024, 256]);
const COMMANDS: fc.Arbitrary<Command>[] = [
  ...Array(4).fill(
    fc.tuple(fc.constantFrom(...PEERS), listener, fc.boolean(), count)
      .map((all) => new Connect(...all)),
  ) as fc.Arbitrary<Command>[],
  ...Array(2).fill(
    fc.tuple(fc.constantFrom(...KEYS), fc.boolean(), fc.boolean(), count)
      .map((all) => new ConnectKeyed(...all)),
  ) as fc.Arbitrary<Command>[],
  fc.tuple(user, fc.boolean(), anyWay).map((all) => new SetAccess(...all)),
  fc.tuple(user, fc.boolean(), anyWay).map((all) => new AddUser(...all)),
  fc.tuple(user, anyWay).map((all) => new RemoveUser(...all)),
  fc.tuple(fc.constantFrom(...Object.keys(GIDS)), fc.constantFrom(true, false, null), way)
    .map((all) => new SetGroup(...all)),
  fc.tuple(fc.constantFrom(null, ["bob"], ["alice", "@staff"], ["@lab", "carol"]), way)
    .map((all) => new SetAllow(...all)),
  fc.tuple(fc.constantFrom("narrow" as const, "tcp" as const), fc.boolean(), way)
    .map((all) => new SetListener(...all)),
  fc.tuple(key, fc.option(fc.oneof(user, fc.constant(null)), { nil: undefined }), notAfter, way)
    .map((all) => new SetKey(...all)),
  fc.tuple(fc.constantFrom(...ENTRY_KEYS), way).map((all) => new ReplaceKey(...all)),
  fc.oneof(way, fc.constant("remove" as const)).map((way) => new CopyKey(way)),
  fc.tuple(limits, way).map(([[all, perUser], way]) => new SetLimits(all!, perUser!, way)),
  fc.constantFrom(1, 2, 5).map((count) => new Leave(count)),
  fc.constant(new Hangup()),
];

const ASKED_RUNS = Deno.env.get("IPCAUTH_MODEL_RUNS");
const RUNS = Number(ASKED_RUNS ?? "12");
/**
 * After how many milliseconds no further story is told, neither another one nor a shorter one of
 * those that fail.
 */
const TIME_LIMIT_MS = ASKED_RUNS === undefined ? 180_000 : Infinity;
const SEED = Deno.env.get("IPCAUTH_FUZZ_SEED");

/**
 * Runs one story, and compares the whole log with the model's.
 *
 * @param workers How many data planes there are. Lines of several stand in no order.
 */
async function tell(
  workers: number,
  groups: readonly (readonly [string, boolean])[],
  commands: Iterable<Command>,
): Promise<void> {
  await using program = await Program.install();
  const model = newModel(groups);
  const [one, other] = crypto.getRandomValues(new Uint8Array(2));
  const half = {
    program,
    address: `127.77.${one}.${other}`,
    port: freePort(),
    config: program.path("config.yaml"),
    count: 0,
  };
  for (const name of KEYS) await program.write(`${name}.key`, newSecret(), 0o600);
  await Deno.mkdir(program.path("keys.d"), { mode: 0o700 });
  await program.write("config.yaml", textOf(model.file, half as Real), 0o600);
  await using server = await program.serve(["--config", half.config, "--workers", `${workers}`]);
  await server.events("listen", 3);
  await using peers = new Peers(program);
  const real: Real = { ...half, server, peers, old: new Map() };
  await fc.asyncModelRun(() => ({ model, real }), commands);
  // Everything that must be open still is.
  for (const { id } of model.open) {
    assertEquals(await peers.isOpen(id), true, `${id} is open`);
  }
  await closeAll(model.open, model, real);
  assertEquals(await server.stop(), 0);
  const decided = server.log.filter(({ event }) => event === "allow" || event === "deny")
    .map(({ event, reason }) => `${event} ${reason}`);
  if (workers === 1) assertEquals(decided, model.lines);
  else assertEquals(decided.toSorted(), model.lines.toSorted());
  const count = (kind: string) => server.of(kind).length;
  assertEquals(count("close"), count("allow"));
  assertEquals(server.of("error"), []);
}

Deno.test("the server decides, revokes and logs as the model does (needs root)", {
  ignore: !isRoot,
}, async () => {
  // Two data planes only where runs are asked for: one that learns of a removed listener by a
  // connection denies it as `not-on-listener`, where the model finds no listener.
  const workers = ASKED_RUNS === undefined ? fc.constant(1) : fc.constantFrom(1, 2);
  const flag = fc.boolean();
  const groups = fc.shuffledSubarray(Object.keys(GIDS)).chain((names) =>
    fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), flag)))
  );
  const stories = fc.commands(COMMANDS, { maxCommands: 60, size: "max" });
  const until = performance.now() + TIME_LIMIT_MS;
  const property = fc.asyncProperty(workers, groups, stories, async (...story) => {
    if (performance.now() < until) await tell(...story);
  });
  await fc.assert(property, {
    numRuns: RUNS,
    ...SEED === undefined ? {} : { seed: Number(SEED) },
  });
});
