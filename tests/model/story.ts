/** What a story is told with: the model of the server, the real one, and what is said of both. */
import type { RunningServer } from "../support/program.ts";
import type { Outcome } from "../support/program.ts";
import {
  type AccessFile,
  admitted,
  type Expected,
  expected,
  type Listener,
  type NameFacts,
  type Origin,
  type Peer,
  type Secrets,
  type ServiceKind,
} from "./access_model.ts";
import { configuredUser, type Decided, type PossibleDenial } from "./audit_lines.ts";
import { type ModelNames, NO_NAMES } from "./model_names.ts";
import type { Peers } from "./peers.ts";
import { serviceText } from "./services.ts";
import type { StoryDirectory } from "./story_directory.ts";

export const UIDS: Readonly<Record<string, number>> = { alice: 578, bob: 579, carol: 580 };
/** The groups whose gids stand in the file. */
export const GIDS: Readonly<Record<string, number>> = { staff: 2001, lab: 2002 };
export const ROOT: Peer = { uid: 0, gids: [0] };
export const PEERS: readonly Peer[] = [
  ...Object.values(UIDS).map((uid) => ({ uid, gids: [uid] })),
  { uid: 579, gids: [579, 2003] },
  { uid: 580, gids: [2001, 2004] },
  { uid: 581, gids: [581, 2001] },
  { uid: 581, gids: [581, 2003] },
  { uid: 581, gids: [2003, 2004] },
  { uid: 582, gids: [2002, 2001, 2005] },
  { uid: 583, gids: [583] },
  ROOT,
];
/** The key of carol that stands in the directory of keys, or does not. */
export const COPIED = "copied";
/** The key that `keys rotate` has made last. */
export const NEXT = "next";
export const ENTRY_KEYS = ["admin", "k1", "k2"];
/** The keys whose files there are when a story begins. */
export const FIRST_KEYS = [...ENTRY_KEYS, COPIED];
export const KEYS = [...FIRST_KEYS, NEXT];

/** Limits that no story reaches. */
const WIDE = { all: 1024, perUser: 256 };

/** A session that must be open. */
export interface OpenSession {
  readonly id: string;
  readonly origin: Origin;
  readonly identity: string;
  readonly uid: number;
  /** The groups of its account that were known first; null before. */
  first: readonly number[] | null;
}

export interface Model {
  readonly file: AccessFile;
  /** Null in a story without a name service. */
  readonly names: ModelNames | null;
  readonly secrets: Secrets;
  open: OpenSession[];
  /** What was decided about each connection, in this order. */
  readonly decided: Decided[];
  /**
   * The lines that may be there beside them, of several data planes: one that learns of a removed
   * listener by a connection denies it.
   */
  readonly possible: PossibleDenial[];
  /** Whether a data plane may not know yet that a listener was removed. */
  isRemoving: boolean;
  /** The lines of the log that say what went wrong. */
  readonly errors: string[];
  /** How many sessions have ended. */
  closed: number;
}

/** The server, and what drives it. */
export interface Real {
  readonly server: RunningServer;
  /** The name service of a story that has one. */
  readonly directory: StoryDirectory | null;
  readonly peers: Peers;
  /** A path in the directory of the story. */
  path(name: string): string;
  /** Runs `ipcauth` with arguments. */
  run(args: readonly string[]): Promise<Outcome>;
  readonly config: string;
  /** How many data planes there are. */
  readonly workers: number;
  /** Of the listener with keys: an address of this story alone. */
  readonly address: string;
  readonly port: number;
  /** Key files of earlier secrets. */
  readonly old: Map<string, Uint8Array>;
  /** The files of keys that have other names. */
  readonly keyFiles: Map<string, string>;
  count: number;
}

/** The id of a session of root that is open all the time. */
const WATCH = "watch";

/**
 * @param groups Their flags, in the order of the file.
 * @param services Those of the listeners but the open one.
 */
