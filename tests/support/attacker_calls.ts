/** System calls by which an attacker may try to get past Landlock. */
import { LIBC } from "./permissions.ts";
import { REFUSED } from "../../lib/libc/server_calls.ts";

const IS_X64 = Deno.build.arch === "x86_64";
const { symbols } = Deno.dlopen(LIBC, {
  __errno_location: { parameters: [], result: "pointer" },
  syscall: { parameters: ["i64", "i64", "i64", "i64"], result: "i64" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  unshare: { parameters: ["i32"], result: "i32" },
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "i64" },
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "i64" },
  sendmmsg: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  dup2: { parameters: ["i32", "i32"], result: "i32" },
});

const [AF_INET, AF_PACKET, SOCK_STREAM, SOCK_RAW] = [2, 17, 1, 3];
const IPPROTO_MPTCP = 262;
const MSG_FASTOPEN = 0x20000000;
const EPERM = 1;
/**
 * The kernel has let it try: nothing listens there (`ECONNREFUSED`), the test holds the port
 * (`EADDRINUSE`), or it does not have what was asked for (`ENOPROTOOPT`, `EPROTONOSUPPORT`,
 * `EOPNOTSUPP`, `EAFNOSUPPORT`, `ENOTTY`), or not for this process (`EINVAL`).
 */
const TRIED = [111, 98, 92, 93, 95, 97, 25, 22];

/** The error number of a call that has just returned −1. */
function errno(): number {
  return new Deno.UnsafePointerView(symbols.__errno_location()!).getInt32();
}

function check(result: number | bigint): number {
  if (result >= 0) return Number(result);
  const number = errno();
  if (TRIED.includes(number)) return -1;
  throw Object.assign(new Error(), { code: number === EPERM ? "EPERM" : `errno ${number}` });
}

function withSocket(
  [family, type, protocol]: readonly [number, number, number],
  use: (socket: number) => number | bigint = () => 0,
): void {
  const socket = check(symbols.socket(family, type, protocol));
  if (socket < 0) return;
  try {
    check(use(socket));
  } finally {
    symbols.close(socket);
  }
}

/** `struct sockaddr_in` of the loopback. */
function address(port: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1, ...new Uint8Array(8));
}

/** `struct mmsghdr` of a message without content to a port, which begins with a `struct msghdr`. */
function messageTo(to: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const header = new BigUint64Array(8);
  header[0] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(to)));
  header[1] = BigInt(to.length);
  return new Uint8Array(header.buffer);
}

/** Those of docs/configuration.md, as bits. */
const NEEDED = 0x10005dbn;

function requireCapabilities(): void {
  const status = Deno.readTextFileSync("/proc/self/status");
  const [, permitted] = /^CapPrm:\s*(\S+)$/m.exec(status)!;
  if ((BigInt(`0x${permitted}`) & ~NEEDED) === 0n) {
    throw Object.assign(new Error(), { code: "EPERM" });
  }
}

const TCP = [AF_INET, SOCK_STREAM, 0] as const;
const MPTCP = [AF_INET, SOCK_STREAM, IPPROTO_MPTCP] as const;

/** linux/sched.h. A process with several threads gets no user namespace, which is `EINVAL`. */
const [CLONE_NEWUSER, CLONE_FS, CLONE_SIGHAND] = [0x10000000, 0x200, 0x800];
/** asm-generic/resource.h */
const RLIMIT_CORE = 4;
const TERMINAL_INPUTS = { type: 0x5412n, paste: 0x541cn };

/** The dynamic linker: ld.so(8). */
function linker(): string {
  const maps = Deno.readTextFileSync("/proc/self/maps");
  return /\/\S*\/ld-linux\S*/.exec(maps)![0];
}

/** Ways past Landlock to other processes, and to a program. @param program A file to read. */
export function attemptsAtProcesses(
  program: string,
): readonly (readonly [string, () => unknown])[] {
  const null0 = symbols.open(new TextEncoder().encode("/dev/null\0"), 0);
  return [
    ["start a program by the dynamic linker", () => {
      if (!new Deno.Command(linker(), { args: [program] }).outputSync().success) {
        throw new Error();
      }
    }],
    ...Object.entries(TERMINAL_INPUTS).map(([name, command]) =>
      [`${name} at a terminal`, () => {
        check(symbols.ioctl(null0, 0x100000000n | command, new Uint8Array(8)));
      }] as const
    ),
    ["limit another process", () => {
      const limits = new Uint8Array(16);
      check(symbols.prlimit(Deno.ppid, RLIMIT_CORE, null, limits));
      check(symbols.prlimit(Deno.ppid, RLIMIT_CORE, limits, null));
    }],
    ["make a namespace by unshare", () => check(symbols.unshare(CLONE_NEWUSER))],
    // Never with success: signal handlers are shared with the memory alone.
    ["make a namespace by clone", () => {
      const flags = BigInt(CLONE_NEWUSER | CLONE_FS | CLONE_SIGHAND);
      check(symbols.syscall(IS_X64 ? 56n : 220n, flags, 0n, 0n));
    }],
  ];
}

/** Ways past Landlock: to a port, and into what is no file. @param port A closed one. */
export function attemptsPast(port: number): readonly (readonly [string, () => unknown])[] {
  const to = address(port);
  return [
    ["connect by Multipath TCP", () => {
      withSocket(MPTCP, (socket) => symbols.connect(socket, to, to.length));
    }],
    ["bind by Multipath TCP", () => {
      withSocket(MPTCP, (socket) => symbols.bind(socket, to, to.length));
    }],
    ["connect by sendto", () => {
      const none = new Uint8Array(0);
      withSocket(TCP, (socket) => symbols.sendto(socket, none, 0n, MSG_FASTOPEN, to, to.length));
    }],
    ["connect by sendmsg", () => {
      withSocket(TCP, (socket) => symbols.sendmsg(socket, messageTo(to), MSG_FASTOPEN));
    }],
    ["connect by sendmmsg", () => {
      withSocket(TCP, (socket) => symbols.sendmmsg(socket, messageTo(to), 1, MSG_FASTOPEN));
    }],
    ["make a program in memory", () => {
      const name = new TextEncoder().encode("program\0");
      symbols.close(check(symbols.memfd_create(name, 0)));
    }],
    // Root's, in a server of root.
    ...Deno.uid() === 0
      ? [
        ["open a packet socket", () => withSocket([AF_PACKET, SOCK_RAW, 0])],
        ["have capabilities that no server needs", requireCapabilities],
      ] as const
      : [],
  ];
}

/** The refused calls, with arguments that do nothing where they are not refused. */
export const refusedCalls = Object.entries(REFUSED).flatMap(([name, numbers]) => {
  const number = numbers[IS_X64 ? 0 : 1];
  if (number === undefined) return [];
  const call = () => check(symbols.syscall(BigInt(number), -1n, -1n, -1n));
  return [[name, call] as const];
});

/** The descriptor of a directory that was opened before the restriction. */
export const EARLY = 200;

/** Opens it, so that the next program keeps it. */
export function openEarly(path: string): void {
  const opened = symbols.open(new TextEncoder().encode(`${path}\0`), 0);
  check(symbols.dup2(check(opened), EARLY));
}
