/**
 * The start of a server in its sandbox. The runtime's threads run already when the configuration is
 * read, and Landlock binds the thread that asks for it. So the main thread restricts itself and
 * becomes a new run of the same program, whose threads all inherit the restriction (`execve(2)`),
 * and with it a filter of system calls. The pid and all that was passed to the process stay.
 *
 * @module
 */
import { dirname, fromFileUrl } from "@std/path";
import { FILE_LIMIT } from "../config/launcher_environment.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import { neededPaths, neededPorts, realPathOf } from "../dataplane/sandbox_needs.ts";
import type { SandboxNeedsOptions } from "../dataplane/sandbox_needs.ts";
import type { SandboxPermissions } from "../dataplane/sandbox.ts";
import { ExitCode, Failure, messageOf } from "../errors.ts";
import { describe, Errno, SystemError } from "../libc/errno.ts";
import type { InheritedSocket } from "../libc/inherited_sockets.ts";
import { fileStatus } from "../libc/file_status.ts";
import { keepOnExec } from "../libc/inherited_sockets.ts";
import { landlockVersion, type PathPermission, restrictThread } from "../libc/landlock.ts";
import { execSelf, readVariable, removeVariable, restoreDefaults } from "../libc/process.ts";
import { readProc, tryToRead } from "../libc/read_file.ts";
import { hasCallFilters } from "../libc/call_filter.ts";
import {
  dropUnneededCapabilities,
  refusePrograms,
  refuseUnneededCalls,
} from "../libc/server_calls.ts";
import { continueSelf, leaveSignals, passOnSignals } from "../libc/signals.ts";
import { prepareSocketDirectory } from "../net/socket_place.ts";
import type { ProcessSignals } from "./process_signals.ts";

/** The variable that tells the next run of the program what it has left. */
const VARIABLE = "IPCAUTH_SANDBOX";
/** The longest value of a variable that a process can inherit, less its name. */
const MAX_VALUE = 32 * 4096 - 64;
/** asm-generic/errno.h */
const EOPNOTSUPP = 95;
/** Of DNS over TCP. */
const DNS_PORT = 53;

/** Why a server has no sandbox. */
export interface SandboxReason {
  readonly reason: string;
  /** Whether its operator should know, because only the machine is the reason. */
  readonly isOfMachine: boolean;
}

/** What a sandbox is made for. */
export interface SandboxStart extends SandboxNeedsOptions {
  readonly inherited: readonly InheritedSocket[];
  readonly config: Config;
  readonly listeners: readonly ListenerConfig[];
  /** `--no-sandbox`. */
  readonly isRefused: boolean;
  readonly serverUid: number;
  /** Whether the server becomes another user (`--drop-to`). */
  readonly isDropping: boolean;
  /** The address of the program's own module. */
  readonly self: string;
  readonly signals: ProcessSignals;
  /** `NOTIFY_SOCKET`. */
  readonly notifySocket: string | undefined;
}

/**
 * What this run of the program has left, where the one before it has restricted itself.
 *
 * @throws {Failure} 71 when it should be restricted and is not.
 */
export function takePermissions(pid: number): SandboxPermissions | null {
  const text = readVariable(VARIABLE);
  removeVariable(VARIABLE);
  const [, owner, value] = /^([0-9]+) (.*)$/s.exec(text ?? "") ?? [];
  // An inherited variable that was meant for another process.
  if (value === undefined || owner !== String(pid)) return null;
  if (isRestricted()) {
    forgoPrograms();
    return JSON.parse(value);
  }
  throw new Failure("The sandbox is not in force", {
    exit: ExitCode.os,
    hint: `env -u ${VARIABLE} ipcauth serve`,
  });
}

/** This run of the program is the last one. */
function forgoPrograms(): void {
  try {
    refusePrograms();
  } catch (cause) {
    if (!(cause instanceof SystemError)) throw cause;
    throw new Failure(`Cannot refuse programs in the sandbox: ${cause.message}`, {
      exit: ExitCode.os,
      hint: "ipcauth serve --no-sandbox",
      cause,
    });
  }
}

/**
 * Directories that every user may read almost everywhere. A sandbox leaves the first one never, and
 * hardly all of the others.
 */
const OUTSIDE = ["/", "/dev", "/usr", "/sys", "/var"];
/** Read permission of the owner, the group and all others. */
const READABLE = 0o444;

/** Whether something beside the modes of files keeps this thread from reading. */
function isRestricted(): boolean {
  return OUTSIDE.some((path) => isForAll(path) && tryToRead(path) === Errno.EACCES);
}

