/**
 * The console's commands as a tree of words: pure. The same tree parses a line and completes it.
 *
 * @module
 */

/** What a word that is no keyword stands for. */
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

/** A command, ready to be carried out. */
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
  /** The words that filled the slots, by the slots' names. */
  readonly words: Readonly<Partial<Record<Slot | "access" | "admin", string>>>;
}

/** A place in the tree. */
export interface Node {
  readonly keywords: Map<string, Node>;
  /** What else may stand here. */
  slot:
    | { readonly name: Slot | "access" | "admin"; readonly kind: Slot; readonly next: Node }
    | null;
  /** The command that a line ending here means, with words it implies. */
  command: Pick<ConsoleCommand, "kind" | "words"> | null;
}

/** One line of the grammar, as `help` prints it. */
export interface Rule {
  /** Keywords, `<slot>`s and `<name:kind>`s. */
  readonly pattern: string;
  readonly kind: ConsoleCommand["kind"];
  /** Words that the command implies. */
  readonly implies?: ConsoleCommand["words"];
  /** What it does; left out where another line says it. */
  readonly help?: string;
}

const PATH = "aaa authentication users user";

/** Every command there is. */
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
  { pattern: "show sessions", kind: "sessions", help: "who is connected" },
  {
    pattern: "show config",
    kind: "config",
    help: "listeners, limits, and whether the file is good",
  },
  { pattern: "show stats", kind: "stats", help: "what was counted since the start" },
  { pattern: "show metrics", kind: "metrics", help: "the same, as OpenMetrics text" },
  { pattern: "who", kind: "sessions", help: "the same as show sessions" },
  { pattern: "check <who>", kind: "check", help: "whether a user or uid would be let in, and why" },
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
    help: "take it away",
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
  { pattern: "close session <session>", kind: "close", help: "end somebody's session" },
  { pattern: "reload", kind: "reload", help: "look at the configuration file now" },
  { pattern: "help", kind: "help", help: "this list" },
  { pattern: "help <topic>", kind: "help", help: "the commands that begin with a word" },
  { pattern: "?", kind: "help" },
  { pattern: "exit", kind: "exit", help: "leave" },
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

function emptyNode(): Node {
  return { keywords: new Map(), slot: null, command: null };
}

function buildTree(rules: readonly Rule[]): Node {
  const root = emptyNode();
  for (const { pattern, kind, implies } of rules) {
    let node = root;
    for (const word of pattern.split(" ")) node = addWord(node, word);
    node.command = { kind, words: implies ?? {} };
  }
  return root;
}

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
