/**
 * The functions of the C library, and the only `Deno.dlopen` of the program.
 *
 * Each function that is used stands here with the types of its C prototype. `ssize_t` results are
 * declared `i32`: the low half of the register holds −1 or a count below 2³¹, and no BigInt is
 * allocated for it.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { LIBC_PATHS } from "./paths.ts";

const definitions = {
  // memory: errno, strings and addresses, without the permission to use raw pointers
  __errno_location: { parameters: [], result: "u64" },
  errno_copy: { name: "memcpy", parameters: ["buffer", "u64", "usize"], result: "void" },
  errno_fill: { name: "memset", parameters: ["u64", "i32", "usize"], result: "void" },
  memory_copy: { name: "memcpy", parameters: ["buffer", "u64", "usize"], result: "void" },
  memory_address: { name: "memset", parameters: ["buffer", "i32", "usize"], result: "u64" },
  string_length: { name: "strnlen", parameters: ["u64", "usize"], result: "usize" },

  // sockets
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "pointer", "pointer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  getaddrinfo: { parameters: ["buffer", "buffer", "buffer", "buffer"], result: "i32" },
  getaddrinfo_in_background: {
    name: "getaddrinfo",
    parameters: ["buffer", "buffer", "buffer", "buffer"],
    result: "i32",
    nonblocking: true,
  },
  freeaddrinfo: { parameters: ["u64"], result: "void" },
  if_indextoname: { parameters: ["u32", "buffer"], result: "u64" },
  inet_ntop: { parameters: ["i32", "buffer", "buffer", "u32"], result: "u64" },

  // descriptors and files
  close: { parameters: ["i32"], result: "i32" },
  dup2: { parameters: ["i32", "i32"], result: "i32" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  splice: { parameters: ["i32", "pointer", "i32", "pointer", "usize", "u32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  renameat: { parameters: ["i32", "buffer", "i32", "buffer"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  fchown: { parameters: ["i32", "u32", "u32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fsync: { parameters: ["i32"], result: "i32" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  fgetxattr: { parameters: ["i32", "buffer", "buffer", "usize"], result: "i32" },
  fsetxattr: { parameters: ["i32", "buffer", "buffer", "usize", "i32"], result: "i32" },
  fremovexattr: { parameters: ["i32", "buffer"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "i32" },
  readlink: { parameters: ["buffer", "buffer", "usize"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  mkdir: { parameters: ["buffer", "u32"], result: "i32" },
  realpath: { parameters: ["buffer", "buffer"], result: "u64" },
  umask: { parameters: ["u32"], result: "u32" },
  unshare: { parameters: ["i32"], result: "i32" },

  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },

  // waiting
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  poll: { parameters: ["buffer", "u64", "i32"], result: "i32" },
  poll_in_background: {
    name: "poll",
    parameters: ["buffer", "u64", "i32"],
    result: "i32",
    nonblocking: true,
  },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  inotify_init1: { parameters: ["i32"], result: "i32" },
  inotify_add_watch: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },

  // ids and the name service
  pidfd_send_signal: {
    name: "syscall",
    parameters: ["i64", "i32", "i32", "pointer", "u32"],
    result: "i32",
  },
  syscall: { parameters: ["i64", "u64", "u64", "u64"], result: "i32" },
  landlock_add_rule: {
    name: "syscall",
    parameters: ["i64", "i32", "u64", "buffer", "u32"],
    result: "i32",
  },
  abort: { parameters: [], result: "void" },
  geteuid: { parameters: [], result: "u32" },
  getppid: { parameters: [], result: "i32" },
  getresuid: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  getresgid: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  setresuid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  setresgid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  getgroups: { parameters: ["i32", "buffer"], result: "i32" },
  setgroups: { parameters: ["usize", "buffer"], result: "i32" },
  getgrouplist: { parameters: ["buffer", "u32", "buffer", "buffer"], result: "i32" },
  getpwnam_r: { parameters: ["buffer", "buffer", "buffer", "usize", "buffer"], result: "i32" },
  getpwuid_r: { parameters: ["u32", "buffer", "buffer", "usize", "buffer"], result: "i32" },
  getgrnam_r: { parameters: ["buffer", "buffer", "buffer", "usize", "buffer"], result: "i32" },
  gethostname: { parameters: ["buffer", "usize"], result: "i32" },

  // starting programs
  posix_spawn: {
    parameters: ["buffer", "buffer", "buffer", "buffer", "buffer", "buffer"],
    result: "i32",
  },
  posix_spawn_file_actions_init: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_destroy: { parameters: ["buffer"], result: "i32" },
  posix_spawn_file_actions_adddup2: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  // glibc 2.34
  posix_spawn_file_actions_addclosefrom_np: {
    parameters: ["buffer", "i32"],
    result: "i32",
    optional: true,
  },
  posix_spawnattr_init: { parameters: ["buffer"], result: "i32" },
  posix_spawnattr_setflags: { parameters: ["buffer", "i16"], result: "i32" },
  posix_spawnattr_setsigmask: { parameters: ["buffer", "buffer"], result: "i32" },
  posix_spawnattr_setsigdefault: { parameters: ["buffer", "buffer"], result: "i32" },
  pidfd_open: { name: "syscall", parameters: ["i64", "i32", "u32"], result: "i32" },
  waitid: { parameters: ["i32", "u32", "buffer", "i32"], result: "i32" },
  kill: { parameters: ["i32", "i32"], result: "i32" },

  // becoming another program
  dlsym: { parameters: ["u64", "buffer"], result: "u64" },
  getenv: { parameters: ["buffer"], result: "u64" },
  unsetenv: { parameters: ["buffer"], result: "i32" },
  setenv: { parameters: ["buffer", "buffer", "i32"], result: "i32" },
  setenv_from: { name: "setenv", parameters: ["buffer", "u64", "i32"], result: "i32" },
  execvp: { parameters: ["buffer", "buffer"], result: "i32" },
  execve: { parameters: ["buffer", "buffer", "buffer"], result: "i32" },
  signal: { parameters: ["i32", "usize"], result: "u64" },
  sigaction: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  pthread_sigmask: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  prctl: { parameters: ["i32", "u64", "u64", "u64", "u64"], result: "i32" },
  prlimit: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The C library's functions, typed by {@linkcode definitions}. */
