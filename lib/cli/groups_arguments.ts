/**
 * The arguments of `ipcauth groups`.
 *
 * @module
 */
import { flagsOf, operands, type ParsedCommand, unknownVerb, usage } from "./command_line.ts";
import type { Flags } from "./flags.ts";
import type { GroupsAction } from "./groups_action.ts";
import { idFlag, takeOperands } from "./id_flag.ts";
import { USERS_VERBS } from "./users_arguments.ts";

/** The verbs, in the order in which help lists them. */
export const GROUPS_VERBS = USERS_VERBS;

/** Reads them. @throws {Failure} 64 for an unknown verb, or operands and flags it does not take. */
export function parseGroups(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "groups", {
    values: ["gid"],
    switches: ["local-ipc-access", "json"],
  });
  return {
    flags,
    command: () => ({ kind: "groups", action: groupsAction(flags), json: flags.has("json") }),
  };
}

function groupsAction(flags: Flags): GroupsAction {
  const [verb = "list", ...words] = operands(flags);
  if (verb !== "add") {
    for (const flag of ["gid", "local-ipc-access"]) {
      if (flags.has(flag)) throw usage(`--${flag} goes with groups add only`, "groups");
    }
  }
  switch (verb) {
    case "list":
      takeOperands(words, [], "groups list");
      return { verb };
    case "show":
    case "allow":
    case "deny":
    case "remove": {
      const [name] = takeOperands(words, ["NAME"], `groups ${verb} NAME`);
      return { verb, name };
    }
    case "set": {
      const line = "groups set NAME gid|local_ipc_access VALUE";
      const [name, field, value] = takeOperands(words, ["NAME", "FIELD", "VALUE"], line);
      return { verb, name, field, value };
    }
    case "check": {
      const [who] = takeOperands(words, ["GID|NAME"], "groups check GID|NAME");
      return { verb, who };
    }
    case "add": {
      const [name] = takeOperands(
        words,
        ["NAME"],
        "groups add NAME [--gid N] [--local-ipc-access]",
      );
      const gid = idFlag(flags, "gid", "groups");
      return { verb, name, gid, localIpcAccess: flags.has("local-ipc-access") };
    }
    default:
      throw unknownVerb("groups", verb, GROUPS_VERBS);
  }
}
