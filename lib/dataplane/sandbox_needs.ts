/**
 * The files, directories and ports that a configuration needs.
 *
 * The kernel knows files and directories, not names: what is replaced by `rename(2)` is another
 * file, so that the directory of each file is what a server needs.
 *
 * @module
 */
import { dirname, resolve } from "@std/path";
import type { ConfigPlaces } from "../config/default_paths.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import { isAbsent } from "../files/system_reason.ts";
import { FileType, findStatus } from "../libc/file_status.ts";
import type { InheritedAddress } from "../libc/inherited_sockets.ts";
import type { PathPermission } from "../libc/landlock.ts";
import { realPath } from "../libc/path_names.ts";
import { logPath } from "../log/log_settings.ts";
import { findListener } from "../net/address.ts";
import type { Position } from "../policy/types.ts";

/** A path that is needed, and what for. */
export interface NeededPlace {
  readonly permission: PathPermission;
  readonly path: string;
  /** Such as `the directory of the socket`. */
  readonly what: string;
  /** The listener in the file that needs it; null where another part does. */
  readonly at: Position | null;
}

/** A TCP port that is needed. */
export interface NeededPort {
  readonly permission: "bind" | "connect";
  readonly port: number;
  readonly at: Position;
}

/** What the needs are read from. */
export interface SandboxNeedsOptions {
  readonly places: ConfigPlaces;
  /** The sockets that a service manager opened, which need nothing. */
  readonly inherited: readonly InheritedAddress[];
}

/**
 * The paths that a configuration needs, some more than once.
 *
 * @param listeners Those that are served with it.
 * @throws {SystemError} When a path cannot be looked at.
 */
export function neededPaths(
  config: Config,
  listeners: readonly ListenerConfig[],
  { places, inherited }: SandboxNeedsOptions,
): readonly NeededPlace[] {
  const needs: NeededPlace[] = [];
  const needFile = (permission: PathPermission, file: string, what: string, at?: Position) => {
    // A link may lead to another directory.
    for (const path of new Set([dirname(resolve(file)), dirname(realPathOf(file))])) {
      needs.push({ permission, path, what, at: at ?? null });
    }
  };
  for (const place of places.paths) {
    // Where it is missing, no directory above it is left instead: that could be a whole home.
    if (findStatus(dirname(resolve(place))) !== null) needFile("write", place, "the configuration");
  }
  const log = logPath(config.log);
  if (log !== null && isDevice(log)) {
    needs.push({ permission: "device", path: log, what: "the log file", at: null });
  } else if (log !== null) needFile("append", log, `the log file ${log}`);
  for (const listener of listeners) {
    const { at } = listener;
    if (listener.kind === "unix") {
      if (findListener(inherited, listener) !== undefined) continue;
      const path = dirname(resolve(listener.path));
      needs.push({ permission: "socket", path, what: `the socket ${listener.path}`, at });
      continue;
    }
    for (const key of listener.keys) needFile("read", key.file, `the key ${key.file}`, key.at);
    for (const { directory, at } of listener.keyDirectories) {
      needs.push({ permission: "read", path: directory, what: "the directory of keys", at });
    }
  }
  return needs;
}

/** The TCP ports that listeners and their backends need. */
export function neededPorts(listeners: readonly ListenerConfig[]): readonly NeededPort[] {
  return listeners.flatMap((listener): NeededPort[] => {
    const { at, service } = listener;
    return [
      ...listener.kind === "tcp" ? [{ permission: "bind", port: listener.port, at } as const] : [],
      ...service.kind === "forward" && service.target.kind === "tcp"
        ? [{ permission: "connect", port: service.target.port, at } as const]
        : [],
    ];
  });
}

/** A path without links, as far as it exists. @throws {SystemError} When it cannot be read. */
export function realPathOf(path: string): string {
  try {
    return realPath(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    const above = dirname(resolve(path));
    return above === "/" ? resolve(path) : resolve(realPathOf(above), lastPart(path));
  }
}

function lastPart(path: string): string {
  return resolve(path).replace(/^.*\//s, "");
}

function isDevice(path: string): boolean {
  const status = findStatus(path);
  return status !== null && (status.mode & FileType.mask) === FileType.character;
}
