/**
 * A model beside the server: random stories of edits, connections, keys and groups, in which every
 * answer, every open session and every line of the log must be what the model says.
 *
 * `IPCAUTH_MODEL_RUNS` is how many stories there are, `IPCAUTH_FUZZ_SEED` the seed of other ones.
 * A failure shrinks to a short story.
 */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { freePort } from "../support/keys.ts";
import { NamesFixture, remoteNames } from "../support/name_service.ts";
import { isRoot, Program } from "../support/program.ts";
import type { Listener, ServiceKind } from "./access_model.ts";
import { requireLines } from "./audit_lines.ts";
import { Commit } from "./commit.ts";
import { type Command, Connect, ConnectKeyed, Leave } from "./connecting.ts";
import { CopyKey, newSecret, ReplaceKey, SetKeyEnd } from "./key_files.ts";
import { RotateKey } from "./key_rotation.ts";
import { ACCOUNTS, ModelNames } from "./model_names.ts";
import {
  Hang,
  MemberLeaves,
  SetAccount,
  SetAnswers,
  SetGroupId,
  SetMember,
} from "./name_changes.ts";
import { Peers } from "./peers.ts";
import { SetAllow, SetGroup, SetKey, SetLimits, SetListener } from "./policy_edits.ts";
import { openBackend } from "./services.ts";
import {
  closeAll,
  ENTRY_KEYS,
  FIRST_KEYS,
  KEYS,
  type Model,
  newModel,
  NEXT,
  PEERS,
  type Real,
  ROOT,
  socketOf,
  textOf,
  UIDS,
  watch,
} from "./story.ts";
import { StoryDirectory } from "./story_directory.ts";
import { AddUser, RemoveUser, SetAccess } from "./user_edits.ts";
import { WAYS } from "./ways_of_writing.ts";

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

