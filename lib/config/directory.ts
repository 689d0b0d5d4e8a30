/**
 * `directory:`.
 *
 * @module
 */
import type { Value } from "./document.ts";
import type { Reader } from "./reader.ts";
import { DEFAULT_DIRECTORY, type DirectoryConfig } from "./types.ts";

/** The keys of `directory:`. */
export const DIRECTORY_KEYS = ["refresh"] as const;

/** The least `refresh`, in milliseconds: an answer takes its time. */
const MIN_REFRESH_MS = 1_000;

/** Reads how the name service is used. */
export function readDirectory(value: Value | null, reader: Reader): DirectoryConfig {
  const refresh = value && reader.fields(value, DIRECTORY_KEYS)?.get("refresh");
  if (!refresh) return DEFAULT_DIRECTORY;
  const time = reader.duration(refresh);
  if (time === null) return DEFAULT_DIRECTORY;
  if (time === 0) reader.refuse(refresh, "an answer that may have no age is never known");
  return { refresh: Math.max(time, MIN_REFRESH_MS) };
}