function isForAll(path: string): boolean {
  try {
    return (fileStatus(path).mode & READABLE) === READABLE;
  } catch {
    return false;
  }
}

/**
 * Becomes a new run of the program, in a sandbox.
 *
 * @returns Why there is none. With one, it never returns.
 * @throws {Failure} 71 or 78 when there is to be one in any case, and cannot be.
 */
export async function startSandbox(start: SandboxStart): Promise<SandboxReason> {
  const { config, isRefused, signals } = start;
  requireNoPrograms(start);
  if (isRefused) return { reason: "--no-sandbox", isOfMachine: false };
  if (config.sandbox === "off") return { reason: "sandbox: off", isOfMachine: false };
  const isOn = config.sandbox === "on";
  const obstacle = isOn ? null : functionObstacle(start);
  if (obstacle !== null) return { reason: obstacle, isOfMachine: false };
  let version: number;
  try {
    version = landlockVersion();
  } catch (error) {
    return unless(isOn, kernelReason(error), ExitCode.os, true);
  }
  if (!hasCallFilters()) {
    return unless(isOn, "system calls cannot be filtered here (seccomp)", ExitCode.os, true);
  }
  const permissions = permissionsFor(start, version);
  const value = `${Deno.pid} ${JSON.stringify(permissions)}`;
  const tooMuch = pathObstacle(permissions, value);
  if (tooMuch !== null) return unless(isOn, tooMuch, ExitCode.config);
  try {
    restrictThread(permissions.version, permissions);
  } catch (error) {
    return unless(isOn, kernelReason(error), ExitCode.os, true);
  }
  const caught = await signals.leave({ continueSelf, leaveSignals });
  try {
    dropUnneededCapabilities();
    refuseUnneededCalls();
    for (const { descriptor } of start.inherited) keepOnExec(descriptor);
    restoreDefaults(readVariable(FILE_LIMIT));
    passOnSignals(caught);
    return execSelf(VARIABLE, value);
  } catch (cause) {
    throw new Failure(`Cannot start the program again in its sandbox: ${messageOf(cause)}`, {
      exit: ExitCode.os,
      hint: "ipcauth serve --no-sandbox",
      cause,
    });
  }
}

/**
 * Refuses services that start programs in a server that is to have a sandbox in any case: programs
 * of any user would inherit it.
 *
 * @throws {Failure} 78.
 */
export function requireNoPrograms(
  { config, listeners, isRefused }: Pick<SandboxStart, "config" | "listeners" | "isRefused">,
): void {
  if (config.sandbox === "on" && !isRefused && startsPrograms(listeners)) {
    unless(true, PROGRAMS, ExitCode.config);
  }
}

const PROGRAMS = "the programs of an exec service would inherit it";

function startsPrograms(listeners: readonly ListenerConfig[]): boolean {
  return listeners.some(({ service }) => service.kind === "exec");
}

/** What a sandbox would take from a server that did not ask for one. */
function functionObstacle(start: SandboxStart): string | null {
  const { config, listeners, places, isDropping } = start;
  if (startsPrograms(listeners)) return PROGRAMS;
  // The kernel shows /proc/PID/exe of a process outside of the sandbox to none in it; and to a
  // server that has given up root, that of its own user's processes alone.
  if (!isDropping && listeners.some(({ kind }) => kind === "unix")) {
    return `the log would not name the executables of peers on Unix sockets${ACCEPTED}`;
  }
  if (config.listeners !== null) {
    return `a reload could not add a listener with another port, directory or program${ACCEPTED}`;
  }
  return tryToRead(dirname(places.paths[0]!)) === Errno.ENOENT
    ? "the directory of the configuration does not exist yet"
    : null;
}

const ACCEPTED = `; "sandbox: on" accepts that`;

function pathObstacle({ paths }: SandboxPermissions, value: string): string | null {
  if (paths.some(([, path]) => path === "/")) {
    return "the root directory itself would be left to it, with all beneath";
  }
  return value.length > MAX_VALUE ? "the configuration needs too many directories" : null;
}

const FILTERED =
  "Landlock cannot be used here: operation not permitted (SystemCallFilter= of a unit, or a container)";

function kernelReason(error: unknown): string {
  if (!(error instanceof SystemError)) throw error;
  switch (error.errno) {
    case Errno.ENOSYS:
      return "this kernel has no Landlock";
    case EOPNOTSUPP:
      return "Landlock is not enabled in this kernel (lsm= of its command line)";
    case Errno.EPERM:
      return FILTERED;
    default:
      return `Landlock cannot be used here: ${describe(error.errno)}`;
  }
}

