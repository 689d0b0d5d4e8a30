/**
 * The arguments of `ipcauth serve`.
 *
 * @module
 */
import { ADDRESS_FLAGS, optionalValue, refuseWords, valueOrDefault } from "./address_flags.ts";
import { WORKER_BOUNDS } from "../config/worker_bounds.ts";
import { flagsOf, type ParsedCommand, type ServeCommand, usage } from "./command_line.ts";
import type { Flags } from "./flags.ts";

/**
 * Reads them.
 *
 * @throws {Failure} 64 for a flag that is unknown, incomplete or contradicts another.
 */
export function parseServe(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "serve", {
    optional: ADDRESS_FLAGS,
    values: ["forward", "identity", "drop-to", "workers"],
    switches: ["exec", "check", "no-sandbox"],
  });
  return { flags, command: () => serveCommand(flags) };
}

function serveCommand(flags: Flags): ServeCommand {
  refuseWords(flags, "serve");
  const keys = flags.all("key").map(valueOrDefault);
  const tcp = flags.one("tcp");
  const service = serviceOf(flags);
  if (keys.length > 0 && tcp === null && flags.has("unix")) {
    throw usage("--key is for TCP, and there is no --tcp", "serve");
  }
  return {
    kind: "serve",
    unix: optionalValue(flags.one("unix")),
    tcp: optionalValue(tcp),
    keys,
    check: flags.has("check"),
    noSandbox: flags.has("no-sandbox"),
    dropTo: flags.one("drop-to"),
    workers: workersOf(flags.one("workers")),
    service,
  };
}

function workersOf(text: string | null): number | null {
  if (text === null) return null;
  const { min, max } = WORKER_BOUNDS;
  const number = /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : NaN;
  if (number >= min && number <= max) return number;
  throw usage(`--workers is a whole number from ${min} to ${max}, not "${text}"`, "serve");
}

function serviceOf(flags: Flags): ServeCommand["service"] {
  const forward = flags.one("forward");
  const identity = flags.oneOf("identity", ["none", "proxy-v2", "impersonate"]);
  const isExec = flags.has("exec");
  if (forward !== null && isExec) {
    throw usage(
      "--forward and --exec exclude each other: a connection goes to one service",
      "serve",
    );
  }
  if (identity !== null && forward === null) {
    throw usage("--identity says what --forward passes on, and there is no --forward", "serve");
  }
  const argv = flags.rest ?? [];
  if (isExec && argv.length === 0) throw usage("--exec needs a program behind --", "serve");
  if (!isExec && flags.rest !== null) throw usage("A program behind -- needs --exec", "serve");
  if (forward !== null) return { kind: "forward", target: forward, identity: identity ?? "none" };
  return isExec ? { kind: "exec", argv } : null;
}
