/**
 * A directory that is held open, and the files in it.
 *
 * The owner of any part of a path can make it name another file. All that is done here is done to
 * the directory and the file that were opened, even when their names have changed.
 *
 * @module
 */
import {
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
} from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, errno, SystemError } from "./errno.ts";
import { descriptorStatus, type FileStatus } from "./file_status.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";

// asm-generic/errno.h
const ENODATA = 61;
const EOPNOTSUPP = 95;

/** Extended attributes that carry rights: access control lists (`acl(5)`) and SELinux labels. */
const ATTRIBUTES = ["system.posix_acl_access", "security.selinux"] as const;
/** The longest value of an extended attribute: `XATTR_SIZE_MAX` of linux/limits.h. */
const MAX_ATTRIBUTE_BYTES = 65_536;

/** An open directory. The names that its methods take are those of entries, without a slash. */
export class Directory {
  readonly #descriptor: Descriptor;

  /**
   * Opens the directory.
   *
   * @param path Symbolic links are followed, except in the last part.
   * @throws {SystemError} `ENOTDIR` when it is no directory, and others of `open(2)`.
   */
  constructor(path: string) {
    const flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    this.#descriptor = new Descriptor(check("open", libc.open(cString(path), flags, 0)));
  }

  /**
   * Reads the status of the directory.
   *
   * @throws {SystemError} When it cannot be read.
   */
  status(): FileStatus {
    return descriptorStatus(this.#descriptor);
  }

  /**
   * Makes a file for writing.
   *
   * @param name Of the new entry.
   * @param mode The permission bits, before the umask.
   * @throws {SystemError} `EEXIST` when there is an entry of this name, be it a symbolic link.
   */
  create(name: string, mode: number): DirectoryFile {
    return this.#open(name, O_WRONLY | O_CREAT | O_EXCL, mode);
  }

  /**
   * Opens a file for reading. The call does not wait for the writer of a FIFO.
   *
   * @throws {SystemError} `ELOOP` for a symbolic link, `ENOENT` when there is no entry of this
   * name.
   */
  open(name: string): DirectoryFile {
    return this.#open(name, O_RDONLY | O_NONBLOCK, 0);
  }

  #open(name: string, flags: number, mode: number): DirectoryFile {
    const all = flags | O_NOFOLLOW | O_CLOEXEC;
    const number = libc.openat(this.#descriptor.number, cString(name), all, mode);
    return new DirectoryFile(new Descriptor(check("open", number)));
  }

  /**
   * Renames an entry, and replaces an entry of the new name (`rename(2)`).
   *
   * @throws {SystemError} When the kernel does not allow it.
   */
  rename(from: string, to: string): void {
    const { number } = this.#descriptor;
    check("rename", libc.renameat(number, cString(from), number, cString(to)));
  }

  /**
   * Removes an entry, when there is one (`unlink(2)`).
   *
   * @throws {SystemError} When the kernel does not allow it.
   */
  remove(name: string): void {
    if (libc.unlinkat(this.#descriptor.number, cString(name), 0) === 0) return;
    const number = errno();
    if (number !== Errno.ENOENT) throw new SystemError("unlink", number);
  }

  /**
   * Writes the entries to the disk (`fsync(2)`).
   *
   * @throws {SystemError} `EIO` and others.
   */
  sync(): void {
    check("fsync", libc.fsync(this.#descriptor.number));
  }

  /** Closes at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.#descriptor.close();
  }
}

/** An open file of a {@linkcode Directory}. */
export class DirectoryFile {
  readonly #descriptor: Descriptor;

  /** @param descriptor The open file, owned from now on. */
  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
  }

  /**
   * Reads the status of the file.
   *
   * @throws {SystemError} When it cannot be read.
   */
  status(): FileStatus {
    return descriptorStatus(this.#descriptor);
  }

  /**
   * Reads bytes from where the file stands (`read(2)`).
   *
   * @returns How many bytes were read; 0 at the end.
   * @throws {SystemError} `EAGAIN` for an empty FIFO, `EISDIR`, and others.
   */
  readInto(bytes: Uint8Array<ArrayBuffer>): number {
    return check("read", libc.read(this.#descriptor.number, bytes, BigInt(bytes.length)));
  }

  /**
   * Writes all bytes.
   *
   * @throws {SystemError} `ENOSPC` and others; some of the bytes may be written then.
   */
  write(bytes: Uint8Array<ArrayBuffer>): void {
    for (let rest = bytes; rest.length > 0;) {
      const count = libc.write(this.#descriptor.number, rest, BigInt(rest.length));
      rest = rest.subarray(check("write", count));
    }
  }

  /**
   * Sets the permission bits (`fchmod(2)`).
   *
   * @throws {SystemError} `EPERM` when the file belongs to another user.
   */
  chmod(mode: number): void {
    check("fchmod", libc.fchmod(this.#descriptor.number, mode));
  }

  /**
   * Copies the owner, the group, the permission bits, the access control list and the SELinux label
   * of another file.
   *
   * @param other The file to copy from.
   * @param maxMode The permission bits that are copied, when set.
   * @throws {SystemError} When one of them cannot be copied. The file's rights are undefined then.
   */
  copyRights(other: DirectoryFile, maxMode: number): void {
    const { uid, gid, mode } = other.status();
    const made = this.status();
    const { number } = this.#descriptor;
    if (made.uid !== uid || made.gid !== gid) check("fchown", libc.fchown(number, uid, gid));
    for (const name of ATTRIBUTES) this.#copyAttribute(cString(name), other);
    // Last: setting a list changes the mode, and the mode bounds what the list grants (acl(5)).
    this.chmod(mode & maxMode);
  }

  #copyAttribute(name: Uint8Array<ArrayBuffer>, from: DirectoryFile): void {
    const wanted = from.#attribute(name);
    const own = this.#attribute(name);
    if (wanted === null) {
      // A new file inherits the default list of its directory (acl(5)).
      if (own !== null) check("fremovexattr", libc.fremovexattr(this.#descriptor.number, name));
    } else if (own === null || !equal(own, wanted)) {
      const size = BigInt(wanted.length);
      check("fsetxattr", libc.fsetxattr(this.#descriptor.number, name, wanted, size, 0));
    }
  }

  #attribute(name: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | null {
    const value = new Uint8Array(MAX_ATTRIBUTE_BYTES);
    const size = libc.fgetxattr(this.#descriptor.number, name, value, BigInt(value.length));
    if (size >= 0) return value.subarray(0, size);
    const number = errno();
    if (number === ENODATA || number === EOPNOTSUPP) return null;
    throw new SystemError("fgetxattr", number);
  }

  /**
   * Writes the content to the disk (`fsync(2)`).
   *
   * @throws {SystemError} `EIO` and others.
   */
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