export type Libc = Deno.DynamicLibrary<typeof definitions>["symbols"];

type Name = keyof typeof definitions;
type Call = (...values: unknown[]) => unknown;

/**
 * Threads beside the first one live long and call much: there, a function is machine code from the
 * start. One that was opened twice is no constant any more for the compiler, which costs a tenth of
 * the connections of a data plane.
 */
const isWorker = "WorkerGlobalScope" in globalThis;

/**
 * How often a function is called before it is opened as machine code. No short command calls one so
 * often; `connect --pipe` and streams of the client library do, for each chunk.
 */
const COLD_CALLS = 32;
/** It stands between a call that has failed and its error number. */
const ERRNO_READER = "errno_copy";

/**
 * Opens one function.
 *
 * @param name Its name in {@linkcode definitions}.
 * @param definition Its types.
 * @param paths Where the C library may be.
 * @returns The function, and the path of the library.
 * @throws {Failure} 71 when this is not Linux, or glibc is at none of the paths.
 */
function open(
  name: Name,
  definition: Deno.ForeignFunction,
  paths: readonly string[],
): { readonly value: unknown; readonly path: string } {
  if (Deno.build.os !== "linux") {
    throw new Failure(`ipcauth runs on Linux, not on ${Deno.build.os}`, { exit: ExitCode.os });
  }
  let cause: unknown;
  for (const path of paths) {
    try {
      return { value: Deno.dlopen(path, { [name]: definition }).symbols[name], path };
    } catch (error) {
      // Most of the paths belong to other distributions. The last error becomes the cause.
      cause = error;
    }
  }
  if (cause instanceof Deno.errors.NotCapable) {
    throw new Failure("The permission to call the C library is missing", {
      exit: ExitCode.os,
      hint: `deno run --allow-ffi=${paths.join(",")}`,
      cause,
    });
  }
  throw new Failure(
    `Cannot load the GNU C library on ${Deno.build.arch}: it is at none of its known paths`,
    {
      exit: ExitCode.os,
      hint:
        "ipcauth needs glibc 2.34 or newer (Debian, Ubuntu, Fedora, Arch); musl is not supported",
      cause,
    },
  );
}