/** @throws {Failure} Where there is to be a sandbox in any case. */
function unless(
  isOn: boolean,
  reason: string,
  exit: ExitCode,
  isOfMachine = false,
): SandboxReason {
  if (!isOn) return { reason, isOfMachine };
  throw new Failure(`Cannot start in a sandbox, as "sandbox: on" says: ${reason}`, {
    exit,
    hint: "write sandbox: auto, or start with ipcauth serve --no-sandbox",
  });
}

function permissionsFor(start: SandboxStart, version: number): SandboxPermissions {
  const { config, listeners, serverUid, self } = start;
  const madeDirectories = neededPaths(config, listeners, start)
    .filter(({ permission }) => permission === "socket")
    .map(({ path }) => prepareSocketDirectory(path, serverUid))
    .filter((made) => made !== null);
  const needed = neededPaths(config, listeners, start)
    .map(({ permission, path }) => [permission, realPathOf(path)] as const);
  const ports = neededPorts(listeners);
  const portsOf = (wanted: "bind" | "connect") =>
    ports.filter(({ permission }) => permission === wanted).map(({ port }) => port);
  return {
    version,
    paths: withoutDoubles([...needed, ...runtimePaths(self), ...nameService(), ...DEVICES]),
    bind: [...new Set(portsOf("bind"))],
    connect: [...new Set([...portsOf("connect"), DNS_PORT])],
    madeDirectories,
    abstractSockets: start.notifySocket?.startsWith("@") ?? false,
  };
}

type PathEntry = readonly [PathPermission, string];

function withoutDoubles(entries: readonly PathEntry[]): readonly PathEntry[] {
  return [...new Map(entries.map((entry) => [entry.join(" "), entry])).values()];
}

/** What the runtime opens: its program, its libraries, this program, and what the kernel says. */
function runtimePaths(self: string): readonly PathEntry[] {
  const mapped = new Set(
    readProc("/proc/self/maps").split("\n").flatMap((line) => /\s(\/.*)$/.exec(line)?.[1] ?? []),
  );
  const libraries = [...mapped].filter((path) => /\.so(\.|$)/.test(path));
  // The dynamic linker is a program: the kernel executes it for one (ld.so(8)).
  const linkers = libraries.filter((path) => /\/ld[^/]*\.so[^/]*$/.test(path));
  const directories = libraries.map((path) => dirname(path));
  return [
    ["run", "/proc/self/exe"],
    ...linkers.map((path) => ["run", path] as const),
    ...[...directories, ...LIBRARIES].map((path) => ["read", path] as const),
    ...["/proc", "/sys/devices/system", "/sys/fs/cgroup", "/usr/share/zoneinfo"]
      .map((path) => ["read", path] as const),
    ...self.startsWith("file:") ? modulePaths(self) : [],
  ];
}

/** A program in files is read again by each thread, and from source also the runtime's cache. */
function modulePaths(self: string): readonly PathEntry[] {
  const cache = readVariable("DENO_DIR") ?? `${readVariable("HOME") ?? ""}/.cache/deno`;
  return [
    ["read", dirname(realPathOf(fromFileUrl(self)))],
    ...cache.startsWith("/") ? [["write", cache] as const] : [],
  ];
}

const LIBRARIES = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

const DEVICES: readonly PathEntry[] = [
  ...["/dev/null", "/dev/zero", "/dev/tty"].map((path) => ["device", path] as const),
  ...["/dev/random", "/dev/urandom"].map((path) => ["read", path] as const),
];

/**
 * What the sources of the name service read (`nsswitch.conf(5)`), beside sockets. In `/etc` files
 * are replaced by others, so all of it can be read, as far as the server's user may; and so can the
 * directories that links lead to which stand there, such as that of `resolv.conf`.
 */
function nameService(): readonly PathEntry[] {
  const linked = NAME_FILES.map((name) => realPathOf(`/etc/${name}`)).map((file) => {
    const directory = dirname(file);
    return directory === "/" ? file : directory;
  });
  return [...NAME_DIRECTORIES, ...linked].map((path) => ["read", path] as const);
}

const NAME_FILES = [
  ...["gai.conf", "group", "host.conf", "hosts", "localtime", "networks", "nsswitch.conf"],
  ...["passwd", "protocols", "resolv.conf", "services"],
];

const NAME_DIRECTORIES = [
  ...["/etc", "/run/systemd/resolve", "/run/systemd/userdb", "/run/userdb", "/run/resolvconf"],
  ...["/run/NetworkManager", "/run/nscd", "/var/lib/extrausers", "/var/lib/sss", "/var/lib/misc"],
  ...["/var/db", "/var/cache/nscd", "/run/samba", "/nix/store"],
];
