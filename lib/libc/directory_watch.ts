/**
 * What changes in directories, as the kernel says: `inotify(7)`.
 *
 * It says nothing of a file system that another machine or another mount writes to, nor of a store
 * to a mapped file. So nothing that is refused may rest on it.
 *
 * @module
 */
import { O_CLOEXEC, O_NONBLOCK } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

// linux/inotify.h
const IN_NONBLOCK = O_NONBLOCK;
const IN_CLOEXEC = O_CLOEXEC;
const IN_MODIFY = 0x2;
const IN_ATTRIB = 0x4;
const IN_CLOSE_WRITE = 0x8;
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE = 0x200;
const IN_DELETE_SELF = 0x400;
const IN_MOVE_SELF = 0x800;
const EVENTS = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE |
  IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;

/** The size of `struct inotify_event` without its name, in bytes. */
const EVENT_BYTES = 16;
/** At least one event with the longest name. */
const BUFFER_BYTES = 4096;

/** The directories of some files. */
export class DirectoryWatch {
  /** Null where the kernel has no instance left for this user. */
  readonly #descriptor: Descriptor | null;
  readonly #names = new Map<number, ReadonlySet<string>>();
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #words = new Uint32Array(this.#buffer.buffer);

  constructor() {
    const descriptor = libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    this.#descriptor = descriptor < 0 ? null : new Descriptor(descriptor);
  }

  /**
   * Watches a directory, where the kernel does. An event of another file in it is dropped.
   *
   * @param names Of the files in it.
   */
  add(directory: string, names: ReadonlySet<string>): void {
    if (this.#descriptor === null) return;
    const id = libc.inotify_add_watch(this.#descriptor.number, cString(directory), EVENTS);
    if (id < 0) return;
    // Two paths of one directory have one watch.
    this.#names.set(id, new Set([...this.#names.get(id) ?? [], ...names]));
  }

  /** Whether one of the files may have changed since the call before. Costs one `read(2)`. */
  hasChanged(): boolean {
    if (this.#descriptor === null) return false;
    let hasChanged = false;
    for (;;) {
      const count = libc.read(this.#descriptor.number, this.#buffer, BigInt(BUFFER_BYTES));
      if (count <= 0) return hasChanged;
      for (let at = 0; at < count;) {
        const [id, , , length] = this.#words.subarray(at / 4, at / 4 + 4) as unknown as number[];
        const names = this.#names.get(id!);
        const end = at + EVENT_BYTES + length!;
        // The directory itself, or more events than the kernel keeps.
        if (names === undefined || length === 0) hasChanged = true;
        else hasChanged ||= names.has(nameIn(this.#buffer.subarray(at + EVENT_BYTES, end)));
        at = end;
      }
    }
  }

  /** Ends the watch. */
  close(): void {
    if (this.#descriptor?.isOpen) this.#descriptor.close();
    this.#names.clear();
  }
}

/** A name, which is padded with NULs. */
function nameIn(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}