export function newModel(
  groups: readonly (readonly [string, boolean])[],
  services: Readonly<Record<"narrow" | "tcp", ServiceKind>>,
  names: ModelNames | null,
): Model {
  return {
    file: {
      users: new Map([
        ["alice", { uid: 578, access: false }],
        ["bob", { uid: 579, access: true }],
      ]),
      groups: new Map(groups.map(([name, access]) => [name, { gid: GIDS[name] ?? null, access }])),
      listeners: new Set(["open", "narrow", "tcp"]),
      services: { open: "console", ...services },
      lists: { narrow: null, tcp: null },
      limits: WIDE,
      keys: new Map([["admin", { user: null }], ["k1", { user: "bob" }]]),
      directoryEnd: undefined,
    },
    names,
    secrets: new Map(FIRST_KEYS.map((key) => [key, 1])),
    open: [],
    decided: [],
    possible: [],
    errors: [],
    isRemoving: false,
    closed: 0,
  };
}

export function socketOf(real: Real, listener: "open" | "narrow"): string {
  return real.path(`${listener}.sock`);
}

/** The file of a key, for the server's configuration and for the client that holds it. */
export function keyFile({ path, keyFiles }: Pick<Real, "path" | "keyFiles">, key: string): string {
  return keyFiles.get(key) ?? path(`${key}.key`);
}

/** The file of a model as YAML. @param refresh How old an answer of the name service may be. */
export function textOf(
  file: AccessFile,
  real: Pick<Real, "path" | "keyFiles" | "address" | "port">,
  refresh = "1h",
): string {
  const list = (lines: string[]) => lines.length === 0 ? " []\n" : `\n${lines.join("")}`;
  const { listeners, users, groups, lists, keys, limits } = file;
  const service = (listener: Listener) =>
    serviceText(file.services[listener], real.path("backend.sock"));
  const narrow = `  - { unix: ${real.path("narrow.sock")}, service: ${service("narrow")}${
    lists.narrow === null ? "" : `, allow: ${JSON.stringify(lists.narrow)}`
  } }\n`;
  const entries = [...keys].filter(([, { isInDirectory }]) => !isInDirectory);
  const tcp = `  - tcp: ${real.address}:${real.port}
    service: ${service("tcp")}
${lists.tcp === null ? "" : `    allow: ${JSON.stringify(lists.tcp)}\n`}    keys:
${
    entries.map(([name, { user, notAfter }]) =>
      `      - { file: ${keyFile(real, name)}${user === null ? "" : `, user: ${user}`}${
        notAfter === undefined ? "" : `, not_after: ${new Date(notAfter).toISOString()}`
      } }\n`
    ).join("")
  }      - { dir: ${real.path("keys.d")} }\n`;
  return `listeners:
  - { unix: ${real.path("open.sock")}, service: console }
${listeners.has("narrow") ? narrow : ""}${listeners.has("tcp") ? tcp : ""}users:${
    list([...users].map(([name, { uid, access }]) =>
      `  - { name: ${name}, uid: ${uid}, local_ipc_access: ${access} }\n`
    ))
  }groups:${
    list([...groups].map(([name, { gid, access }]) =>
      `  - { name: ${name}${gid === null ? "" : `, gid: ${gid}`}, local_ipc_access: ${access} }\n`
    ))
  }limits: { max_connections: ${limits.all}, max_connections_per_user: ${limits.perUser} }
directory: { refresh: ${refresh} }
`;
}

/** When a decision is made. */
export interface Moment {
  /** What is known of the name service. */
  readonly known: NameFacts;
  /** The time of day, in milliseconds since the epoch. */
  readonly at: number;
}

/**
 * What must be decided about a new connection.
 *
 * @param more Sessions that are open beside.
 * @param moment Now, where nothing else is said.
 */
export function decide(
  { file, names, secrets, open }: Model,
  origin: Origin,
  more: readonly OpenSession[] = [],
  { known = (names ?? NO_NAMES).now, at = Date.now() }: Partial<Moment> = {},
): Expected {
  return admitted(file, known, secrets, origin, [...open, ...more], at);
}