const word = new BigUint64Array(1);
const wordBytes = new Uint8Array(word.buffer);

/** What the bytes of a result mean. */
const RESULTS: Readonly<
  Partial<Record<Deno.NativeResultType & string, (bytes: Uint8Array) => unknown>>
> = {
  void: () => undefined,
  i32: (bytes) => Number(BigInt.asIntN(32, valueOf(bytes))),
  u32: (bytes) => Number(valueOf(bytes)),
  u64: valueOf,
  usize: valueOf,
};

function valueOf(bytes: Uint8Array): bigint {
  word[0] = 0n;
  wordBytes.set(bytes);
  return word[0]!;
}

/**
 * The same function with its result as a struct of one member, which the calling conventions of
 * x86-64 (System V ABI, section 3.2.3) and AArch64 (AAPCS64, section 6.9) return in the register of
 * the member. The runtime compiles machine code for a function without structs, for 75 to 250 µs,
 * and none for this one, which takes 30 µs to open and 0.4 µs more for each call.
 *
 * @returns Null where a function cannot be opened so.
 */
function coldDefinition(definition: Deno.ForeignFunction): Deno.ForeignFunction | null {
  const { result, nonblocking = false, optional = false } = definition;
  if (nonblocking || optional || typeof result !== "string" || !(result in RESULTS)) return null;
  return { ...definition, result: { struct: [result === "void" ? "i32" : result] } };
}

/**
 * Makes an object whose getters open a function at its first use, because most processes use a
 * quarter of them: first without machine code, and as machine code once it has been called
 * {@linkcode COLD_CALLS} times. They become plain properties then.
 *
 * Paths that do not exist are tried for the first function alone. To open a function changes
 * `errno`, so it is done before a call and not between one and the reading of its error number: the
 * function that reads it is never opened again.
 */
function load(): Libc {
  const library = {};
  let paths: readonly string[] = LIBC_PATHS[Deno.build.arch as keyof typeof LIBC_PATHS] ?? [];
  const openAt = (name: Name, definition: Deno.ForeignFunction) => {
    const { value, path } = open(name, definition, paths);
    paths = [path];
    return value;
  };
  const openHot = (name: Name) => {
    const value = openAt(name, definitions[name]);
    Object.defineProperty(library, name, { value, enumerable: true });
    return value as Call;
  };
  for (const name of Object.keys(definitions) as Name[]) {
    const definition: Deno.ForeignFunction = definitions[name];
    Object.defineProperty(library, name, {
      configurable: true,
      enumerable: true,
      get() {
        const cold = coldDefinition(definition);
        if (cold === null || isWorker) return openHot(name);
        const read = RESULTS[definition.result as "i32"]!;
        const bytes = openAt(name, cold) as (...values: unknown[]) => Uint8Array;
        let calls = 0;
        let call: Call = (...values) => read(bytes(...values));
        const warm = () => {
          try {
            call = openHot(name);
          } catch {
            // It goes on as it is.
          }
        };
        const value: Call = (...values) => {
          if (++calls === COLD_CALLS && name !== ERRNO_READER) warm();
          return call(...values);
        };
        Object.defineProperty(library, name, { value, configurable: true, enumerable: true });
        return value;
      },
    });
  }
  return library as Libc;
}

/** The functions of the C library. Each thread has its own instance of this module. */
export const libc: Libc = load();
