/**
 * What may follow what on the command line, for the completions of shells.
 *
 * @module
 */
import { GROUP_FIELDS, USER_FIELDS } from "../config/fields.ts";
import { FORWARD_IDENTITIES, LOG_FORMATS, LOG_LEVELS } from "../config/types.ts";
import type { COMMANDS } from "./arguments.ts";
import type { CONFIG_VERBS } from "./config_arguments.ts";
import type { GROUPS_VERBS } from "./groups_arguments.ts";
import type { KEYS_VERBS } from "./keys_arguments.ts";
import type { USERS_VERBS } from "./users_arguments.ts";

/**
 * What a value or an operand is: one of some words (`=a|b`), or what the script knows how to offer.
 * A value with `?` before it may be left out; a flag with `-` has none.
 */
type WordKind = string;

/** A flag, or a verb: what it is, and what it does in a few words. */
export interface FlagEntry {
  readonly kind: WordKind;
  readonly help: string;
}

/** A command, or one of its verbs. */
export interface CompletionEntry {
  readonly help: string;
  /** The kinds of its operands, in their order; one that ends in `...` is repeated. */
  readonly operands?: readonly WordKind[];
  readonly flags?: Readonly<Record<string, FlagEntry>>;
  readonly verbs?: Readonly<Record<string, CompletionEntry>>;
}

const oneOf = (words: readonly string[]): WordKind => `=${words.join("|")}`;
const flag = (kind: WordKind, help: string): FlagEntry => ({ kind, help });

const JSON_FLAG = { "--json": flag("-", "print one line of JSON") };

/** The flags of every command. */
export const GLOBAL: Readonly<Record<string, FlagEntry>> = {
  "--config": flag("file", "the configuration"),
  "--log-level": flag(oneOf(LOG_LEVELS), "the least important events that are logged"),
  "--log-format": flag(oneOf(LOG_FORMATS), "the form of the log"),
  "--color": flag(oneOf(["auto", "always", "never"]), "whether output is coloured"),
  "--help": flag("-", "explain the command"),
  "--version": flag("-", "print the version"),
};

const ADDRESS = {
  "--unix": flag("?file", "a Unix socket"),
  "--tcp": flag("?tcp", "an address, where a key is needed"),
  "--key": flag("?file", "a key file"),
};

const ENTRY = {
  "--user": flag("user", "whose key it is"),
  "--listener": flag("tcp", "the TCP listener"),
  "--not-after": flag("text", "the time after which it is refused"),
};

const ACCESS = { "--local-ipc-access": flag("-", "give access") };

const USERS: Record<typeof USERS_VERBS[number], CompletionEntry> = {
  list: { help: "list the users", flags: JSON_FLAG },
  show: { help: "show a user", operands: ["user"], flags: JSON_FLAG },
  add: {
    help: "add a user",
    operands: ["account"],
    flags: {
      "--uid": flag("text", "the uid; by default, that of the account"),
      "--gid": flag("text", "the gid; by default, that of the account"),
      ...ACCESS,
      "--admin": flag("-", "let the user change users at the console"),
      ...JSON_FLAG,
    },
  },
  set: {
    help: "change a field of a user",
    operands: ["user", oneOf(USER_FIELDS), "value"],
    flags: JSON_FLAG,
  },
  allow: { help: "give a user access", operands: ["user"], flags: JSON_FLAG },
  deny: { help: "take access away from a user", operands: ["user"], flags: JSON_FLAG },
  remove: { help: "remove a user", operands: ["user"], flags: JSON_FLAG },
  check: { help: "explain what would be decided", operands: ["who"], flags: JSON_FLAG },
};

