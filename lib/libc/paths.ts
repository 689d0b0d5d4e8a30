/**
 * The paths of the C library.
 *
 * @module
 */

/**
 * The paths of glibc on each architecture: Debian and Ubuntu, then Fedora, then Arch and openSUSE.
 * The program has `--allow-ffi` for these paths only.
 */
export const LIBC_PATHS = {
  x86_64: ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"],
  aarch64: ["/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"],
} as const;
