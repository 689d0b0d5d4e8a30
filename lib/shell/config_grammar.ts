/**
 * The commands of the configuration mode: the words of a network device's.
 *
 * @module
 */
import { type Grammar, makeGrammar, type Rule, RULES } from "./grammar.ts";

const USER = "aaa authentication users user <user>";
const GROUP = "aaa authentication groups group <group>";
const USER_FIELDS = [
  "uid <uid>",
  "gid <gid>",
  "local_ipc_access <access:flag>",
  "admin <admin:flag>",
] as const;
const GROUP_FIELDS = ["gid <gid>", "local_ipc_access <access:flag>"] as const;

const KEYWORDS: Readonly<Record<string, string>> = {
  "aaa": "users and groups",
  "authentication": "who gets in",
  "users": "the users",
  "user": "one user",
  "groups": "the groups",
  "group": "one group",
  "uid": "the uid of the user's processes",
  "gid": "the gid",
  "local_ipc_access": "whether there is access",
  "admin": "whether the user may change the configuration",
  "no": "remove an entry, or unset a field",
  "show": "what the server knows, or the draft",
  "show running-config aaa authentication users user": "all users, or the one that is named",
  "show users": "all users, as a table",
  "do": "a command of the operational mode that changes nothing",
  "commit": "make the changes",
  "commit confirmed": "make the changes, and undo them unless they are confirmed",
  "quit": "leave this level",
  "?": "the list of commands",
};

/** The commands of the operational mode that change nothing. */
const READING = RULES.filter(({ pattern }) => /^(show|check|who)\b/.test(pattern));

const DRAFT: readonly Rule[] = [
  { pattern: "show configuration", kind: "difference", help: "the changes of this draft" },
  { pattern: "commit", kind: "commit", help: "make the changes, or confirm those made before" },
  { pattern: "commit check", kind: "commit-check", help: "whether the changes can be made" },
  {
    pattern: "commit confirmed",
    kind: "commit-confirmed",
    help: "make the changes; undone unless confirmed in 600 s",
  },
  {
    pattern: "commit confirmed <seconds>",
    kind: "commit-confirmed",
    help: "the same with another time",
  },
  {
    pattern: "commit confirmed <seconds> force",
    kind: "commit-confirmed",
    implies: { force: "force" },
    help: "the same, also where it refuses you",
  },
  {
    pattern: "commit force",
    kind: "commit",
    implies: { force: "force" },
    help: "make the changes, also where they refuse you",
  },
  { pattern: "confirm", kind: "confirm", help: "keep the changes of commit confirmed" },
  { pattern: "revert", kind: "revert", help: "drop the changes of this draft" },
  {
    pattern: "rebase",
    kind: "rebase",
    help: "put the changes on the configuration as it is now",
  },
  { pattern: "top", kind: "top", help: "leave the user or group" },
  { pattern: "exit", kind: "exit", help: "leave the user or group, or the configuration mode" },
  { pattern: "quit", kind: "exit" },
  { pattern: "end", kind: "end", help: "leave the configuration mode" },
  { pattern: "help", kind: "help", help: "this list" },
  { pattern: "help <topic>", kind: "help", help: "the commands that begin with a word" },
  { pattern: "?", kind: "help" },
  ...READING,
  ...READING.map(({ pattern, kind, implies }): Rule => ({
    pattern: `do ${pattern}`,
    kind,
    ...implies === undefined ? {} : { implies },
  })),
];

/**
 * The rules of the fields of an entry: each by itself, and several in any order.
 *
 * @param path The words before them; may be empty.
 */
function fieldRules(path: string, fields: readonly string[]): Rule[] {
  const all = `${path} ${fields.join(" ")}`;
  return arrangements(path, fields).map((pattern): Rule => {
    const single = fields.find((field) => pattern === `${path} ${field}`);
    const help = single !== undefined
      ? `set ${single.split(" ")[0]}`
      : pattern === all
      ? "several fields at once; some may be left out"
      : undefined;
    return { pattern: pattern.trim(), kind: "assign", ...help === undefined ? {} : { help } };
  });
}

/** A pattern with some options behind it, at least one, in each order. */
function arrangements(pattern: string, options: readonly string[]): string[] {
  return options.flatMap((option) => {
    const begun = `${pattern} ${option}`;
    return [begun, ...arrangements(begun, options.filter((other) => other !== option))];
  });
}

/** The rules of `no`. A user cannot be without a uid, and the line says so when it is run. */
function unsetRules(path: string, fields: readonly string[]): Rule[] {
  return fields.map((option) => option.split(" ")[0]!).map((field) => ({
    pattern: `no ${path}${field}`,
    kind: "unset",
    implies: { field },
    ...field === "uid" ? {} : { help: `unset ${field}` },
  }));
}

const CONFIG: readonly Rule[] = [
  { pattern: USER, kind: "assign", help: "go to a user, or add one, for its fields" },
  ...fieldRules(USER, USER_FIELDS),
  { pattern: GROUP, kind: "assign", help: "go to a group, or add one, for its fields" },
  ...fieldRules(GROUP, GROUP_FIELDS),
  { pattern: `no ${USER}`, kind: "unset", help: "remove a user" },
  ...unsetRules(`${USER} `, USER_FIELDS),
  { pattern: `no ${GROUP}`, kind: "unset", help: "remove a group" },
  ...unsetRules(`${GROUP} `, GROUP_FIELDS),
  ...DRAFT,
];

/** The grammars: of the configuration mode, and within a user and a group. */
export const CONFIG_GRAMMARS: Readonly<Record<"config" | "user" | "group", Grammar>> = {
  config: makeGrammar(CONFIG, KEYWORDS),
  user: makeGrammar([
    ...fieldRules("", USER_FIELDS),
    ...unsetRules("", USER_FIELDS),
    ...CONFIG,
  ], KEYWORDS),
  group: makeGrammar([
    ...fieldRules("", GROUP_FIELDS),
    ...unsetRules("", GROUP_FIELDS),
    ...CONFIG,
  ], KEYWORDS),
};
