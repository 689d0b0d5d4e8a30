/**
 * The arguments of `ipcauth keys`, and the flags of `gen-key` that write an entry.
 *
 * @module
 */
import { parseTime } from "../config/listener_keys.ts";
import { flagsOf, operands, type ParsedCommand, unknownVerb, usage } from "./command_line.ts";
import type { Flags } from "./flags.ts";
import { takeOperands } from "./id_flag.ts";
import type { KeyEntry, KeysAction } from "./keys_action.ts";

/** The verbs, in the order in which help lists them. */
export const KEYS_VERBS = ["list", "add", "revoke", "rotate"] as const;

/** The flags that describe an entry of `keys:`. */
export const ENTRY_FLAGS = ["user", "listener", "not-after"];

/** Reads the arguments. @throws {Failure} 64 for what the verb does not take. */
export function parseKeys(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "keys", { values: ENTRY_FLAGS, switches: ["json"] });
  return {
    flags,
    command: () => ({ kind: "keys", action: keysAction(flags), json: flags.has("json") }),
  };
}

/** What the flags say about an entry. @throws {Failure} 64 for a time that is none. */
export function entryOf(flags: Flags, topic: string): KeyEntry {
  return {
    user: flags.one("user"),
    listener: flags.one("listener"),
    notAfter: timeOf(flags, topic),
  };
}

function keysAction(flags: Flags): KeysAction {
  const [verb = "list", ...words] = operands(flags);
  const refuse = (...names: string[]): void => {
    const given = names.find((name) => flags.has(name));
    if (given !== undefined) throw usage(`--${given} does not go with keys ${verb}`, "keys");
  };
  switch (verb) {
    case "list":
      refuse(...ENTRY_FLAGS);
      takeOperands(words, [], "keys list");
      return { verb };
    case "add": {
      const line = "keys add FILE [--user NAME] [--listener ADDRESS] [--not-after TIME]";
      const [file] = takeOperands(words, ["FILE"], line);
      return { verb, file, entry: entryOf(flags, "keys") };
    }
    case "revoke": {
      refuse("user", "not-after");
      const [id] = takeOperands(words, ["ID"], "keys revoke ID|FILE [--listener ADDRESS]");
      return { verb, id: keyIdOf(id), listener: flags.one("listener") };
    }
    case "rotate": {
      refuse("user");
      const line = "keys rotate ID|FILE [--listener ADDRESS] [--not-after TIME]";
      const [id] = takeOperands(words, ["ID"], line);
      const { listener, notAfter } = entryOf(flags, "keys");
      return { verb, id: keyIdOf(id), listener, notAfter };
    }
    default:
      throw unknownVerb("keys", verb, KEYS_VERBS);
  }
}

function keyIdOf(word: string): string {
  if (/^[0-9a-f]{16}$/i.test(word)) return word.toLowerCase();
  if (word.includes("/")) return word;
  throw usage(
    `"${word}" is not a key id: it is 16 hexadecimal digits, of ipcauth keys, or the path of a ` +
      "key file, such as ./bob.key",
    "keys",
  );
}

function timeOf(flags: Flags, topic: string): number | null {
  const text = flags.one("not-after");
  if (text === null) return null;
  const time = parseTime(text);
  if (time === null) {
    throw usage(`--not-after: "${text}" is not a time: write 2027-06-30T00:00:00Z`, topic);
  }
  if (time <= Date.now()) throw usage(`--not-after: ${text} is over already`, topic);
  return time;
}
