/**
 * The arguments of `ipcauth run-as`.
 *
 * @module
 */
import { flagsOf, type ParsedCommand, usage } from "./command_line.ts";

/**
 * Reads them.
 *
 * @throws {Failure} 125 for every mistake: the other codes are those of the program.
 */
export function parseRunAs(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "run-as", { switches: ["allow-tty-input"], stopEarly: true });
  return {
    flags,
    command: () => {
      const [who, ...words] = flags.words;
      if (who === undefined) throw usage("run-as needs a user", "run-as", 125);
      // Only the first `--` divides; one that follows the program's name is an argument of it.
      const program = words.length > 0
        ? flags.rest === null ? words : [...words, "--", ...flags.rest]
        : flags.rest ?? [];
      if (program.length === 0) throw usage("run-as needs a program", "run-as", 125);
      return { kind: "run-as", who, program, allowTtyInput: flags.has("allow-tty-input") };
    },
  };
}
