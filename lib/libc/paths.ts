/**
 * Where the C library lies.
 *
 * @module
 */

/**
 * Where glibc lies: Debian and Ubuntu, then Fedora, Arch and openSUSE, for both architectures. The
 * program asks for the right to open these paths and no others.
 */
export const LIBC_PATHS = {
  x86_64: ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"],
  aarch64: ["/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"],
} as const;