const GROUPS: Record<typeof GROUPS_VERBS[number], CompletionEntry> = {
  list: { help: "list the groups", flags: JSON_FLAG },
  show: { help: "show a group", operands: ["group"], flags: JSON_FLAG },
  add: {
    help: "add a group",
    operands: ["accountgroup"],
    flags: {
      "--gid": flag("text", "the gid; by default, that of the name service"),
      ...ACCESS,
      ...JSON_FLAG,
    },
  },
  set: {
    help: "change a field of a group",
    operands: ["group", oneOf(GROUP_FIELDS), "value"],
    flags: JSON_FLAG,
  },
  allow: { help: "give the members access", operands: ["group"], flags: JSON_FLAG },
  deny: { help: "take access away from the members", operands: ["group"], flags: JSON_FLAG },
  remove: { help: "remove a group", operands: ["group"], flags: JSON_FLAG },
  check: { help: "explain what a group decides", operands: ["whichgroup"], flags: JSON_FLAG },
};

const KEYS: Record<typeof KEYS_VERBS[number], CompletionEntry> = {
  list: { help: "list the keys", flags: JSON_FLAG },
  add: { help: "add the key of a file", operands: ["file"], flags: { ...ENTRY, ...JSON_FLAG } },
  revoke: {
    help: "take a key out",
    operands: ["key"],
    flags: { "--listener": ENTRY["--listener"], ...JSON_FLAG },
  },
  rotate: {
    help: "make the next key of a user",
    operands: ["key"],
    flags: {
      "--listener": ENTRY["--listener"],
      "--not-after": ENTRY["--not-after"],
      ...JSON_FLAG,
    },
  },
};

const CONFIG: Record<typeof CONFIG_VERBS[number], CompletionEntry> = {
  check: { help: "print every problem", operands: ["file"], flags: JSON_FLAG },
  show: { help: "print it with every default", flags: JSON_FLAG },
  schema: { help: "print its JSON Schema", flags: JSON_FLAG },
};

/** The commands. */
export const TABLE: Record<typeof COMMANDS[number], CompletionEntry> = {
  serve: {
    help: "put a listener in front of a service",
    flags: {
      ...ADDRESS,
      "--forward": flag("target", "connect each client to a backend"),
      "--identity": flag(oneOf(FORWARD_IDENTITIES), "what the backend is told of the client"),
      "--exec": flag("-", "start the program after -- for each client"),
      "--drop-to": flag("account", "give root up once every listener is open"),
      "--no-sandbox": flag("-", "whatever the configuration says of a sandbox"),
      "--workers": flag("text", "how many threads accept and carry connections"),
      "--check": flag("-", "check the flags and the configuration, and start nothing"),
    },
  },
  connect: {
    help: "be a client of a server",
    flags: {
      ...ADDRESS,
      "--user": flag("user", "the user to act as"),
      "--server-user": flag("account", "the user that the server may run as"),
      "-c": flag("text", "run a command of the console"),
      "--command": flag("text", "run a command of the console"),
      "--yes": flag("-", "do not ask before a change that ends the own session"),
      "--pipe": flag("-", "join standard input and output to the service"),
      "--listen": flag("target", "open a local socket that leads to the server"),
      "--allow-remote": flag("-", "let --listen tcp: take any address"),
    },
  },
  "run-as": {
    help: "become another user and run a program",
    operands: ["runas"],
    flags: { "--allow-tty-input": flag("-", "let the program type at the terminal") },
  },
  "gen-key": {
    help: "make a secret key for TCP",
    operands: ["file"],
    flags: {
      "--force": flag("-", "replace a key that is there"),
      "--show": flag("file", "describe a key"),
      ...ENTRY,
    },
  },
  users: { help: "list and edit the users who have access", verbs: USERS },
  groups: { help: "list and edit the groups whose members have access", verbs: GROUPS },
  keys: { help: "list and edit the keys of TCP listeners", verbs: KEYS },
  config: { help: "check, show and describe the configuration", verbs: CONFIG },
  status: {
    help: "ask a server how it is",
    flags: {
      ...JSON_FLAG,
      ...ADDRESS,
      "--server-user": flag("account", "the user that the server may run as"),
    },
  },
  help: { help: "explain a command", operands: ["command"] },
  completions: { help: "print a completion script", operands: ["=bash|zsh|fish"] },
};
