/**
 * The environment of a program that is started for a peer: pure.
 *
 * The names are those of UCSPI tools (`s6-ipcserver`, `ipcserver`), so what was written for them runs here.
 *
 * @module
 */
import { callersName, LIST, namesIn } from "../../config/launcher_environment.ts";
import type { Account } from "../../libc/ids.ts";

/** A variable as the C library has it: `NAME=VALUE` and a NUL. */
export type Variable = Uint8Array<ArrayBuffer>;

/**
 * What looks like something about a peer, and was not said by us (of our own names, all but the settings), and what a service manager has told the server
 * and nobody else (`sd_notify(3)`, `sd_listen_fds(3)`).
 */
const NOT_INHERITED =
  /^(PROTO|(IPC|UNIX|TCP6?|SSL|UDP)(REMOTE|LOCAL|CONNNUM).*|REMOTE_.*|IPCAUTH_(?!(ADDR|CONFIG|KEY_FILE|PATH|PORT)$).*|NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*)$/;

/** The variables that a login sets (`login(1)`). */
const OF_A_USER = /^(HOME|USER|LOGNAME|SHELL|MAIL|XDG_.*)$/;

/**
 * The variables of the server that a program inherits: what a launcher has hidden from the server's own runtime, too.
 *
 * @param block The server's environment as the kernel shows it: each variable ends with a NUL.
 * @param becomes Whether it runs as somebody else: then those of the server's user are left out, too.
 */
export function inherited(block: Uint8Array<ArrayBuffer>, becomes: boolean): readonly Variable[] {
  const all = variablesOf(block);
  const list = all.find(({ name }) => name === LIST)?.value;
  const hidden = list === undefined ? null : namesIn(list);
  const variables: Variable[] = [];
  for (const { name, bytes } of all) {
    const own = hidden === null ? name : callersName(name, hidden);
    if (own === null || NOT_INHERITED.test(own) || becomes && OF_A_USER.test(own)) continue;
    // A hidden name is the caller's own behind a prefix.
    variables.push(bytes.slice(name.length - own.length));
  }
  return variables;
}

/** Each variable of a block, in its order; the texts are Latin-1, a byte a character. */
function variablesOf(block: Uint8Array<ArrayBuffer>) {
  const decoder = new TextDecoder("latin1");
  const variables: { name: string; value: string; bytes: Variable }[] = [];
  for (let start = 0; start < block.length;) {
    const end = block.indexOf(0, start) + 1 || block.length;
    const bytes = block.subarray(start, end);
    start = end;
    const text = decoder.decode(bytes);
    const equals = text.indexOf("=");
    if (equals <= 0) continue;
    const value = text.slice(equals + 1).replace(/\0$/, "");
    variables.push({ name: text.slice(0, equals), value, bytes });
  }
  return variables;
}

/** What is said of a peer. What is unknown is empty, and never another's. */
export interface PeerFacts {
  readonly user: string;
  readonly uid: number;
  readonly gid: number | null;
  readonly pid: number | null;
  readonly keyId: string | null;
  /** The path that a Unix peer has bound its socket to, or `HOST:PORT`. */
  readonly remote: string;
  /** The path of the listener's socket, or `HOST:PORT`. */
  readonly local: string;
  /** How many connections the same uid has now, this one included. */
  readonly connections: number;
}

/** The variables about a peer, without their NULs. */
export function peerVariables(peer: PeerFacts): readonly string[] {
  return [
    "PROTO=IPC",
    `IPCREMOTEEUID=${peer.uid}`,
    `IPCREMOTEEGID=${peer.gid ?? ""}`,
    `IPCREMOTEPATH=${peer.remote}`,
    `IPCLOCALPATH=${peer.local}`,
    `IPCCONNNUM=${peer.connections}`,
    `IPCAUTH_USER=${peer.user}`,
    `IPCAUTH_PID=${peer.pid ?? ""}`,
    `IPCAUTH_KEY_ID=${peer.keyId ?? ""}`,
  ];
}

/** The variables of the user a program runs as; someone without an account has no home. */
export function userVariables(account: Account | null): readonly string[] {
  if (account === null) return ["HOME=/"];
  return [
    `HOME=${account.home || "/"}`,
    `USER=${account.name}`,
    `LOGNAME=${account.name}`,
    `SHELL=${account.shell || "/bin/sh"}`,
  ];
}
