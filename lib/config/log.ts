/**
 * `log:`.
 *
 * @module
 */
import type { Value } from "./document.ts";
import type { Reader } from "./reader.ts";
import { DEFAULT_LOG, LOG_FORMATS, LOG_LEVELS, type LogConfig } from "./types.ts";

/** The keys of `log:`. */
export const LOG_KEYS = ["level", "format", "file"] as const;

/** Reads where the log goes and what is in it. */
export function readLog(value: Value | null, reader: Reader): LogConfig {
  const fields = value && reader.fields(value, LOG_KEYS);
  const file = fields?.get("file");
  const level = fields?.get("level");
  const format = fields?.get("format");
  return {
    level: (level && reader.choice(level, LOG_LEVELS)) ?? DEFAULT_LOG.level,
    format: (format && reader.choice(format, LOG_FORMATS)) ?? DEFAULT_LOG.format,
    file: (file && readLogFile(file, reader)) ?? DEFAULT_LOG.file,
  };
}

function readLogFile(value: Value, reader: Reader): string | null {
  const path = reader.text(value, value, "the log file");
  if (path === null || path.startsWith("/") && !path.endsWith("/")) return path;
  return reader.refuse(value, `the log file ${path} is not the path of a file that begins with /`);
}
