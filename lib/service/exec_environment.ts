/**
 * The environment of a program that is started for a peer: pure.
 *
 * The names are those of UCSPI tools (`s6-ipcserver`, `ipcserver`), so what was written for them runs here.
 *
 * @module
 */
import { NO_CACHE } from "../config/locate.ts";
import type { Account } from "../libc/ids.ts";

/** A variable as the C library has it: `NAME=VALUE` and a NUL. */
export type Variable = Uint8Array<ArrayBuffer>;

/**
 * What looks like something about a peer, and was not said by us, and what a service manager has told the server
 * and nobody else (`sd_notify(3)`, `sd_listen_fds(3)`).
 */
const NOT_INHERITED =
  /^(PROTO|(IPC|UNIX|TCP6?|SSL|UDP)(REMOTE|LOCAL|CONNNUM).*|REMOTE_.*|IPCAUTH_(USER|PID|UID|GID|KEY|KEY_ID|SESSION)|NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*)$/;

/** The variables that a login sets (`login(1)`). */
const OF_A_USER = /^(HOME|USER|LOGNAME|SHELL|MAIL|XDG_.*)$/;

/**
 * The variables of the server that a program inherits.
 *
 * @param block The server's environment as the kernel shows it: each variable ends with a NUL.
 * @param becomes Whether it runs as somebody else: then those of the server's user are left out, too.
 */
export function inherited(block: Uint8Array<ArrayBuffer>, becomes: boolean): readonly Variable[] {
  const decoder = new TextDecoder("latin1");
  const variables: Variable[] = [];
  for (let start = 0; start < block.length;) {
    const end = block.indexOf(0, start) + 1 || block.length;
    const variable = block.slice(start, end);
    start = end;
    const equals = variable.indexOf("=".charCodeAt(0));
    if (equals <= 0) continue;
    const name = decoder.decode(variable.subarray(0, equals));
    // Where a launcher found no home to keep a cache in, that is its own affair.
    if (decoder.decode(variable) === `${NO_CACHE.name}=${NO_CACHE.value}\0`) continue;
    if (NOT_INHERITED.test(name) || becomes && OF_A_USER.test(name)) continue;
    variables.push(variable);
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
