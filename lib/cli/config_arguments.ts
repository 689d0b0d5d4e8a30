/**
 * The arguments of `ipcauth config`.
 *
 * @module
 */
import { flagsOf, operands, type ParsedCommand, unknownVerb, usage } from "./command_line.ts";
import type { ConfigAction } from "./config_action.ts";
import type { Flags } from "./flags.ts";

/** The verbs, in the order in which help lists them. */
export const CONFIG_VERBS = ["check", "show", "schema"] as const;

/** Reads the arguments. @throws {Failure} 64 for an unknown verb or an operand out of place. */
export function parseConfigCommand(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "config", { switches: ["json"] });
  return {
    flags,
    command: () => ({ kind: "config", action: configAction(flags), json: flags.has("json") }),
  };
}

function configAction(flags: Flags): ConfigAction {
  const [verb, ...words] = operands(flags);
  const atMost = (count: number): void => {
    if (words.length > count) throw usage(`"${words[count]}" is out of place`, "config");
  };
  switch (verb) {
    case "check": {
      atMost(1);
      const file = words[0] ?? null;
      if (file !== null && flags.one("config") !== null) {
        throw usage("config check takes FILE or --config FILE, not both", "config");
      }
      return { verb, file };
    }
    case "show":
    case "schema":
      atMost(0);
      return { verb };
    case undefined:
      throw usage("Usage: ipcauth config check [FILE] | show | schema", "config");
    default:
      throw unknownVerb("config", verb, CONFIG_VERBS);
  }
}
