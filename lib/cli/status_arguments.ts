/**
 * The arguments of `ipcauth status`.
 *
 * @module
 */
import { ADDRESS_FLAGS, refuseWords } from "./address_flags.ts";
import { flagsOf, type ParsedCommand, usage } from "./command_line.ts";
import { serverOf } from "./connect_arguments.ts";

/** Reads them. @throws {Failure} 64 for an operand, or a flag that contradicts another. */
export function parseStatus(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "status", {
    optional: ADDRESS_FLAGS,
    values: ["server-user"],
    switches: ["json"],
  });
  return {
    flags,
    command: () => {
      refuseWords(flags, "status");
      if (flags.rest !== null) throw usage("status takes no operand", "status");
      return {
        kind: "status",
        to: serverOf(flags, "status"),
        serverUser: flags.one("server-user"),
        json: flags.has("json"),
      };
    },
  };
}
