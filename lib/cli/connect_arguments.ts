/**
 * The arguments of `ipcauth connect`.
 *
 * @module
 */
import { ADDRESS_FLAGS, optionalValue, refuseWords, valueOrDefault } from "./address_flags.ts";
import { type ConnectCommand, flagsOf, type ParsedCommand, usage } from "./command_line.ts";
import type { Flags } from "./flags.ts";

/**
 * Reads them.
 *
 * @throws {Failure} 64 for a flag that is unknown, incomplete or contradicts another.
 */
export function parseConnect(argv: readonly string[]): ParsedCommand {
  const flags = flagsOf(argv, "connect", {
    optional: ADDRESS_FLAGS,
    values: ["user", "server-user", "listen", "command"],
    switches: ["pipe", "allow-remote", "yes"],
  });
  return { flags, command: () => connectCommand(flags) };
}

function connectCommand(flags: Flags): ConnectCommand {
  refuseWords(flags, "connect");
  if (flags.rest !== null) {
    throw usage("connect starts no program: nothing goes behind --", "connect");
  }
  const to = serverOf(flags, "connect");
  const mode = modeOf(flags);
  return {
    kind: "connect",
    to,
    user: flags.one("user"),
    serverUser: flags.one("server-user"),
    mode,
  };
}

/** The server that the flags name. @throws {Failure} 64 for flags that exclude each other. */
export function serverOf(flags: Flags, topic: string): ConnectCommand["to"] {
  const unix = flags.one("unix");
  const tcp = flags.one("tcp");
  const key = flags.one("key");
  if (unix !== null && tcp !== null) throw usage("--unix and --tcp exclude each other", topic);
  if (unix !== null && key !== null) {
    throw usage("--key is for TCP; on a Unix socket the kernel says who you are", topic);
  }
  return tcp !== null || key !== null
    ? { kind: "tcp", address: valueOrDefault(tcp ?? ""), key: valueOrDefault(key ?? "") }
    : { kind: "unix", path: optionalValue(unix) };
}

function modeOf(flags: Flags): ConnectCommand["mode"] {
  const commands = flags.all("command");
  const listen = flags.one("listen");
  const given = [
    commands.length > 0 && "-c",
    flags.has("pipe") && "--pipe",
    listen !== null && "--listen",
  ].filter((flag) => flag !== false);
  if (given.length > 1) throw usage(`${given.join(" and ")} exclude each other`, "connect");
  const allowRemote = flags.has("allow-remote");
  if (allowRemote && !listen?.startsWith("tcp:")) {
    throw usage("--allow-remote goes with --listen tcp:HOST:PORT", "connect");
  }
  const assumeYes = flags.has("yes");
  if (assumeYes && (listen !== null || flags.has("pipe"))) {
    throw usage("--yes goes with the console", "connect");
  }
  if (listen !== null) return { kind: "listen", address: listen, allowRemote };
  return flags.has("pipe") ? { kind: "pipe" } : { kind: "console", commands, assumeYes };
}