/** The same where there is a place for it. */
export function decideWithPlace({ file, names, secrets }: Model, origin: Origin): Expected {
  return expected(file, (names ?? NO_NAMES).now, secrets, origin);
}

/** What must be decided about a session that is open. */
export function decideAgain({ file, names, secrets }: Model, session: OpenSession): Expected {
  const last: NameFacts = (names ?? NO_NAMES).last;
  return expected(file, last, secrets, session.origin, session);
}

/** Why a session may not go on; null where it may. */
export function revocationOf(model: Model, session: OpenSession): string | null {
  const now = decideAgain(model, session);
  if (!now.allow) return now.reason;
  return now.identity === session.identity ? null : "identity-changed";
}

/** Waits until the server has ended the sessions that may not go on. */
export async function endDenied(model: Model, real: Real): Promise<void> {
  const open: OpenSession[] = [];
  for (const session of model.open) {
    const reason = revocationOf(model, session);
    if (reason === null) open.push(session);
    else endIn(model, real, session.id, "revoked", reason);
  }
  const ending = model.open.filter((session) => !open.includes(session));
  for (const { id } of ending) await real.peers.ended(id);
  model.open = open;
  await closed(model, real, ending.length);
}

/** Waits until the places of sessions that end are free. */
export async function closed(model: Model, { server }: Real, count: number): Promise<void> {
  model.closed += count;
  await server.events("close", model.closed);
}

export async function closeAll(sessions: OpenSession[], model: Model, real: Real): Promise<void> {
  for (const { id, origin } of sessions) {
    await real.peers.close(id);
    // A client that holds a key, and closes without a word, has not said that this is all.
    endIn(model, real, id, origin.listener === "tcp" ? "truncated" : "end");
  }
  await closed(model, real, sessions.length);
}

/** Notes what the log must say of a decision about a client. */
export function note(
  model: Model,
  { peers }: Real,
  decision: Expected,
  origin: Origin,
  id: string,
): void {
  if (decision.reason !== "no-listener") {
    const configured = configuredUser(model.file, origin);
    return void model.decided.push({ origin, decision, configured, seen: peers.seen(id) });
  }
  if (!model.isRemoving) return;
  model.possible.push({ origin, reason: "not-on-listener" });
  // The keys of a listener that is gone are none.
  if (origin.listener === "tcp") model.possible.push({ origin, reason: "bad-key" });
}

/** Notes what the log must say of the end of a session. */
export function endIn(
  { decided }: Model,
  { peers }: Real,
  id: string,
  close: string,
  revoke?: string,
): void {
  const seen = peers.seen(id);
  const session = decided.findLast((one) => one.seen === seen)!;
  Object.assign(session, revoke === undefined ? { close } : { close, revoke });
}

/** Opens the session that {@linkcode settlePlanes} asks. */
export async function watch(model: Model, real: Real): Promise<void> {
  const origin: Origin = { listener: "open", peer: { uid: 0, gids: [0] } };
  const decision = decide(model, origin);
  if (!decision.allow || !await real.peers.open(WATCH, socketOf(real, "open"), origin.peer)) {
    throw new Error("root is not let in");
  }
  note(model, real, decision, origin, WATCH);
  model.open.push({ id: WATCH, origin, ...decision, first: null });
}

/** Waits until each data plane has handled what the control plane has told it. */
export function settlePlanes(real: Real): Promise<void> {
  // The numbers of sessions are asked of each of them.
  return ask(real, { method: "stats" });
}

/** Asks in root's session. */
export async function ask({ peers }: Real, request: unknown): Promise<void> {
  if (!await peers.ask(WATCH, request)) throw new Error("root's session has ended");
}

/** Notes the groups of the accounts of sessions, where they are known at last. */
export function followGroups({ open, names }: Model): void {
  for (const session of open) session.first ??= names?.now.groupsOf(session.uid) ?? null;
}

/** Some sessions that their clients may close. */
export function takeOpen(model: Model, count: number): OpenSession[] {
  const taken = model.open.filter(({ id }) => id !== WATCH).slice(0, count);
  model.open = model.open.filter((session) => !taken.includes(session));
  return taken;
}
