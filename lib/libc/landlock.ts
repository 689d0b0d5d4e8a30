/**
 * Landlock: a thread gives up the files and ports that it does not need, for good, and with it all
 * that it starts or becomes (`landlock(7)`).
 *
 * @module
 */
import { O_CLOEXEC } from "./constants.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno, SystemError } from "./errno.ts";
import { descriptorStatus, FileType } from "./file_status.ts";
import { cString } from "./memory.ts";
import { libc } from "./symbols.ts";
import { callThread } from "./thread_ids.ts";

/** The same numbers on every machine: asm-generic/unistd.h. */
const SYS = { createRuleset: 444n, addRule: 445n, restrictSelf: 446n } as const;
/** linux/prctl.h */
const PR_SET_NO_NEW_PRIVS = 38;
/** asm-generic/fcntl.h */
const O_PATH = 0o10000000;

// linux/landlock.h
const CREATE_RULESET_VERSION = 1n;
const RULE_PATH_BENEATH = 1n;
const RULE_NET_PORT = 2n;
const NET = { bind: 1n << 0n, connect: 1n << 1n } as const;
const SCOPE = { abstractSocket: 1n << 0n, signal: 1n << 1n } as const;
const FS = {
  execute: 1n << 0n,
  writeFile: 1n << 1n,
  readFile: 1n << 2n,
  readDirectory: 1n << 3n,
  removeFile: 1n << 5n,
  makeRegular: 1n << 8n,
  makeSocket: 1n << 9n,
  truncate: 1n << 14n,
  deviceControl: 1n << 15n,
} as const;
/** The rights that a rule for a file that is no directory may give. */
const OF_FILES = FS.execute | FS.writeFile | FS.readFile | FS.truncate | FS.deviceControl;

/** How many rights to files the kernel knows, by the version of its interface. */
const FS_RIGHTS: Readonly<Record<number, bigint>> = { 1: 13n, 2: 14n, 3: 15n, 4: 15n };
const ALL_FS_RIGHTS = 16n;
const NET_VERSION = 4;
const SCOPE_VERSION = 6;

const READ = FS.readFile | FS.readDirectory;
const REPLACE = READ | FS.writeFile | FS.truncate | FS.makeRegular | FS.removeFile;

/** What may be done with a file, or with all beneath a directory. */
const ACCESS = {
  read: READ,
  /** Executing a program, beside reading it. */
  run: READ | FS.execute,
  /** Making and writing files, without reading or removing any. */
  append: FS.writeFile | FS.truncate | FS.makeRegular,
  /** Making, replacing and removing files. */
  write: REPLACE,
  /** The same, and sockets. */
  socket: REPLACE | FS.makeSocket,
  device: FS.readFile | FS.writeFile | FS.deviceControl,
} as const;

/** What may be done with a path: a key of {@linkcode ACCESS}. */
export type PathPermission = keyof typeof ACCESS;

/** Whether all that the one permits is permitted by the others together. */
export function covers(others: readonly PathPermission[], one: PathPermission): boolean {
  const all = others.reduce((rights, other) => rights | ACCESS[other], 0n);
  return (ACCESS[one] & ~all) === 0n;
}

/** What is left to a restricted thread. */
export interface ThreadPermissions {
  /** Files and directories. One that does not exist is left out. */
  readonly paths: readonly (readonly [PathPermission, string])[];
  /** TCP ports that may be bound, and connected to. Before version 4 of Landlock, all are. */
  readonly bind: readonly number[];
  readonly connect: readonly number[];
  /** Whether abstract Unix sockets of others may be connected to. */
  readonly abstractSockets: boolean;
}

/**
 * The version of Landlock that the kernel has.
 *
 * @throws {SystemError} `ENOSYS` without it, `EOPNOTSUPP` where it was not enabled at boot; another
 * error where a sandbox around this process forbids it.
 */
export function landlockVersion(): number {
  return check(
    "landlock_create_ruleset",
    callThread(SYS.createRuleset, 0n, 0n, CREATE_RULESET_VERSION),
  );
}

/**
 * Restricts the calling thread, and the program that it becomes. A privilege that programs give,
 * such as a set-user-ID bit, has no effect from now on (`PR_SET_NO_NEW_PRIVS`).
 *
 * Connecting to a Unix socket that has a path, and UDP, are not restricted by any version that this
 * knows, and a file can be looked at (`stat(2)`) and its mode be changed.
 *
 * @param version As of {@linkcode landlockVersion}.
 * @throws {SystemError} When the kernel refuses; nothing is restricted then.
 */
export function restrictThread(version: number, permissions: ThreadPermissions): void {
  const handled = (1n << (FS_RIGHTS[version] ?? ALL_FS_RIGHTS)) - 1n;
  const hasNet = version >= NET_VERSION;
  const hasScope = version >= SCOPE_VERSION;
  // struct landlock_ruleset_attr, as long as that version has it.
  const attributes = BigUint64Array.of(
    handled,
    hasNet ? NET.bind | NET.connect : 0n,
    hasScope ? SCOPE.signal | (permissions.abstractSockets ? 0n : SCOPE.abstractSocket) : 0n,
  ).subarray(0, hasScope ? 3 : hasNet ? 2 : 1);
  const bytes = new Uint8Array(attributes.slice().buffer);
  const size = BigInt(bytes.length);
  using ruleset = new Descriptor(
    check("landlock_create_ruleset", callThread(SYS.createRuleset, bytes, size, 0n)),
  );
  for (const [access, path] of permissions.paths) {
    addPath(ruleset, path, ACCESS[access] & handled);
  }
  if (hasNet) {
    for (const port of permissions.bind) addPort(ruleset, port, NET.bind);
    for (const port of permissions.connect) addPort(ruleset, port, NET.connect);
  }
  check("prctl", libc.prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n));
  check("landlock_restrict_self", callThread(SYS.restrictSelf, BigInt(ruleset.number), 0n));
}

function addPath(ruleset: Descriptor, path: string, rights: bigint): void {
  const number = libc.open(cString(path), O_PATH | O_CLOEXEC, 0);
  if (number < 0) {
    const error = new SystemError("open");
    if ([Errno.ENOENT, Errno.EACCES, Errno.ENOTDIR].some((one) => one === error.errno)) return;
    throw error;
  }
  using file = new Descriptor(number);
  const isDirectory = (descriptorStatus(file).mode & FileType.mask) === FileType.directory;
  const allowed = isDirectory ? rights : rights & OF_FILES;
  if (allowed === 0n) return;
  // struct landlock_path_beneath_attr, packed.
  const rule = new Uint8Array(12);
  const view = new DataView(rule.buffer);
  view.setBigUint64(0, allowed, true);
  view.setInt32(8, file.number, true);
  add(ruleset, RULE_PATH_BENEATH, rule);
}

function addPort(ruleset: Descriptor, port: number, right: bigint): void {
  // struct landlock_net_port_attr
  add(ruleset, RULE_NET_PORT, new Uint8Array(BigUint64Array.of(right, BigInt(port)).buffer));
}

function add(ruleset: Descriptor, type: bigint, rule: Uint8Array<ArrayBuffer>): void {
  const result = libc.landlock_add_rule(SYS.addRule, ruleset.number, type, rule, 0);
  check("landlock_add_rule", result);
}