const way = fc.constantFrom(...WAYS);
/** A command and the console as often as all others. */
const anyWay = fc.oneof(
  way,
  fc.constantFrom("command" as const, "console" as const, "console" as const),
);
const commandOrWay = fc.oneof(way, fc.constant("command" as const));
const group = fc.constantFrom("staff", "lab", "far", "near");
const user = fc.constantFrom(...Object.keys(UIDS));
const key = fc.constantFrom("k1", "k2", NEXT);
/** A time that has passed, and one that no story lasts until. */
const [PAST, FUTURE] = [Date.UTC(2001), Date.UTC(2101)];
const notAfter = fc.constantFrom(undefined, undefined, PAST, FUTURE, "soon" as const);
const directoryEnd = fc.constantFrom(undefined, null, PAST, FUTURE, "soon" as const);
const nextEnd = fc.constantFrom(undefined, FUTURE, "soon" as const);
const oldKey = fc.constantFrom("stays" as const, "is revoked" as const, "ends" as const);
const listener = fc.constantFrom("open" as const, "narrow" as const);
const count = fc.constantFrom(1, 1, 4);
const limits = fc.constantFrom([2, 1], [2, 256], [6, 3], [1, 10], [1024, 256]);
const LISTS = [null, ["bob"], ["alice", "@staff"], ["@lab", "carol"], ["@far"], ["@far", "@near"]];
const account = fc.constantFrom(...Object.keys(ACCOUNTS));
const askWay = fc.constantFrom("SIGHUP" as const, "SIGHUP" as const, "refresh" as const);
const joins = fc.constantFrom(true, true, false);
/** Who may be let in by a group of the name service. */
const MEMBERS = PEERS.filter(({ gids }) => [2003, 2004].some((gid) => gids.includes(gid)));
/** The steps that stories with a name service have beside. */
const NAME_COMMANDS: fc.Arbitrary<Command>[] = [
  ...Array(6).fill(
    fc.tuple(fc.constantFrom(...MEMBERS), listener).map((all) => new Connect(...all, true)),
  ) as fc.Arbitrary<Command>[],
  ...Array(8).fill(
    fc.tuple(fc.nat(9), fc.boolean(), askWay).map((all) => new MemberLeaves(...all)),
  ) as fc.Arbitrary<Command>[],
  ...Array(4).fill(
    fc.tuple(fc.constantFrom("far" as const, "near" as const), account, joins, askWay)
      .map((all) => new SetMember(...all)),
  ) as fc.Arbitrary<Command>[],
  fc.tuple(fc.constantFrom(2003, 2005, null), askWay).map((all) => new SetGroupId(...all)),
  fc.tuple(account, fc.boolean(), askWay).map((all) => new SetAccount(...all)),
  ...Array(2).fill(fc.boolean().map((answers) => new SetAnswers(answers))) as fc.Arbitrary<
    Command
  >[],
  fc.constant(new Hang()),
];
/** One of the changes of a commit. */
const entryEdit = fc.oneof(
  fc.tuple(user, fc.boolean()).map((all) => new SetAccess(...all, "console")),
  fc.tuple(user, fc.boolean()).map((all) => new AddUser(...all, "console")),
  user.map((user) => new RemoveUser(user, "console")),
  ...Array(2).fill(
    fc.tuple(group, fc.constantFrom(true, false, null))
      .map((all) => new SetGroup(...all, "console")),
  ) as fc.Arbitrary<SetGroup>[],
);
const commitEnd = fc.constantFrom(
  "stays" as const,
  "is confirmed" as const,
  "is rolled back" as const,
  "is rolled back" as const,
);
const COMMANDS: fc.Arbitrary<Command>[] = [
  ...Array(4).fill(
    fc.tuple(fc.constantFrom(...PEERS), listener, fc.boolean(), count)
      .map((all) => new Connect(...all)),
  ) as fc.Arbitrary<Command>[],
  ...Array(2).fill(
    fc.tuple(fc.constantFrom(...KEYS), fc.boolean(), fc.boolean(), count)
      .map((all) => new ConnectKeyed(...all)),
  ) as fc.Arbitrary<Command>[],
  ...Array(2).fill(
    fc.tuple(user, fc.boolean(), anyWay).map((all) => new SetAccess(...all)),
  ) as fc.Arbitrary<Command>[],
  ...Array(2).fill(
    fc.tuple(user, fc.boolean(), anyWay).map((all) => new AddUser(...all)),
  ) as fc.Arbitrary<Command>[],
  ...Array(2).fill(
    fc.tuple(user, anyWay).map((all) => new RemoveUser(...all)),
  ) as fc.Arbitrary<Command>[],
  fc.tuple(group, fc.constantFrom(true, false, null), anyWay).map((all) => new SetGroup(...all)),
  ...Array(3).fill(
    fc.tuple(
      fc.array(entryEdit, { minLength: 1, maxLength: 4 }),
      commitEnd,
      fc.option(fc.tuple(fc.boolean(), anyWay)),
    ).map(([edits, end, since]) => {
      const [edited] = edits.flatMap((edit) => "user" in edit ? [edit.user] : []);
      const isPossible = edited !== undefined && since !== null;
      return new Commit(edits, end, isPossible ? new SetAccess(edited, ...since) : null);
    }),
  ) as fc.Arbitrary<Command>[],
  ...Array(2).fill(
    fc.tuple(fc.constantFrom("narrow" as const, "tcp" as const), fc.constantFrom(...LISTS), way)
      .map((all) => new SetAllow(...all)),
  ) as fc.Arbitrary<Command>[],
  fc.tuple(fc.constantFrom("narrow" as const, "tcp" as const), fc.boolean(), way)
    .map((all) => new SetListener(...all)),
  fc.tuple(
    key,
    fc.option(fc.oneof(user, fc.constant(null)), { nil: undefined }),
    notAfter,
    commandOrWay,
  )
    .map((all) => new SetKey(...all)),
  fc.tuple(fc.constantFrom(...ENTRY_KEYS), nextEnd, oldKey).map((all) => new RotateKey(...all)),
  fc.tuple(fc.constantFrom(...ENTRY_KEYS), way).map((all) => new ReplaceKey(...all)),
  fc.tuple(directoryEnd, way).map((all) => new SetKeyEnd(...all)),
  fc.oneof(way, fc.constant("remove" as const)).map((way) => new CopyKey(way)),
  fc.tuple(limits, way).map(([[all, perUser], way]) => new SetLimits(all!, perUser!, way)),
  // As many as trusted peers may be above the limits, and more.
  fc.tuple(listener, fc.boolean()).map((all) => new Connect(ROOT, ...all, 10)),
  fc.boolean().map((stays) => new ConnectKeyed("admin", false, stays, 10)),
  fc.constantFrom(1, 2, 5).map((count) => new Leave(count)),
  fc.constant(new Hangup()),
];

