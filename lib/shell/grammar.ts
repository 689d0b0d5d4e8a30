/**
 * The console's commands as a tree of words: pure. One tree parses a line, completes it, and
 * explains at `?` what may come next.
 *
 * A new command is one rule in {@linkcode RULES}. A keyword that begins several rules, such as
 * `show`, has its explanation in {@linkcode KEYWORDS}; any other one has that of its only rule. A
 * new kind of word, such as `<user>`, has its explanation in {@linkcode SLOTS}.
 *
 * @module
 */

/** The meaning of a word that is not a keyword. */
export type Slot =
  | "user"
  | "field"
  | "value"
  | "who"
  | "uid"
  | "gid"
  | "flag"
  | "session"
  | "group"
  | "count"
  | "seconds"
  | "topic";

/** A command that a line was parsed into. */
export interface ConsoleCommand {
  readonly kind:
    | "running-config"
    | "users"
    | "sessions"
    | "listeners"
    | "config"
    | "stats"
    | "metrics"
    | "log"
    | "monitor"
    | "check"
    | "set"
    | "add"
    | "remove"
    | "close"
    | "reload"
    | "help"
    | ModeCommand;
  /** The words in the slots, by the slots' names. */
  readonly words: Readonly<
    Partial<Record<Slot | "access" | "admin" | "denied" | "force", string>>
  >;
}

/** The commands of the configuration mode, those that lead to it and from it, and answers. */
export type ModeCommand =
  | "configure"
  | "exit"
  | "end"
  | "yes"
  | "no"
  | "assign"
  | "unset"
  | "difference"
  | "commit"
  | "commit-check"
  | "commit-confirmed"
  | "confirm"
  | "revert"
  | "rebase"
  | "top";

/** A set of commands. */
export interface Grammar {
  readonly rules: readonly Rule[];
  readonly root: Node;
}

/** A position in the tree. */
export interface Node {
  /** What the word that leads here means, for `?`; empty at the root. */
  readonly explanation: string;
  /** What the line that ends here does, for `?`; empty where it does nothing. */
  effect: string;
  readonly keywords: Map<string, Node>;
  /** What any other word means here, or null where only keywords may follow. */
  slot:
    | { readonly name: Slot | "access" | "admin"; readonly kind: Slot; readonly next: Node }
    | null;
  /** The command of a line that ends here, with the words it implies; null where one is missing. */
  command: Pick<ConsoleCommand, "kind" | "words"> | null;
}

/** One line of the grammar, as `help` prints it. */
export interface Rule {
  /** Keywords, and slots as `<kind>` or `<name:kind>`. */
  readonly pattern: string;
  readonly kind: ConsoleCommand["kind"];
  /** Words that the command implies. */
  readonly implies?: ConsoleCommand["words"];
  /** What it does; left out where the help lists another spelling of it. */
  readonly help?: string;
}

const PATH = "aaa authentication users user";

/** Every command. */
export const RULES: readonly Rule[] = [
  {
    pattern: "show running-config",
    kind: "running-config",
    help: "all users, as configuration lines",
  },
  { pattern: "show running-config aaa", kind: "running-config" },
  { pattern: "show running-config aaa authentication", kind: "running-config" },
  { pattern: "show running-config aaa authentication users", kind: "running-config" },
  { pattern: `show running-config ${PATH}`, kind: "running-config" },
  {
    pattern: `show running-config ${PATH} <user>`,
    kind: "running-config",
    help: "one user",
  },
  { pattern: "show users", kind: "users", help: "all users, as a table" },
  { pattern: "show sessions", kind: "sessions", help: "the open sessions" },
  { pattern: "show listeners", kind: "listeners", help: "the listeners, and their state" },
  { pattern: "show config", kind: "config", help: "the configuration in force, as a file" },
  { pattern: "show stats", kind: "stats", help: "counts since the server was started" },
  { pattern: "show metrics", kind: "metrics", help: "the same, as OpenMetrics text" },
  { pattern: "show log", kind: "log", help: "the last lines of the log" },
  {
    pattern: "show log user <user> denied last <count>",
    kind: "log",
    implies: { denied: "true" },
    help: "only some of them; each part may be left out",
  },
  ...logRules("show log", "log", ["user <user>", "denied", "last <count>"]),
  { pattern: "monitor", kind: "monitor", help: "the log as it goes on, until Ctrl-C" },
  ...logRules("monitor", "monitor", ["user <user>", "denied"]),
  { pattern: "who", kind: "sessions", help: "the same as show sessions" },
  { pattern: "check <who>", kind: "check", help: "whether a user or uid has access, and why" },
  {
    pattern: "allow <user>",
    kind: "set",
    implies: { field: "local_ipc_access", value: "true" },
    help: "give a user access",
  },
  {
    pattern: "deny <user>",
    kind: "set",
    implies: { field: "local_ipc_access", value: "false" },
    help: "take access away from a user",
  },
  { pattern: "set user <user> <field> <value>", kind: "set", help: "change a field of a user" },
  { pattern: `set ${PATH} <user> <field> <value>`, kind: "set" },
  { pattern: "add user <user> uid <uid>", kind: "add", help: "add a user without access" },
  ...withOptions("add user <user> uid <uid>", [
    "gid <gid>",
    "local_ipc_access <access:flag>",
    "admin <admin:flag>",
  ]).map((pattern): Rule => ({ pattern, kind: "add" })),
  {
    pattern:
      "add user <user> uid <uid> gid <gid> local_ipc_access <access:flag> admin <admin:flag>",
    kind: "add",
    help: "the same; all but the uid may be left out",
  },
  { pattern: "remove user <user>", kind: "remove", help: "remove a user" },
  { pattern: "clear session <session>", kind: "close", help: "end a session" },
  { pattern: "close session <session>", kind: "close", help: "the same as clear session" },
  { pattern: "config", kind: "configure", help: "change several users and groups in one commit" },
  { pattern: "config terminal", kind: "configure" },
  { pattern: "commit", kind: "commit", help: "keep the changes of commit confirmed" },
  { pattern: "reload", kind: "reload", help: "read the configuration file now" },
  { pattern: "help", kind: "help", help: "this list" },
  { pattern: "help <topic>", kind: "help", help: "the commands that begin with a word" },
  { pattern: "?", kind: "help" },
  { pattern: "exit", kind: "exit", help: "end the session" },
  { pattern: "quit", kind: "exit" },
];

