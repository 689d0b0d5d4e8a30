/**
 * The arguments of each command. Impossible combinations cannot be expressed in what they are read into.
 *
 * @module
 */
import {
  type ConnectCommand,
  DEFAULT,
  flagsOf,
  help,
  type Invocation,
  operands,
  type Parsed,
  type Parser,
  parseWith,
  type ServeCommand,
  usage,
  type ValueOrDefault,
} from "./command_line.ts";
import type { Flags } from "./flags.ts";
import { parseRunAs } from "./run_as_arguments.ts";
import { parseUsers } from "./users_arguments.ts";

/** The subcommands, in the order in which help lists them. */
export const COMMANDS = [
  "serve",
  "connect",
  "run-as",
  "gen-key",
  "users",
  "help",
  "completions",
] as const;

/**
 * Parses a command line of the whole program.
 *
 * @param argv The arguments, without the program's name.
 * @throws {Failure} 64, with the command whose help explains it.
 */
export function parseCommandLine(argv: readonly string[]): Invocation {
  return parseWith(argv, parsers);
}

const parsers = {
  "serve": parseServe,
  "connect": parseConnect,
  "run-as": parseRunAs,
  "gen-key": parseGenKey,
  "users": parseUsers,
  "help": parseHelp,
  "completions": parseCompletions,
} satisfies Record<typeof COMMANDS[number], Parser>;

function parseServe(argv: readonly string[]): Parsed {
  const flags = flagsOf(argv, "serve", {
    optional: ["unix", "tcp", "key"],
    values: ["forward", "identity", "drop-to"],
    switches: ["exec"],
  });
  return { flags, command: () => serveCommand(flags) };
}

function serveCommand(flags: Flags): ServeCommand {
  noWords(flags, "serve");
  const forward = flags.one("forward");
  const identity = flags.oneOf("identity", ["none", "proxy-v2", "impersonate"]);
  if (forward !== null && flags.has("exec")) {
    throw usage(
      "--forward and --exec exclude each other: a connection goes to one service",
      "serve",
    );
  }
  if (identity !== null && forward === null) {
    throw usage("--identity says what --forward passes on, and there is no --forward", "serve");
  }
  const argv = flags.rest ?? [];
  if (flags.has("exec") && argv.length === 0) {
    throw usage("--exec needs a program behind --", "serve");
  }
  if (!flags.has("exec") && flags.rest !== null) {
    throw usage("A program behind -- needs --exec", "serve");
  }
  const keys = flags.all("key").map(orDefault);
  const tcp = flags.one("tcp");
  if (keys.length > 0 && tcp === null && flags.has("unix")) {
    throw usage("--key is for TCP, and there is no --tcp", "serve");
  }
  return {
    kind: "serve",
    unix: optional(flags.one("unix")),
    tcp: optional(tcp),
    keys,
    dropTo: flags.one("drop-to"),
    service: forward !== null
      ? { kind: "forward", target: forward, identity: identity ?? "none" }
      : flags.has("exec")
      ? { kind: "exec", argv }
      : null,
  };
}

function parseConnect(argv: readonly string[]): Parsed {
  const flags = flagsOf(argv, "connect", {
    optional: ["unix", "tcp", "key"],
    values: ["user", "server-user", "listen", "command"],
    switches: ["pipe"],
  });
  return { flags, command: () => connectCommand(flags) };
}

function connectCommand(flags: Flags): ConnectCommand {
  noWords(flags, "connect");
  if (flags.rest !== null) {
    throw usage("connect starts no program: nothing goes behind --", "connect");
  }
  const unix = flags.one("unix");
  const tcp = flags.one("tcp");
  const key = flags.one("key");
  if (unix !== null && tcp !== null) throw usage("--unix and --tcp exclude each other", "connect");
  if (unix !== null && key !== null) {
    throw usage("--key is for TCP; on a Unix socket the kernel says who you are", "connect");
  }
  const commands = flags.all("command");
  const listen = flags.one("listen");
  const ways = [
    commands.length > 0 && "-c",
    flags.has("pipe") && "--pipe",
    listen !== null && "--listen",
  ]
    .filter((way) => way !== false);
  if (ways.length > 1) throw usage(`${ways.join(" and ")} exclude each other`, "connect");
  return {
    kind: "connect",
    to: tcp !== null || key !== null
      ? { kind: "tcp", address: orDefault(tcp ?? ""), key: orDefault(key ?? "") }
      : { kind: "unix", path: optional(unix) },
    user: flags.one("user"),
    serverUser: flags.one("server-user"),
    mode: listen !== null
      ? { kind: "listen", address: listen }
      : flags.has("pipe")
      ? { kind: "pipe" }
      : { kind: "console", commands },
  };
}

function parseGenKey(argv: readonly string[]): Parsed {
  const flags = flagsOf(argv, "gen-key", { switches: ["force"], values: ["show"] });
  return {
    flags,
    command: () => {
      const show = flags.one("show");
      if (show !== null) {
        noOperands(flags, "gen-key");
        if (flags.has("force")) {
          throw usage("--show writes nothing: --force is out of place", "gen-key");
        }
        return { kind: "show-key", file: show };
      }
      const [file, ...more] = operands(flags);
      if (more.length > 0) throw usage("gen-key makes one key at a time", "gen-key");
      return { kind: "gen-key", file: file ?? null, force: flags.has("force") };
    },
  };
}

function parseHelp(argv: readonly string[]): Parsed {
  const flags = flagsOf(argv, "help");
  return {
    flags,
    command: () => {
      const [topic, ...more] = operands(flags);
      if (more.length > 0) throw usage("help explains one command at a time", null);
      if (topic !== undefined && !(COMMANDS as readonly string[]).includes(topic)) {
        throw usage(`There is no command "${topic}"`, null);
      }
      return help(topic ?? null);
    },
  };
}

function parseCompletions(argv: readonly string[]): Parsed {
  const flags = flagsOf(argv, "completions");
  return {
    flags,
    command: () => {
      const [shell, ...more] = operands(flags);
      if (more.length > 0 || (shell !== "bash" && shell !== "zsh" && shell !== "fish")) {
        throw usage("Usage: ipcauth completions bash|zsh|fish", "completions");
      }
      return { kind: "completions", shell };
    },
  };
}

function optional(value: string | null): ValueOrDefault | null {
  return value === null ? null : orDefault(value);
}

function orDefault(value: string): ValueOrDefault {
  return value === "" ? DEFAULT : value;
}

function noOperands(flags: Flags, topic: string): void {
  const [word] = operands(flags);
  if (word !== undefined) throw usage(`"${word}" is out of place`, topic);
}

function noWords(flags: Flags, topic: string): void {
  if (flags.words.length > 0) throw usage(`"${flags.words[0]}" is out of place`, topic);
}
