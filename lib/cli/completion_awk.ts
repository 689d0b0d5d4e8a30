/**
 * The program that completes a command line, in the language of `awk(1)` (POSIX): the scripts of
 * the three shells run it, so that ipcauth itself is not started for a Tab.
 *
 * It opens the configuration, which holds no secret, and no other file. It prints no error. What it
 * takes from the configuration is data to the shells, which quote it and never evaluate it.
 *
 * @module
 */
import { SYSTEM_CONFIG } from "../config/default_paths.ts";
import { type CompletionEntry, type FlagEntry, GLOBAL, TABLE } from "./completion_table.ts";

/** How many lines of a configuration are read. */
const MAX_LINES = 200_000;

/**
 * The program. Its arguments are the uid, and the words behind `ipcauth` up to the cursor; the last
 * one is begun. A line of its output is a word and, behind a tab, what it does; or what the shell
 * offers itself: `:files`, `:commands`, `:accounts`, `:accountgroups`, `:runas`.
 *
 * @returns A text without apostrophes and back slashes, so that it stands in apostrophes in each of
 * the shells.
 */
export function completionProgram(): string {
  const text = `${TABLE_BEGIN}${tableCalls()}${PROGRAM}`;
  if (/['\\]/.test(text)) throw new TypeError("the program cannot be quoted");
  return text;
}

const TABLE_BEGIN = `
function entry(where, word, kind, help) {
  kinds[where, word] = kind
  helps[where, word] = help
  order[where] = order[where] " " word
}
BEGIN {
`;

function tableCalls(): string {
  const calls = [
    ...entryCalls("*", GLOBAL),
    ...Object.entries(TABLE).flatMap(([name, entry]) => commandCalls("", name, entry)),
  ];
  return calls.map((call) => `  ${call}\n`).join("");
}

function commandCalls(parent: string, name: string, entry: CompletionEntry): string[] {
  const context = parent === "" ? name : `${parent} ${name}`;
  return [
    ...entryCalls(parent, { [name]: { kind: "-", help: entry.help } }),
    ...entryCalls(context, entry.flags ?? {}),
    ...entry.operands === undefined
      ? []
      : [`operands["${context}"] = "${entry.operands.join(" ")}"`],
    ...entry.verbs === undefined ? [] : [`verbs["${context}"] = 1`],
    ...Object.entries(entry.verbs ?? {}).flatMap(([verb, one]) => commandCalls(context, verb, one)),
  ];
}

function entryCalls(context: string, words: Readonly<Record<string, FlagEntry>>): string[] {
  return Object.entries(words).map(([word, { kind, help }]) =>
    `entry("${context}", "${word}", "${kind}", "${help}")`
  );
}

const PROGRAM = `
  tab = sprintf("%c", 9)
  apostrophe = sprintf("%c", 39)
  backslash = sprintf("%c", 92)
  rest = -1
  current = ARGV[ARGC - 1]
  for (i = 2; i < ARGC - 1; i++) take(ARGV[i])
  complete()
  exit
}
function context() { return verb == "" ? command : command " " verb }
function kindOf(flag) {
  if ((context(), flag) in kinds) return kinds[context(), flag]
  return ("*", flag) in kinds ? kinds["*", flag] : ""
}
# Reads a word before the one that is begun.
function take(word, at) {
  if (expected != "") {
    at = expected
    expected = ""
    if (at !~ /^[?]/ || word !~ /^-/) {
      if (pending == "--config") config = word
      return
    }
  }
  if (rest >= 0 || command == "run-as" && count == 1 && word != "--") {
    rest = rest < 0 ? 1 : rest + 1
    return
  }
  if (word == "--") { rest = 0; return }
  if (word ~ /^-/) {
    at = index(word, "=")
    if (at > 0) {
      if (substr(word, 1, at - 1) == "--config") config = substr(word, at + 1)
      return
    }
    at = kindOf(word)
    if (at != "" && at != "-") { expected = at; pending = word }
    return
  }
  if (command == "") command = word
  else if (verb == "" && command in verbs) verb = word
  else operand[++count] = word
}
function complete(kind, at, some) {
  if (rest > 0) { print ":files"; return }
  if (rest == 0 && command != "run-as" && command != "serve") rest = -1
  if (rest == 0 || command == "run-as" && count == 1) { print ":commands"; return }
  if (expected != "") {
    kind = expected
    sub(/^[?]/, "", kind)
    if (kind == expected || current !~ /^-/) { offer(kind, ""); return }
  }
  at = index(current, "=")
  if (current ~ /^--/ && at > 0) {
    kind = kindOf(substr(current, 1, at - 1))
    sub(/^[?]/, "", kind)
    offer(kind, substr(current, 1, at))
    return
  }
  if (current ~ /^-/) {
    words(context(), 1)
    words("*", 1)
    return
  }
  if (command == "") { words("", 0); return }
  if (command in verbs && verb == "") { words(command, 0); return }
  some = split(operands[context()], kindsOf, " ")
  if (count < some) offer(kindsOf[count + 1], "")
}
# Prints the words of a context: its flags, or the others.
function words(where, flags, list, total, j) {
  total = split(order[where], list, " ")
  for (j = 1; j <= total; j++) {
    if ((list[j] ~ /^-/) == flags) say(list[j], helps[where, list[j]])
  }
}
function say(word, help) { print (help == "" ? word : word tab help) }
# Prints what a value or an operand may be. The prefix is its flag with the sign.
function offer(kind, prefix, list, total, j) {
  if (kind ~ /^=/) {
    total = split(substr(kind, 2), list, "|")
    for (j = 1; j <= total; j++) print prefix list[j]
  }
  else if (kind == "file") print ":files"
  else if (kind == "command") words("", 0)
  else if (kind == "user") names("users", "name", prefix)
  else if (kind == "group") names("groups", "name", prefix)
  else if (kind == "who") { names("users", "name", prefix); print ":accounts" }
  else if (kind == "whichgroup") { names("groups", "name", prefix); print ":accountgroups" }
  else if (kind == "tcp") names("listeners", "tcp", prefix)
  else if (kind == "key") names("listeners", "file", prefix)
  else if (kind == "account") print ":accounts"
  else if (kind == "accountgroup") print ":accountgroups"
  else if (kind == "runas") print ":runas"
  else if (kind == "value") {
    if (operand[2] == "gid") print "none"
    else if (operand[2] != "uid") { print "true"; print "false" }
  }
  else if (kind == "target") {
    if (substr(current, 1, length(prefix) + 5) == prefix "unix:") print ":files"
    else { print prefix "unix:"; print prefix "tcp:" }
  }
}
function quoted(text, begun, at) {
  while ((at = index(text, apostrophe)) > 0) {
    begun = begun substr(text, 1, at - 1) apostrophe backslash apostrophe apostrophe
    text = substr(text, at + 1)
  }
  return apostrophe begun text apostrophe
}
function isFile(path) { return system("test -f " quoted(path) " && test -r " quoted(path)) == 0 }
# The configuration, as ipcauth finds it.
function configFile(home) {
  if (config == "") config = ENVIRON["IPCAUTH_CONFIG"]
  if (config ~ "^~/") config = ENVIRON["HOME"] substr(config, 2)
  if (config != "") return config
  if (ARGV[1] != 0) {
    home = ENVIRON["XDG_CONFIG_HOME"]
    if (home !~ "^/") home = ENVIRON["HOME"] "/.config"
    if (isFile(home "/ipcauth/config.yaml")) return home "/ipcauth/config.yaml"
  }
  return "${SYSTEM_CONFIG}"
}
# Prints the values of a key in a part of the configuration. A pipe is not read: it could block.
function names(part, key, prefix, path, line, at, some, value, seen, start) {
  path = configFile()
  if (!isFile(path)) return
  start = substr(current, length(prefix) + 1)
  while (some++ < ${MAX_LINES} && (getline line < path) > 0) {
    if (line ~ /^[[:space:]]*#/) continue
    gsub(/"/, "", line)
    gsub(apostrophe, "", line)
    gsub(/[[:cntrl:]]/, " ", line)
    if (line ~ /^[a-z_]+[[:space:]]*:/) {
      at = line
      sub(/[[:space:]]*:.*$/, "", at)
      line = " " substr(line, index(line, ":") + 1)
    }
    if (at != part) continue
    sub(/[[:space:]]#.*$/, "", line)
    while (match(line, "(^|[-{,[:space:]])" key "[[:space:]]*:[[:space:]]+")) {
      line = substr(line, RSTART + RLENGTH)
      value = line
      sub(/[,}].*$/, "", value)
      sub(/[[:space:]]+$/, "", value)
      # What begins with a colon is no name, and would be taken for what the shell offers.
      if (value ~ /^:/) continue
      if (value == "" || substr(value, 1, length(start)) != start || value in seen) continue
      seen[value] = 1
      print prefix value
    }
  }
}
`;
