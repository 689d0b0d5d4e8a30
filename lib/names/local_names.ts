/**
 * The names that stand in the machine's own files, which are read at once while a directory on the
 * network does not answer. Nothing but the order of questions depends on it.
 *
 * @module
 */
import { SystemError } from "../libc/errno.ts";
import { readProcBytes } from "../libc/read_file.ts";
import type { LookupRequest } from "./results.ts";

/** How often a file is read again, at most, in milliseconds. */
const READ_INTERVAL_MS = 10_000;

/** Knows which questions a local file answers, where `nsswitch.conf(5)` names `files` first. */
export class LocalNames {
  readonly #groups: NameFile;
  readonly #users: NameFile;

  /** @param directory Where `group` and `passwd` are. */
  constructor(directory = "/etc") {
    this.#groups = new NameFile(`${directory}/group`);
    this.#users = new NameFile(`${directory}/passwd`);
  }

  /** Whether the name of a group or a user has an entry. Groups of an account may be anywhere. */
  has(request: LookupRequest): boolean {
    if (request.kind === "group") return this.#groups.has(request.name);
    return request.kind === "user" && this.#users.has(request.name);
  }
}

/** The names of a file like `group(5)` or `passwd(5)`. */
class NameFile {
  readonly #path: string;
  #names: ReadonlySet<string> = new Set();
  #readAt = -Infinity;

  constructor(path: string) {
    this.#path = path;
  }

  has(name: string): boolean {
    const now = performance.now();
    if (now - this.#readAt >= READ_INTERVAL_MS) {
      this.#readAt = now;
      this.#names = namesIn(this.#path);
    }
    return this.#names.has(name);
  }
}

/** The first fields of the lines; none where the file cannot be read. */
function namesIn(path: string): ReadonlySet<string> {
  try {
    const text = new TextDecoder().decode(readProcBytes(path));
    return new Set(text.split("\n").map((line) => line.split(":", 1)[0]!));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return new Set();
  }
}
