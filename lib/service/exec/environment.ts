/**
 * The environment of a program that is started for a client: pure.
 *
 * The names are those of UCSPI tools (`s6-ipcserver`, `ipcserver`), so programs written for them
 * work.
 *
 * @module
 */
import { callersName, LIST, namesIn } from "../../config/launcher_environment.ts";
import type { Account } from "../../libc/ids.ts";

/** A variable in the C library's form: `NAME=VALUE` and a NUL. */
export type Variable = Uint8Array<ArrayBuffer>;

/**
 * Variables that a program never inherits: those that look like facts about a peer, all IPCAUTH_
 * names but the settings, and what a service manager passed to the server alone (`sd_notify(3)`,
 * `sd_listen_fds(3)`).
 */
const NOT_INHERITED = new RegExp(
  "^(PROTO|(IPC|UNIX|TCP6?|SSL|UDP)(REMOTE|LOCAL|CONNNUM).*|REMOTE_.*" +
    "|IPCAUTH_(?!(ADDR|CONFIG|KEY_FILE|PATH|PORT)$).*|NOTIFY_SOCKET|WATCHDOG_.*|LISTEN_.*)$",
);

/** The variables that a login sets (`login(1)`). */
const OF_A_USER = /^(HOME|USER|LOGNAME|USERNAME|SHELL|MAIL|DBUS_SESSION_BUS_ADDRESS|XDG_.*)$/;

/**
 * The server's variables that a program inherits, including those that a launcher has hidden from
 * the server's runtime.
 *
 * @param block The server's environment as in `/proc/PID/environ`: each variable ends with a NUL.
 * @param otherUser Whether the program runs as another user than the server: then those of the
 * server's user are left out.
 */
export function inherited(
  block: Uint8Array<ArrayBuffer>,
  otherUser: boolean,
): readonly Variable[] {
  const all = variablesOf(block);
  const list = all.find(({ name }) => name === LIST)?.value;
  const hidden = list === undefined ? null : namesIn(list);
  const variables: Variable[] = [];
  for (const { name, bytes } of all) {
    const own = hidden === null ? name : callersName(name, hidden);
    if (own === null || NOT_INHERITED.test(own) || otherUser && OF_A_USER.test(own)) continue;
    // A hidden variable is the caller's own behind a prefix.
    variables.push(bytes.slice(name.length - own.length));
  }
  return variables;
}

/** The variables of a block, in order. Names and values are Latin-1, one byte a character. */
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

/** What a program is told of the client. An unknown value is empty, never another client's. */
export interface PeerFacts {
  readonly user: string;
  readonly uid: number;
  readonly gid: number | null;
  readonly pid: number | null;
  readonly keyId: string | null;
  /** The path that a Unix client has bound its socket to, or `HOST:PORT`. */
  readonly remote: string;
  /** The path of the listener's socket, or `HOST:PORT`. */
  readonly local: string;
  /** The number of open connections of the same uid, including this one. */
  readonly connections: number;
}

/** The variables about the client, without their NULs. */
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

/**
 * The variables of the user that a program runs as. A uid without an account has no home directory.
 */
export function userVariables(account: Account | null): readonly string[] {
  if (account === null) return ["HOME=/"];
  return [
    `HOME=${account.home || "/"}`,
    `USER=${account.name}`,
    `LOGNAME=${account.name}`,
    `SHELL=${account.shell || "/bin/sh"}`,
  ];
}
