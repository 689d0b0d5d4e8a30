/**
 * The system calls that no server needs. Some of them lead past Landlock: to a port by Multipath
 * TCP or TCP Fast Open, to a packet socket, into a program in memory, to the terminal's reader, or
 * as root into the kernel.
 *
 * @module
 */
import {
  ALLOW,
  type CallFilter,
  filterCalls,
  ifAnyBit,
  ifAtLeast,
  ifEqual,
  load,
  MACHINE_TABLE,
  MISSING,
  Offset,
  REFUSE,
  X32_BIT,
} from "./call_filter.ts";
import { Errno, SystemError } from "./errno.ts";
import { libc } from "./symbols.ts";
import { TIOCLINUX, TIOCSTI } from "./tty_input.ts";

/**
 * Refused whatever their arguments: the numbers on x86-64 and arm64 (asm/unistd_64.h,
 * asm-generic/unistd.h). Those from 424 on are the same on every machine.
 */
export const REFUSED: Readonly<Record<string, readonly [number, number?]>> = {
  // Of other processes' memory and descriptors.
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  shmget: [29, 194],
  shmat: [30, 196],
  shmctl: [31, 195],
  // Of other processes' memory, processors and priorities.
  migrate_pages: [256, 238],
  move_pages: [279, 239],
  process_madvise: [440, 440],
  process_mrelease: [448, 448],
  setpriority: [141, 140],
  ioprio_set: [251, 30],
  sched_setaffinity: [203, 122],
  sched_setattr: [314, 274],
  sched_setparam: [142, 118],
  sched_setscheduler: [144, 119],
  // Of queues and semaphores that other processes use.
  msgget: [68, 186],
  msgsnd: [69, 189],
  msgrcv: [70, 188],
  msgctl: [71, 187],
  semget: [64, 190],
  semop: [65, 193],
  semtimedop: [220, 192],
  semctl: [66, 191],
  mq_open: [240, 180],
  mq_unlink: [241, 181],
  // What makes calls that no filter sees, or reads memory of the kernel.
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  // Of the kernel and the machine.
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  reboot: [169, 142],
  iopl: [172],
  ioperm: [173],
  swapon: [167, 224],
  swapoff: [168, 225],
  acct: [163, 89],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  syslog: [103, 116],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  // Of mounts and namespaces, and files without a path.
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  setns: [308, 268],
  open_by_handle_at: [304, 265],
  fanotify_init: [300, 262],
  // Of keys that the kernel keeps.
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  // Programs in memory.
  memfd_create: [319, 279],
  memfd_secret: [447, 447],
  // Of files by their path: a server changes those that it has opened.
  chmod: [90],
  fchmodat: [268, 53],
  fchmodat2: [452, 452],
  chown: [92],
  lchown: [94],
  fchownat: [260, 54],
  setxattr: [188, 5],
  lsetxattr: [189, 6],
  removexattr: [197, 14],
  lremovexattr: [198, 15],
  setxattrat: [463, 463],
  removexattrat: [466, 466],
  file_setattr: [469, 469],
  utime: [132],
  utimes: [235],
  futimesat: [261],
  utimensat: [280, 88],
};

/** Refused with some arguments. */
const CALLS = Deno.build.arch === "x86_64"
  ? {
    ...{ socket: 41, sendto: 44, sendmsg: 46, sendmmsg: 307, ioctl: 16, prlimit64: 302 },
    ...{ clone: 56, clone3: 435, unshare: 272, execve: 59, execveat: 322 },
  }
  : {
    ...{ socket: 198, sendto: 206, sendmsg: 211, sendmmsg: 269, ioctl: 29, prlimit64: 261 },
    ...{ clone: 220, clone3: 435, unshare: 97, execve: 221, execveat: 281 },
  };

// linux/socket.h, linux/in.h
const FAMILIES = { unix: 1, inet: 2, inet6: 10, netlink: 16 } as const;
/** That of the family, or of `NETLINK_ROUTE`; TCP and UDP. */
const PROTOCOLS = { default: 0, tcp: 6, udp: 17 } as const;
/** Connects while it sends, which Landlock does not see. */
const MSG_FASTOPEN = 0x20000000;
/**
 * linux/sched.h: every `CLONE_NEW…`, and the one of times, whose bit `clone` has another use for.
 * In a namespace of its own a process has all capabilities there, and the kernel more code to err.
 */
const NAMESPACES = 0x7e020000;
const TIME_NAMESPACE = 0x80;

/** Goes on where an argument is one of some values. */
function requireOneOf(argument: number, values: readonly number[]): CallFilter {
  return [
    load(Offset.argument(argument)),
    ...values.map((value, index) => ifEqual(value, values.length - index, 0)),
    REFUSE,
  ];
}

