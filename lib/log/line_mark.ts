/**
 * On behalf of which client a line of the log is written.
 *
 * @module
 */
import { sourceNetwork } from "../net/source_network.ts";
import type { AuditEvent } from "./audit_event.ts";

/** All clients that are no configured user. */
const UNLISTED = "unlisted";
/** The server itself. */
const SERVER = ["server"];

/** What a mark says of a line. */
export interface LineMark {
  /** Whether it is the standard error of a program. */
  readonly isStderr: boolean;
  /** As {@linkcode subjectsOf}. */
  readonly subjects: readonly string[];
}

/**
 * The subjects that an event counts for where space is short: the client's user; where that is not
 * known, its uid or address, and all such clients together.
 *
 * @returns One name, or two: the second has its part of the first one's share.
 */
export function subjectsOf(
  { user, peer, remote }: Pick<AuditEvent, "user" | "peer" | "remote">,
): readonly string[] {
  if (user) return [`user ${user}`];
  if (peer) return [UNLISTED, `uid ${peer.uid}`];
  if (remote) return [UNLISTED, sourceNetwork(hostOf(remote))];
  return SERVER;
}

/** The host of `HOST:PORT` or `[HOST]:PORT`. */
function hostOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
}

/** The mark of a line that has none. */
export const UNMARKED: LineMark = { isStderr: false, subjects: SERVER };

/**
 * The marks of lines as text, which goes with the lines and is read where space is short alone: for
 * each run of lines with the same mark their number, `!` for standard error or `:`, and the
 * subjects between tabs.
 */
export class MarkList {
  #text = "";
  #count = 0;
  #user: string | null = null;
  #mark = "";

  /** Adds the mark of an event's line. */
  add(event: AuditEvent): void {
    const isStderr = event.event === "stderr";
    if (this.#count > 0 && !isStderr && event.user && event.user === this.#user) {
      this.#count++;
      return;
    }
    // Subjects are only compared, so what divides them may become a blank.
    const subjects = subjectsOf(event).map((subject) => subject.replaceAll(/[\t\n]/g, " "));
    const mark = `${isStderr ? "!" : ":"}${subjects.join("\t")}\n`;
    if (mark !== this.#mark) this.#end();
    this.#mark = mark;
    this.#count++;
    this.#user = isStderr ? null : event.user ?? null;
  }

  /** The marks since the last call. */
  take(): string {
    this.#end();
    const text = this.#text;
    this.#text = "";
    return text;
  }

  #end(): void {
    if (this.#count > 0) this.#text += `${this.#count}${this.#mark}`;
    this.#count = 0;
    this.#user = null;
    this.#mark = "";
  }
}

/** The marks of one line. */
export function lineMark(event: AuditEvent): string {
  const writer = new MarkList();
  writer.add(event);
  return writer.take();
}

/** Reads the marks of lines: one for each line. */
export function readMarks(marks: string): LineMark[] {
  return marks.split("\n").slice(0, -1).flatMap((run) => {
    const [, count, kind, subjects] = /^([0-9]+)([!:])([^]*)$/.exec(run)!;
    const mark = { isStderr: kind === "!", subjects: subjects!.split("\t") };
    return Array<LineMark>(Number(count)).fill(mark);
  });
}

/** The marks without those of the first lines. */
export function marksAfter(marks: string, lines: number): string {
  let rest = marks;
  for (let left = lines; left > 0 && rest !== "";) {
    const count = Number.parseInt(rest, 10);
    if (count > left) return `${count - left}${rest.slice(String(count).length)}`;
    left -= count;
    rest = rest.slice(rest.indexOf("\n") + 1);
  }
  return rest;
}

/** How many lines the marks are of. */
export function countMarks(marks: string): number {
  let count = 0;
  for (let at = 0; at < marks.length; at = marks.indexOf("\n", at) + 1) {
    count += Number.parseInt(marks.slice(at, at + 16), 10);
  }
  return count;
}
