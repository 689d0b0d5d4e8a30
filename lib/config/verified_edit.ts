/**
 * What the edits of a configuration have in common: the file an edit is for, and the check that it
 * changed what was intended and nothing else.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import { MAX_ID, parseId } from "../policy/id.ts";
import { type HintCommands, shellCommands } from "../text/hint_commands.ts";
import { didYouMean } from "../text/nearest.ts";
import { requireSameReading } from "./both_readers.ts";
import { configValues } from "./config_text.ts";
import type { ReservedId } from "./names.ts";
import { parseConfig } from "./schema.ts";
import type { Config } from "./types.ts";

/** The file that an edit is for. */
export interface FileContext {
  /** The file's name in messages. */
  readonly path: string;
  readonly reserved: ReservedId;
  /** The flags by which the commands of hints find the file, such as ` --config FILE`. */
  readonly flags?: string;
  /** The commands of its hints; left out for those of a shell with the flags. */
  readonly commands?: HintCommands;
  /** The index of the user that was edited, where it was one. */
  readonly user?: number;
}

/** The commands of an edit's hints. */
export function commandsOf({ commands, flags = "" }: FileContext): HintCommands {
  return commands ?? shellCommands(flags);
}

/**
 * Checks an edit: the text is parsed, so that no edit makes a file that the server refuses.
 *
 * @param text The edited text.
 * @param before The configuration before the edit.
 * @param intended The values that the edit changes, by the keys of the whole file, as they have to
 * be now.
 * @returns The edited text.
 * @throws {Failure} 70 when it has other values, or differs in anything else; 78 when two parsers
 * read it in different ways.
 */
export function verified(
  text: string,
  before: Config,
  intended: Readonly<Record<string, unknown>>,
  { path, reserved, user }: FileContext,
): string {
  let after: Config;
  try {
    after = parseConfig(text, path, reserved);
  } catch (cause) {
    throw unedited(path, cause);
  }
  const expected = { ...configValues(before), ...intended };
  if (meaning(configValues(after)) !== meaning(expected)) throw unedited(path, undefined);
  requireSameReading(text, path, user ?? null);
  return text;
}

/** Values as a text. The order in an `allow` list has no meaning. */
function meaning(values: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(
    values,
    (key, value) => key === "allow" && Array.isArray(value) ? value.toSorted() : value,
  );
}

/** The value of a field that is true or false. @throws {Failure} 64 for any other. */
export function flagValue(field: string, value: string, hint: string): boolean {
  if (value === "true" || value === "false") return value === "true";
  throw invalid(`${field} is true or false, not ${JSON.stringify(value)}`, hint);
}

/** The value of a field that is a uid or gid. @throws {Failure} 64 for any other. */
export function idValue(value: string, hint: string): number {
  const number = parseId(value);
  if (number !== null) return number;
  throw invalid(
    `${JSON.stringify(value)} is not an id: it is a whole number from 0 to ${MAX_ID}`,
    hint,
  );
}

/** The message about a field that does not exist. @param what Such as `user`. */
export function unknownField(what: string, field: string, fields: readonly string[]): string {
  return `A ${what} has no field ${JSON.stringify(field)}` +
    (didYouMean(field, fields) || `; the fields are ${fields.join(", ")}`);
}

/** The failure of a value that cannot be. */
export function invalid(message: string, hint: string): Failure {
  return new Failure(message, { exit: ExitCode.usage, hint });
}

function unedited(path: string, cause: unknown): Failure {
  return new Failure(`Cannot edit ${path} without changing more than was intended`, {
    exit: ExitCode.software,
    hint: `edit ${path} by hand; nothing was written`,
    cause,
  });
}
