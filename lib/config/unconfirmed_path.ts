/**
 * Where the record of an unconfirmed edit is: beside the configuration. This is a module of its
 * own, because a server looks for a record at each start and finds one after a crash alone.
 *
 * @module
 */
import { isAbsent, isPassing } from "../files/system_reason.ts";
import { linkStatus } from "../libc/file_status.ts";
import { realPath } from "../libc/path_names.ts";
import type { ConfigPlaces } from "./default_paths.ts";

/**
 * The path of the record of a configuration.
 *
 * @throws {SystemError} `ENOENT` when there is no configuration.
 */
export function recordPath(config: string): string {
  return `${realPath(config)}.unconfirmed`;
}

/**
 * Finds the configuration that a server is about to read, where it has a record, or may have one
 * that cannot be looked at at the moment.
 *
 * @returns Its path, or null.
 */
export function findUnconfirmed({ paths }: ConfigPlaces): string | null {
  for (const path of paths) {
    try {
      return linkStatus(recordPath(path)) === null ? null : path;
    } catch (error) {
      if (isPassing(error)) return path;
      // A path that leads nowhere is reported when the configuration is read.
      if (!isAbsent(error)) return null;
    }
  }
  return null;
}