const ASKED_RUNS = Deno.env.get("IPCAUTH_MODEL_RUNS");
const RUNS = Number(ASKED_RUNS ?? "8");
/**
 * After how many milliseconds no further story is told, neither another one nor a shorter one of
 * those that fail.
 */
const TIME_LIMIT_MS = ASKED_RUNS === undefined ? 90_000 : Infinity;
/** How long a step may take, in milliseconds; some hundred connections take a few seconds. */
const STEP_LIMIT_MS = 60_000;
/** For how long shorter stories are told after one that fails, in milliseconds. */
const SHRINK_LIMIT_MS = 180_000;
const SEED = Deno.env.get("IPCAUTH_FUZZ_SEED");

/** How often each kind of step was taken, services stood there, and sessions were ended. */
const steps = new Map<string, number>();
/** How many decisions were compared. */
let decisions = 0;

function add(kind: string): void {
  steps.set(kind, (steps.get(kind) ?? 0) + 1);
}

/** The steps of a story, which count when they are taken. */
function* counted(commands: Iterable<Command>): Generator<Command> {
  for (const command of commands) {
    yield {
      check: (model) => command.check(model),
      run: async (model, real) => {
        add(kindOf(command));
        await withinLimit(command, command.run(model, real));
      },
    };
  }
}

