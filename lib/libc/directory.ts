/**
 * A directory that is held open, and the files made in it.
 *
 * A path names another file as soon as somebody who owns a part of it says so. What is done here is done
 * to the directory and the file that were opened, whatever has become of their names meanwhile.
 *
 * @module
 */
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { descriptorStatus, type FileStatus } from "./files.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

const O_WRONLY = 1;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
// These two are numbered by the architecture (asm/fcntl.h).
const O_DIRECTORY = Deno.build.arch === "x86_64" ? 0o200000 : 0o40000;
const O_NOFOLLOW = Deno.build.arch === "x86_64" ? 0o400000 : 0o100000;

const ENODATA = 61;
const EOPNOTSUPP = 95;

/** What of a file is neither its content nor its mode: access control lists (`acl(5)`), SELinux labels. */
const ATTRIBUTES = ["system.posix_acl_access", "security.selinux"] as const;
/** The largest value of an extended attribute (`xattr(7)`). */
const LARGEST_ATTRIBUTE = 65_536;

/** A directory. Names are those of entries: no slash in them. */
export class Directory {
  readonly #descriptor: Descriptor;

  /**
   * Opens it.
   *
   * @param path Links are followed, except in the last part.
   * @throws {SystemError} `ENOTDIR` when that is not a directory, or the system's refusal.
   */
  constructor(path: string) {
    const flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    this.#descriptor = new Descriptor(check("open", libc.open(cString(path), flags, 0)));
  }

  /** Its owner and mode. */
  status(): FileStatus {
    return descriptorStatus(this.#descriptor);
  }

  /**
   * Makes a file in it, for writing.
   *
   * @throws {SystemError} `EEXIST` when there is one, or a link, of that name.
   */
  create(name: string, mode: number): DirectoryFile {
    return this.#open(name, O_WRONLY | O_CREAT | O_EXCL, mode);
  }

  /**
   * Opens a file in it, for reading. A FIFO without a writer is not waited for.
   *
   * @throws {SystemError} `ELOOP` for a link, `ENOENT` when there is none.
   */
  open(name: string): DirectoryFile {
    return this.#open(name, O_NONBLOCK, 0);
  }

  #open(name: string, flags: number, mode: number): DirectoryFile {
    const all = flags | O_NOFOLLOW | O_CLOEXEC;
    const number = libc.openat(this.#descriptor.number, cString(name), all, mode);
    return new DirectoryFile(new Descriptor(check("open", number)));
  }

  /** Gives an entry another name, in the place of what has that name (`rename(2)`). */
  rename(from: string, to: string): void {
    const { number } = this.#descriptor;
    check("rename", libc.renameat(number, cString(from), number, cString(to)));
  }

  /** Removes a name, where there is one. */
  remove(name: string): void {
    if (libc.unlinkat(this.#descriptor.number, cString(name), 0) === 0) return;
    const number = errno();
    if (number !== Errno.ENOENT) throw new SystemError("unlink", number);
  }

  /** Makes its entries durable (`fsync(2)`). */
  sync(): void {
    check("fsync", libc.fsync(this.#descriptor.number));
  }

  /** Closes at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.#descriptor.close();
  }
}

/** A file in a {@linkcode Directory}. */
export class DirectoryFile {
  readonly #descriptor: Descriptor;

  /** @param descriptor The open file; owned from now on. */
  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
  }

  /** Its owner and mode. */
  status(): FileStatus {
    return descriptorStatus(this.#descriptor);
  }

  /** Writes all of some bytes. */
  write(bytes: Uint8Array<ArrayBuffer>): void {
    for (let rest = bytes; rest.length > 0;) {
      const count = libc.write(this.#descriptor.number, rest, BigInt(rest.length));
      rest = rest.subarray(check("write", count));
    }
  }

  /** Changes the permission bits. */
  chmod(mode: number): void {
    check("fchmod", libc.fchmod(this.#descriptor.number, mode));
  }

  /**
   * Makes its owner, group, permission bits, access control list and label those of another file.
   *
   * @param other The file it is to be like.
   * @param most The permission bits it may have at most.
   * @throws {SystemError} When one of them cannot be had. The file is not to be used then.
   */
  resemble(other: DirectoryFile, most: number): void {
    const { uid, gid, mode } = other.status();
    const made = this.status();
    const { number } = this.#descriptor;
    if (made.uid !== uid || made.gid !== gid) check("fchown", libc.fchown(number, uid, gid));
    for (const name of ATTRIBUTES) this.#copyAttribute(cString(name), other);
    // Last: a list brings a mode of its own, and the mode bounds what the list grants (acl(5)).
    this.chmod(mode & most);
  }

  #copyAttribute(name: Uint8Array<ArrayBuffer>, from: DirectoryFile): void {
    const wanted = from.#attribute(name);
    const own = this.#attribute(name);
    if (wanted === null) {
      // The directory may have handed down a list that the old file did not have.
      if (own !== null) check("fremovexattr", libc.fremovexattr(this.#descriptor.number, name));
    } else if (own === null || !equal(own, wanted)) {
      const size = BigInt(wanted.length);
      check("fsetxattr", libc.fsetxattr(this.#descriptor.number, name, wanted, size, 0));
    }
  }

  #attribute(name: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | null {
    const value = new Uint8Array(LARGEST_ATTRIBUTE);
    const size = libc.fgetxattr(this.#descriptor.number, name, value, BigInt(value.length));
    if (size >= 0) return value.subarray(0, size);
    const number = errno();
    if (number === ENODATA || number === EOPNOTSUPP) return null;
    throw new SystemError("fgetxattr", number);
  }

  /** Makes its content durable (`fsync(2)`). */
  sync(): void {
    check("fsync", libc.fsync(this.#descriptor.number));
  }

  /** Closes at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.#descriptor.close();
  }
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
