/**
 * The arguments of `ipcauth users`.
 *
 * @module
 */
import { flagsOf, operands, type ParsedCommand, unknownVerb, usage } from "./command_line.ts";
import type { Flags } from "./flags.ts";
import { idFlag, takeOperands } from "./id_flag.ts";
import type { UsersAction } from "./users_action.ts";

/** The verbs, in the order in which help lists them. */
export const USERS_VERBS = [
  "list",
  "show",
  "add",
  "set",
  "allow",
  "deny",
  "remove",
  "check",
] as const;

/** Reads them. @throws {Failure} 64 for an unknown verb, or operands and flags it does not take. */
export function parseUsers(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "users", {
    values: ["uid", "gid"],
    switches: ["local-ipc-access", "admin", "json"],
  });
  return {
    flags,
    command: () => ({ kind: "users", action: usersAction(flags), json: flags.has("json") }),
  };
}

function usersAction(flags: Flags): UsersAction {
  const [verb = "list", ...words] = operands(flags);
  if (verb !== "add") {
    for (const flag of ["uid", "gid", "local-ipc-access", "admin"]) {
      if (flags.has(flag)) throw usage(`--${flag} goes with users add only`, "users");
    }
  }
  switch (verb) {
    case "list":
      takeOperands(words, [], "users list");
      return { verb };
    case "show":
    case "allow":
    case "deny":
    case "remove": {
      const [name] = takeOperands(words, ["NAME"], `users ${verb} NAME`);
      return { verb, name };
    }
    case "set": {
      const line = "users set NAME uid|gid|local_ipc_access|admin VALUE";
      const [name, field, value] = takeOperands(words, ["NAME", "FIELD", "VALUE"], line);
      return { verb, name, field, value };
    }
    case "check": {
      const [who] = takeOperands(words, ["UID|NAME"], "users check UID|NAME");
      return { verb, who };
    }
    case "add": {
      const line = "users add NAME [--uid N] [--gid N] [--local-ipc-access] [--admin]";
      const [name] = takeOperands(words, ["NAME"], line);
      return {
        verb,
        name,
        uid: idFlag(flags, "uid", "users"),
        gid: idFlag(flags, "gid", "users"),
        localIpcAccess: flags.has("local-ipc-access"),
        admin: flags.has("admin"),
      };
    }
    default:
      throw unknownVerb("users", verb, USERS_VERBS);
  }
}
