/**
 * Constants of the Linux kernel that several files of this layer use.
 *
 * Each group names its header file. The values are those of x86-64 and of arm64; a value that
 * differs between the two says so.
 *
 * @module
 */

const IS_X86_64 = Deno.build.arch === "x86_64";

// Flags of open(2) and fcntl(2): asm-generic/fcntl.h.
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
// The flags that arm64 numbers differently: arch/arm64/include/uapi/asm/fcntl.h.
export const O_DIRECTORY = IS_X86_64 ? 0o200000 : 0o40000;
export const O_NOFOLLOW = IS_X86_64 ? 0o400000 : 0o100000;

// Commands of fcntl(2) and its descriptor flag: asm-generic/fcntl.h, linux/fcntl.h.
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const FD_CLOEXEC = 1;

// The directory of a relative path, for calls that take a directory's descriptor: linux/fcntl.h.
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;

// The fields that statx(2) fills: linux/stat.h.
export const STATX_BASIC_STATS = 0x7ff;
/** `sizeof(struct statx)` in bytes: linux/stat.h. */
export const SIZEOF_STATX = 256;

// Address families: linux/socket.h.
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;

// Socket types and their flags: linux/net.h. The flags equal O_NONBLOCK and O_CLOEXEC.
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = O_NONBLOCK;
export const SOCK_CLOEXEC = O_CLOEXEC;

// The socket level of getsockopt(2): asm-generic/socket.h.
export const SOL_SOCKET = 1;

// Flags of send(2) and recv(2): linux/socket.h.
export const MSG_DONTWAIT = 0x40;
export const MSG_NOSIGNAL = 0x4000;

// Directions of shutdown(2): linux/net.h (enum sock_shutdown_cmd).
export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

/** `sizeof(sun_path)` in bytes, the terminating NUL included: linux/un.h (`UNIX_PATH_MAX`). */
export const UNIX_PATH_MAX = 108;

/**
 * `(uid_t) -1`. As an argument of `setresuid(2)` or `chown(2)` it keeps the id that is set; no user
 * and no group has it.
 */
export const NO_ID = 0xffff_ffff;
