/**
 * The console's commands as a tree of words: pure. One tree parses a line and completes it.
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
  | "topic";

/** A command that a line was parsed into. */
export interface ConsoleCommand {
  readonly kind:
    | "running-config"
    | "users"
    | "sessions"
    | "config"
    | "stats"
    | "metrics"
    | "check"
    | "set"
    | "add"
    | "remove"
    | "close"
    | "reload"
    | "help"
    | "exit";
  /** The words in the slots, by the slots' names. */
  readonly words: Readonly<Partial<Record<Slot | "access" | "admin", string>>>;
}

/** A position in the tree. */
export interface Node {
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
  {
    pattern: "show config",
    kind: "config",
    help: "listeners, limits, and whether the file is valid",
  },
  { pattern: "show stats", kind: "stats", help: "counts since the server was started" },
  { pattern: "show metrics", kind: "metrics", help: "the same, as OpenMetrics text" },
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
  { pattern: "close session <session>", kind: "close", help: "end a session" },
  { pattern: "reload", kind: "reload", help: "read the configuration file now" },
  { pattern: "help", kind: "help", help: "this list" },
  { pattern: "help <topic>", kind: "help", help: "the commands that begin with a word" },
  { pattern: "?", kind: "help" },
  { pattern: "exit", kind: "exit", help: "end the session" },
  { pattern: "quit", kind: "exit" },
];

/** The tree of all rules. */
export const GRAMMAR: Node = buildTree(RULES);

/** A pattern with each choice of options, in their order. */
function withOptions(pattern: string, options: readonly string[]): string[] {
  return options.reduce(
    (patterns, option) => [...patterns, ...patterns.map((begun) => `${begun} ${option}`)],
    [pattern],
  );
}

/** A node that nothing follows. */
function emptyNode(): Node {
  return { keywords: new Map(), slot: null, command: null };
}

/** The tree of some rules. */
function buildTree(rules: readonly Rule[]): Node {
  const root = emptyNode();
  for (const { pattern, kind, implies } of rules) {
    let node = root;
    for (const word of pattern.split(" ")) node = addWord(node, word);
    node.command = { kind, words: implies ?? {} };
  }
  return root;
}

/** The node that follows a pattern's word, added where it is missing. */
function addWord(node: Node, word: string): Node {
  const match = /^<(\w+)(?::(\w+))?>$/.exec(word);
  if (match === null) {
    const next = node.keywords.get(word) ?? emptyNode();
    node.keywords.set(word, next);
    return next;
  }
  const name = match[1] as Slot;
  node.slot ??= { name, kind: (match[2] ?? name) as Slot, next: emptyNode() };
  return node.slot.next;
}
