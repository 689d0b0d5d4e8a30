/**
 * The log of a tunnel: the events of its connections, in the form of a server's.
 *
 * @module
 */
import type { Failure } from "../errors.ts";
import type { Descriptor } from "../libc/descriptor.ts";
import { hostPortText, remoteAddress } from "../libc/inet_address.ts";
import { peerCredentials, ucred } from "../libc/peer_credentials.ts";
import type { AuditEvent } from "../log/audit_event.ts";
import { type AuditFormat, LineFormatter } from "../log/line_formatter.ts";
import type { Reactor } from "../reactor/reactor.ts";

/** How long lines are collected before they are handed on together, in milliseconds. */
const COLLECT_MS = 20;

/** A connection, as each of its lines names it. */
export type TunnelSubject = Pick<
  AuditEvent,
  "listener" | "session" | "peer" | "remote" | "key" | "user" | "trace" | "server"
>;

/** Makes the lines of a tunnel and hands them on, several at once. */
export class TunnelLog {
  readonly #reactor: Reactor;
  readonly #formatter: LineFormatter | null;
  readonly #write: (lines: string) => void;
  #lines = "";

  /**
   * @param format Null where only messages for a person are written.
   * @param write Receives lines, each with its newline.
   */
  constructor(reactor: Reactor, format: AuditFormat | null, write: (lines: string) => void) {
    this.#reactor = reactor;
    this.#formatter = format === null ? null : new LineFormatter(format);
    this.#write = write;
  }

  /** Whether connections are logged: who connects is looked up for it. */
  get isOn(): boolean {
    return this.#formatter !== null;
  }

  /** Whether errors are lines of the log, not messages for a person. */
  get isJson(): boolean {
    return this.#formatter?.format.format === "json";
  }

  /** Adds the line of an event, where the level has it. */
  add(event: Omit<AuditEvent, "time">): void {
    const line = this.#formatter?.lineOf({ ...event, time: Date.now() }) ?? null;
    if (line === null) return;
    if (this.#lines === "") this.#reactor.after(COLLECT_MS, () => this.flush());
    this.#lines += line;
  }

  /** Hands on what was collected. */
  flush(): void {
    const lines = this.#lines;
    this.#lines = "";
    if (lines !== "") this.#write(lines);
  }
}

/** The facts of a client of the tunnel's socket. */
export function localClient(
  socket: Descriptor,
  kind: "unix" | "tcp",
): Pick<AuditEvent, "peer" | "remote"> {
  if (kind === "tcp") {
    const address = remoteAddress(socket);
    return { remote: address === null ? undefined : hostPortText(address) };
  }
  if (!peerCredentials(socket)) return {};
  return { peer: { pid: ucred.pid, uid: ucred.uid, gid: ucred.gid, exe: null } };
}

/** A failure as one sentence of the log. */
export function failureText({ lines, hint }: Pick<Failure, "lines" | "hint">): string {
  return lines.join("; ") + (hint === undefined ? "" : `; hint: ${hint}`);
}
