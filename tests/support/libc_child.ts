/**
 * Another process for the tests of `lib/libc` and of lock files: `libc_child.ts VERB ARG...`. A
 * verb that holds a resource prints a line when it has it, and holds it until end-of-file of
 * standard input.
 */
import { check, SystemError } from "../../lib/libc/errno.ts";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { DescriptorReserve } from "../../lib/files/descriptor_reserve.ts";
import { LockFile } from "../../lib/files/lock_file.ts";
import { EventFd } from "../../lib/libc/event_fd.ts";
import { openToRead } from "../../lib/libc/read_file.ts";
import { connect, unixSocket } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { becomeIdentity, IdentityError, type ProcessIdentity } from "../../lib/libc/identity.ts";
import { argumentBytes, exec } from "../../lib/libc/process.ts";
import { setFileLimit } from "../../lib/libc/process.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { Acceptor } from "../../lib/net/acceptor.ts";
import { TcpListener } from "../../lib/net/tcp_listener.ts";
import { UnixListener } from "../../lib/net/unix_listener.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { startWorker } from "../../lib/reactor/worker_thread.ts";
import { Failure } from "../../lib/errors.ts";

// asm-generic/resource.h
const RLIMIT_NPROC = 6;
const RLIMIT_NOFILE = 7;

const [verb, ...args] = Deno.args;

async function untilInputEnds(): Promise<void> {
  const buffer = new Uint8Array(1024);
  while (await Deno.stdin.read(buffer) !== null);
}

/** The distinct ids of all threads. */
function idsOfThreads(): string[] {
  const lines = new Set<string>();
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    const status = Deno.readTextFileSync(`/proc/self/task/${name}/status`);
    for (const line of status.split("\n")) {
      if (/^(Uid|Gid|Groups):/.test(line)) lines.add(line.replaceAll(/\s+/g, " ").trim());
    }
  }
  return [...lines].sort();
}

/** What the descriptors of this process lead to. */
function descriptors(): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`/proc/self/fd/${name}`)];
    } catch {
      // The one that the directory was read with.
      return [];
    }
  });
}

function attempt(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    if (error instanceof IdentityError) return error.message;
    throw error;
  }
}

/** Changes the ids without the checks of {@linkcode becomeIdentity}. */
function changeIds({ uid, gid, groups }: ProcessIdentity): void {
  const list = new Uint8Array(new Uint32Array([...groups, 0]).buffer);
  check("setgroups", libc.setgroups(BigInt(groups.length), list));
  check("setresgid", libc.setresgid(gid, gid, gid));
  check("setresuid", libc.setresuid(uid, uid, uid));
}

