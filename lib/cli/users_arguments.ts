/**
 * The arguments of `ipcauth users`.
 *
 * @module
 */
import { parseId } from "../policy/id.ts";
import { flagsOf, operands, type ParsedCommand, usage } from "./command_line.ts";
import type { Flags } from "./flags.ts";
import type { UsersAction } from "./users_action.ts";

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
  // The operands after the verb, as many as it has names for.
  const take = (...names: string[]): string[] => {
    if (words.length === names.length) return words;
    throw usage(`Usage: ipcauth users ${[verb, ...names].join(" ")}`, "users");
  };
  switch (verb) {
    case "list":
      take();
      return { verb };
    case "show":
    case "allow":
    case "deny":
    case "remove": {
      const [name] = take("NAME");
      return { verb, name: name! };
    }
    case "set": {
      const [name, field, value] = take("NAME", "FIELD", "VALUE");
      return { verb, name: name!, field: field!, value: value! };
    }
    case "check": {
      const [who] = take("UID|NAME");
      return { verb, who: who! };
    }
    case "add": {
      const [name] = take("NAME");
      const uid = id(flags, "uid");
      if (uid === null) throw usage("users add needs --uid N", "users");
      return {
        verb,
        name: name!,
        uid,
        gid: id(flags, "gid"),
        localIpcAccess: flags.has("local-ipc-access"),
        admin: flags.has("admin"),
      };
    }
    default:
      throw usage(`There is no "users ${verb}"`, "users");
  }
}

/**
 * A flag's value as a uid or gid, or null where it is absent.
 *
 * @throws {Failure} 64 for any other.
 */
function id(flags: Flags, name: string): number | null {
  const text = flags.one(name);
  if (text === null) return null;
  const value = parseId(text);
  if (value === null) {
    throw usage(
      `--${name}: "${text}" is not an id; it is a whole number from 0 to 4294967294`,
      "users",
    );
  }
  return value;
}