/** What the keywords mean that begin several rules: by the words up to them, or by them alone. */
const KEYWORDS: Readonly<Record<string, string>> = {
  "authentication": "the part about users",
  "users": "all users",
  "uid": "the uid of the user's processes",
  "gid": "the gid of the user's processes",
  "local_ipc_access": "whether the user has access",
  "admin": "whether the user may change the configuration",
  "?": "the list of commands",
  "quit": "end the session",
  "config": "change several users and groups in one commit",
  "config terminal": "the same",
  "show": "what the server knows",
  "log": "the last lines of the log",
  "user": "only about one user",
  "denied": "only refusals",
  "last": "only so many lines",
  "show running-config aaa": "the part about authentication",
  "show running-config aaa authentication users user": "all users, or the one that is named",
  "set": "change a field of a user",
  "set aaa": "as configuration lines are written",
  "set aaa authentication users user": "one user",
  "show users": "all users, as a table",
  "add": "add a user",
  "add user": "add a user",
};

/** What the words in the slots are. */
const SLOTS: Readonly<Record<Slot, string>> = {
  user: "a user's name",
  who: "a user's name, or a uid",
  field: "uid, gid, local_ipc_access or admin",
  value: "the new value",
  uid: "a number: the uid of the user's processes",
  gid: "a number: the gid of the user's processes",
  flag: "true or false",
  group: "a group's name",
  count: "how many lines",
  session: "a session's number, as show sessions prints it",
  seconds: "a number of seconds, at most 86400",
  topic: "the first word of commands",
};

/** The console's grammar. */
export const GRAMMAR: Grammar = makeGrammar(RULES, KEYWORDS);

/** A pattern with each choice of options, in their order. */
function withOptions(pattern: string, options: readonly string[]): string[] {
  return options.reduce(
    (patterns, option) => [...patterns, ...patterns.map((begun) => `${begun} ${option}`)],
    [pattern],
  );
}

/** The rules of a command with any choice of options, in any order. */
function logRules(
  pattern: string,
  kind: ConsoleCommand["kind"],
  options: readonly string[],
): Rule[] {
  return options.flatMap((option) => {
    const next = `${pattern} ${option}`;
    const implies = / denied( |$)/.test(next) ? { denied: "true" } : {};
    return [
      { pattern: next, kind, implies },
      ...logRules(next, kind, options.filter((one) => one !== option)),
    ];
  });
}

/**
 * A grammar of some rules.
 *
 * @param keywords What the keywords mean that begin several rules: by the words up to them, such as
 * `set user`, or by the last one.
 */
export function makeGrammar(
  rules: readonly Rule[],
  keywords: Readonly<Record<string, string>>,
): Grammar {
  const root = emptyNode("");
  for (const { pattern, kind, implies, help } of rules) {
    let node = root;
    let path = "";
    for (const word of pattern.split(" ")) {
      path = path === "" ? word : `${path} ${word}`;
      node = addWord(node, word, () => meaningOf(word, path, rules, keywords));
    }
    node.command = { kind, words: implies ?? {} };
    node.effect = help ?? node.effect;
  }
  return { rules, root };
}

/**
 * What a keyword means: what the tables say, or what its rule does. A rule without help has that of
 * the one that it puts a word before, such as `do show users`.
 */
function meaningOf(
  word: string,
  path: string,
  rules: readonly Rule[],
  keywords: Readonly<Record<string, string>>,
): string {
  const own = keywords[path] ?? keywords[word] ?? helpBelow(rules, path);
  if (own !== "") return own;
  return helpBelow(rules, path.slice(path.indexOf(" ") + 1)) || (KEYWORDS[word] ?? "");
}

/** What the first rule does that begins with some words and says so. */
function helpBelow(rules: readonly Rule[], path: string): string {
  const below = ({ pattern, help }: Rule) =>
    help !== undefined && `${pattern} `.startsWith(`${path} `);
  return rules.find(below)?.help ?? "";
}

/** A node that nothing follows. */
function emptyNode(explanation: string): Node {
  return { explanation, effect: "", keywords: new Map(), slot: null, command: null };
}

/** The node that follows a pattern's word, added where it is missing. */
function addWord(node: Node, word: string, explain: () => string): Node {
  const match = /^<(\w+)(?::(\w+))?>$/.exec(word);
  if (match === null) {
    const next = node.keywords.get(word) ?? emptyNode(explain());
    node.keywords.set(word, next);
    return next;
  }
  const name = match[1] as Slot;
  const kind = (match[2] ?? name) as Slot;
  node.slot ??= { name, kind, next: emptyNode(SLOTS[kind]) };
  return node.slot.next;
}