const verbs: Record<string, () => void | Promise<void>> = {
  /** `identity FIRST... LAST`: takes on identities, and prints the ids of all threads. */
  identity() {
    const steps = args.map((text) => JSON.parse(text) as ProcessIdentity);
    const last = steps.pop()!;
    steps.forEach(changeIds);
    const failure = attempt(() => becomeIdentity(last));
    console.log(JSON.stringify(failure ?? idsOfThreads()));
  },

  /** `connect PATH BEFORE AFTER`: connects between two identities, and holds the connection. */
  async connect() {
    using socket = unixSocket();
    for (const step of [args[1]!, "connect", args[2]!]) {
      if (step === "connect") {
        const error = connect(socket, unixAddress(args[0]!));
        if (error !== 0) throw new SystemError("connect", error);
      } else if (step !== "") {
        changeIds(JSON.parse(step));
      }
    }
    console.log("connected");
    await untilInputEnds();
  },

  /** `lock PATH`: holds a lock. */
  async lock() {
    const lock = LockFile.tryAcquire(args[0]!);
    console.log(lock === null ? "taken" : "held");
    await untilInputEnds();
    lock?.release();
  },

  /** `contend PATH TIMES`: takes a lock again and again; dies if it ever shares it. */
  contend() {
    for (let done = 0; done < Number(args[1]);) {
      const lock = LockFile.tryAcquire(args[0]!);
      if (lock === null) continue;
      Deno.writeTextFileSync(`${args[0]}.inside`, "", { createNew: true });
      Deno.removeSync(`${args[0]}.inside`);
      lock.release();
      done++;
    }
    // Of files that another one has removed before they were locked.
    const left = descriptors().filter((target) => target.startsWith(args[0]!));
    if (left.length > 0) throw new Error("a descriptor of the lock file is left");
    console.log("done");
  },

  /** `reserve FILE`: prints how a reserve gives its descriptor up, and takes it again. */
  reserve() {
    let calls = 0;
    const read = () => {
      calls++;
      openToRead(args[0]!).close();
      return "read";
    };
    const limit = new BigUint64Array(2);
    check("getrlimit", libc.prlimit(0, RLIMIT_NOFILE, null, new Uint8Array(limit.buffer)));
    setFileLimit(0, BigUint64Array.of(256n, limit[1]!));
    const reserve = new DescriptorReserve();
    const before = descriptors().length;
    for (let times = 0; times < 3; times++) reserve.use(read);
    const leaked = descriptors().length - before;
    const others: EventFd[] = [];
    while (attempt(() => others.push(new EventFd())) !== "EMFILE");
    const use = () => [attempt(() => reserve.use(read)), attempt(read)];
    const results = [leaked, attempt(read), ...use(), ...use()];
    reserve.close();
    results.push(attempt(read), ...use());
    const empty = new DescriptorReserve();
    calls = 0;
    results.push(attempt(() => empty.use(read)), calls);
    setFileLimit(0, limit);
    console.log(JSON.stringify(results));
  },

  /** `accept-without-descriptors ADDRESS`: prints how an acceptor fails that has none left. */
  "accept-without-descriptors"() {
    const reactor = new Reactor();
    const open = (port: number) =>
      args[0] === "tcp"
        ? TcpListener.openAll({ host: "127.0.0.1", port })[0]
        : UnixListener.open({ path: args[0]!, mode: 0o600 }, Deno.uid()!);
    const listener = open(0);
    // The C library's functions are opened at their first use, which needs a descriptor.
    listener.socket.duplicate().close();
    const limit = new BigUint64Array(2);
    check("getrlimit", libc.prlimit(0, RLIMIT_NOFILE, null, new Uint8Array(limit.buffer)));
    setFileLimit(0, BigUint64Array.of(1n, limit[1]!));
    const handler = {
      beforeBatch: () => 0,
      onConnection: (connection: Descriptor) => connection.close(),
      onResourceExhausted: (connection: Descriptor) => connection.close(),
      onError() {},
    };
    const error = attempt(() => new Acceptor(reactor, listener, handler));
    setFileLimit(0, limit);
    const again = open(Number(listener.name.split(":").pop()));
    console.log(JSON.stringify([error, listener.socket.isOpen, again.socket.isOpen]));
  },

  /** `start-worker IDENTITY`: prints how it fails for a user who may have one process. */
  "start-worker"() {
    changeIds(JSON.parse(args[0]!));
    const limit = new Uint8Array(BigUint64Array.of(1n, 1n).buffer);
    check("setrlimit", libc.prlimit(0, RLIMIT_NPROC, limit, null));
    try {
      startWorker("data:text/javascript,", "data plane");
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      console.log(JSON.stringify([error.exit, error.message, error.hint]));
    }
  },

  /** `exec PROGRAM ARG...`: executes the program, or prints the error. */
  exec() {
    console.log(attempt(() => exec(argumentBytes(args))));
  },

  /** `exec-as IDENTITY PROGRAM ARG...`: the same as another user. */
  "exec-as"() {
    changeIds(JSON.parse(args.shift()!));
    console.log(attempt(() => exec(argumentBytes(args))));
  },

  /** `arguments ARG...`: prints the bytes of the arguments. */
  arguments() {
    console.log(JSON.stringify(argumentBytes(args).map((bytes) => [...bytes])));
  },
};

await verbs[verb!]!();