/** What is done for one call, in a program that has loaded the number. */
function forCall(number: number, instructions: CallFilter): CallFilter {
  return [ifEqual(number, 0, instructions.length), ...instructions];
}

function filter(): CallFilter {
  const withoutFastOpen = (call: number, flags: number) =>
    forCall(call, [load(Offset.argument(flags)), ifAnyBit(MSG_FASTOPEN, 0, 1), REFUSE, ALLOW]);
  const withoutBits = (call: number, bits: number) =>
    forCall(call, [load(Offset.argument(0)), ifAnyBit(bits, 0, 1), REFUSE, ALLOW]);
  const at = Deno.build.arch === "x86_64" ? 0 : 1;
  const refused = Object.values(REFUSED).flatMap((numbers) => numbers[at] ?? []);
  return [
    load(Offset.table),
    ifEqual(MACHINE_TABLE, 1, 0),
    REFUSE,
    load(Offset.number),
    ifAtLeast(X32_BIT, 0, 1),
    REFUSE,
    ...withoutFastOpen(CALLS.sendto, 3),
    ...withoutFastOpen(CALLS.sendmsg, 2),
    ...withoutFastOpen(CALLS.sendmmsg, 3),
    ...forCall(CALLS.socket, [
      ...requireOneOf(0, Object.values(FAMILIES)),
      ...requireOneOf(2, Object.values(PROTOCOLS)),
      ALLOW,
    ]),
    ...forCall(CALLS.ioctl, [
      load(Offset.argument(1)),
      ifEqual(TIOCSTI, 1, 0),
      ifEqual(TIOCLINUX, 0, 1),
      REFUSE,
      ALLOW,
    ]),
    // The limits of this process, and of no other.
    ...forCall(CALLS.prlimit64, [load(Offset.argument(0)), ifEqual(0, 1, 0), REFUSE, ALLOW]),
    ...withoutBits(CALLS.clone, NAMESPACES),
    ...withoutBits(CALLS.unshare, NAMESPACES | TIME_NAMESPACE),
    // Its flags are in memory, which no filter reads. The C library then takes `clone`.
    ...forCall(CALLS.clone3, [MISSING]),
    ...refused.map((number, index) => ifEqual(number, refused.length - index, 0)),
    ALLOW,
    REFUSE,
  ];
}

/**
 * Refuses the calls that no server needs to this thread and to the program that it becomes, with
 * `EPERM`. The kernel asks the filter about calls that send or make sockets alone; of the others it
 * knows the answer.
 *
 * @throws {SystemError} When the kernel takes no filter.
 */
export function refuseUnneededCalls(): void {
  filterCalls(filter());
}

/**
 * Refuses every thread of the process to become a program, with `EPERM`. Landlock must leave the
 * dynamic linker, for the start of this program, and the linker starts any other that it may read
 * (`ld.so(8)`). {@linkcode refuseUnneededCalls} has refused the other sets of call numbers before.
 *
 * @throws {SystemError} When the kernel takes no filter.
 */
export function refusePrograms(): void {
  const { execve, execveat } = CALLS;
  const program = [load(Offset.number), ifEqual(execve, 2, 0), ifEqual(execveat, 1, 0)];
  filterCalls([...program, ALLOW, REFUSE], { allThreads: true });
}

// linux/prctl.h
const PR_CAPBSET_DROP = 24;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_LOWER = 3n;
/** linux/capability.h: as many as two words have. */
const CAPABILITIES = 64n;
/**
 * Those that a server may need: for files of other owners, to become other users, and to listen on
 * a port below 1024: `CAP_CHOWN`, `CAP_DAC_OVERRIDE`, `CAP_FOWNER`, `CAP_FSETID`, `CAP_SETGID`,
 * `CAP_SETUID`, `CAP_SETPCAP`, `CAP_NET_BIND_SERVICE`, `CAP_SYS_RESOURCE`.
 */
const NEEDED = [0n, 1n, 3n, 4n, 6n, 7n, 8n, 10n, 24n];

/**
 * Leaves the program that this thread becomes no capability that no server needs
 * (`capabilities(7)`). Where the thread may not take them from root, they stay.
 *
 * @throws {SystemError} When the kernel refuses for another reason.
 */
export function dropUnneededCapabilities(): void {
  for (let capability = 0n; capability < CAPABILITIES; capability++) {
    if (NEEDED.includes(capability)) continue;
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, capability, 0n, 0n);
    if (libc.prctl(PR_CAPBSET_DROP, capability, 0n, 0n, 0n) === 0) continue;
    const error = new SystemError("prctl");
    // One that this kernel does not have.
    if (error.errno === Errno.EINVAL) return;
    if (error.errno !== Errno.EPERM) throw error;
  }
}