/** Fails where a step waits for what does not come. */
async function withinLimit(step: Command, done: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not done in time: ${step}`)), STEP_LIMIT_MS);
  await Promise.race([done, late]).finally(() => clearTimeout(timer));
}

/** The class of a step, and the way of a change. */
function kindOf(command: Command): string {
  // fast-check wraps each command.
  const { cmd = command } = command as { readonly cmd?: Command };
  const [way = ""] = /\([a-zA-Z ]+\)$/.exec(String(cmd)) ?? [];
  return `${cmd.constructor.name} ${way}`;
}

/** What a story begins with. */
interface Opening {
  /** How many data planes there are. Lines of several stand in no order. */
  readonly workers: number;
  /** Whether groups and accounts of a name service are in use. */
  readonly hasNames: boolean;
  /** The groups of the file and their flags. */
  readonly groups: readonly (readonly [string, boolean])[];
  /** What stands behind the listeners but the open one. */
  readonly services: Readonly<Record<"narrow" | "tcp", ServiceKind>>;
}

/** Runs one story. */
async function tell(opening: Opening, commands: Iterable<Command>): Promise<void> {
  if (!opening.hasNames) {
    await using program = await Program.install();
    return await tellOf(opening, commands, program, null);
  }
  await using fixture = await NamesFixture.open("files ldap", "files ldap");
  await tellOf(opening, commands, fixture.program, fixture);
}

/** Runs one story, and compares the whole log with the model's. */
async function tellOf(
  { workers, hasNames, groups, services }: Opening,
  commands: Iterable<Command>,
  program: Program,
  fixture: NamesFixture | null,
): Promise<void> {
  const startedAt = performance.now();
  for (const [listener, service] of Object.entries(services)) add(`${listener}: ${service}`);
  const model = newModel(groups, services, hasNames ? new ModelNames() : null);
  const [one, other] = crypto.getRandomValues(new Uint8Array(2));
  const config = program.path("config.yaml");
  const port = freePort();
  const address = `127.77.${one}.${other}`;
  const path = (name: string) => program.path(name);
  for (const name of FIRST_KEYS) await program.write(`${name}.key`, newSecret(), 0o600);
  await Deno.mkdir(path("keys.d"), { mode: 0o700 });
  const places = { path, keyFiles: new Map<string, string>(), address, port };
  await program.write("config.yaml", textOf(model.file, places), 0o600);
  using _backend = openBackend(path("backend.sock"));
  using directory = fixture && new StoryDirectory(fixture);
  if (model.names !== null) await directory?.set(model.names);
  const args = ["--config", config, "--workers", `${workers}`];
  await using server = await (fixture?.run(...args) ?? program.serve(args));
  await server.events("listen", 3);
  await using peers = new Peers(program);
  const run = (argv: readonly string[]) => program.run(argv);
  const common = { server, directory, peers, run, config, workers, ...places };
  const real: Real = { ...common, old: new Map(), count: 0 };
  if (hasNames || workers > 1) await watch(model, real);
  await directory?.learn(real);
  await fc.asyncModelRun(() => ({ model, real }), counted(commands));
  // Everything that must be open still is.
  for (const { id } of model.open) {
    assertEquals(await peers.isOpen(id), true, `${id} is open`);
  }
  await closeAll(model.open, model, real);
  assertEquals(await server.stop(), 0);
  await requireLog(model, real, performance.now() - startedAt);
}

/** Compares the log of a server that has ended with what the model says. */
async function requireLog(model: Model, real: Real, storyMs: number): Promise<void> {
  const { server, workers, address, port, peers } = real;
  const facts = {
    nameOf: (listener: Listener) =>
      listener === "tcp" ? `tcp:${address}:${port}` : `unix:${socketOf(real, listener)}`,
    services: model.file.services,
    ...await peers.self(),
  };
  requireLines(server.log, model.decided, model.possible, facts, workers === 1, storyMs);
  decisions += model.decided.length;
  for (const { reason } of server.of("revoke")) add(`revoke ${reason}`);
  const errors = server.of("error").map(({ message }) => String(message));
  const others = errors.filter((one) => !/[Tt]he name service|knows no group/.test(one));
  assertEquals(others, model.errors);
}

/** The flags of some groups, in any order. */
const flagsOf = (names: string[], minLength: number) =>
  fc.shuffledSubarray(names, { minLength }).chain((some) =>
    fc.tuple(...some.map((name) => fc.tuple(fc.constant(name), fc.constantFrom(true, true, false))))
  );
const workers = fc.constantFrom(1, 2);
const SERVICES: readonly ServiceKind[] = ["console", "console", "forward", "forward", "exec"];
const service = fc.constantFrom(...SERVICES);
const plain = fc.record({
  workers,
  hasNames: fc.constant(false),
  groups: flagsOf(["staff", "lab"], 0),
  services: fc.record({
    narrow: fc.constantFrom<ServiceKind>(...SERVICES, "exec as the peer"),
    tcp: service,
  }),
});
const named = fc.record({
  workers,
  hasNames: fc.constant(true),
  groups: fc.tuple(flagsOf(["staff", "lab"], 0), flagsOf(["far", "near"], 2))
    .map(([own, others]) => [...own, ...others]),
  services: fc.record({ narrow: service, tcp: service }),
});

function storyOf(commands: fc.Arbitrary<Command>[]) {
  return fc.commands(commands, { maxCommands: 60, size: "max" });
}

/** Tells random stories, within the time that there is. */
async function tellAll(opening: fc.Arbitrary<Opening>, commands: fc.Arbitrary<Command>[]) {
  let until = performance.now() + TIME_LIMIT_MS;
  const property = fc.asyncProperty(opening, storyOf(commands), async (...story) => {
    if (performance.now() > until) return;
    try {
      await tell(...story);
    } catch (error) {
      until = Math.min(until, performance.now() + SHRINK_LIMIT_MS);
      if (ASKED_RUNS !== undefined) {
        console.log(`${JSON.stringify(story[0])} ${story[1]}\n${error}`);
      }
      throw error;
    }
  });
  await fc.assert(property, {
    numRuns: RUNS,
    ...SEED === undefined ? {} : { seed: Number(SEED) },
  });
  if (ASKED_RUNS === undefined) return;
  console.log(`${decisions} decisions`);
  for (const [kind, count] of [...steps].toSorted()) console.log(`${count} ${kind}`);
  steps.clear();
}

Deno.test("the server decides, revokes and logs as the model does (needs root)", {
  ignore: !isRoot,
}, () => tellAll(plain, COMMANDS));

Deno.test(
  "the server follows groups and accounts as the model does (needs root and libnss-ldapd)",
  remoteNames,
  () => tellAll(named, [...COMMANDS, ...NAME_COMMANDS]),
);

Deno.test(
  "a group that is removed while the name service fails ends its sessions (needs root and libnss-ldapd)",
  remoteNames,
  () =>
    tell({
      workers: 2,
      hasNames: true,
      groups: [["far", true], ["near", true]],
      services: { narrow: "forward", tcp: "console" },
    }, [
      // Has the group from elsewhere: no account of it changes.
      new Connect({ uid: 583, gids: [583, 2003] }, "open", true),
      new Connect({ uid: 583, gids: [583, 2003] }, "narrow", true),
      new SetAnswers(false),
      new SetGroupId(null, "SIGHUP"),
      new SetAnswers(true),
    ]),
);
