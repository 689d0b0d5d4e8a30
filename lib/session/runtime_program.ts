/**
 * The program that a runtime runs, such as `client.py` of a process that executes `python3`: pure.
 *
 * A process writes its own command line, so this is what it says about itself. It is shown beside
 * what the kernel says, and nothing is decided by it.
 *
 * @module
 */

/** Executables that run programs of others: interpreters, shells, and the dynamic loader. */
const RUNTIME =
  /^(deno|node|nodejs|bun|(python|pypy|ruby|perl|php|lua|tclsh|guile)[0-9.]*|java|(ba|da|z|k)?sh|busybox|ld-.*\.so(\.[0-9]+)?)$/;

/** Words of a runtime before the program, which select what it does. */
const SUBCOMMANDS: ReadonlySet<string> = new Set(["run", "serve"]);

/** Options after which the program is no file: it stands in the command line. */
const INLINE: ReadonlySet<string> = new Set(["-c", "-e", "-E", "--eval", "-p", "eval", "repl"]);

/** Options of Deno with a value of their own; another runtime has `-c` among {@linkcode INLINE}. */
const DENO_VALUES: ReadonlySet<string> = new Set(["-c", "--config", "-L", "--import-map"]);

/** Names of files that do not say whose they are. */
const COMMON = /^(main|index|__main__)\.[a-z]+$/;

/** The longest name, in characters. */
const MAX_LENGTH = 64;

/** Whether an executable is a runtime. @param path As `/proc/PID/exe` has it. */
export function isRuntime(path: string): boolean {
  return RUNTIME.test(baseName(path));
}

/**
 * The program's name.
 *
 * @param exe The runtime, as `/proc/PID/exe` has it.
 * @param commandLine What `/proc/PID/cmdline` holds: arguments that each end with a zero.
 * @returns Null where the command line names none.
 */
export function runtimeProgram(exe: string, commandLine: string): string | null {
  const words = commandLine.split("\0");
  const isDeno = baseName(exe) === "deno";
  // A command line that was cut, or that the process has changed, may end without its zero.
  for (const [index, word] of words.entries()) {
    if (index === 0 || word === "") continue;
    if (isDeno && (DENO_VALUES.has(word) || DENO_VALUES.has(words[index - 1]!))) continue;
    if (INLINE.has(word)) return null;
    if (word === "-m") return named(words[index + 1] ?? "");
    if (word.startsWith("-") || SUBCOMMANDS.has(word) || isRuntime(word)) continue;
    return named(word);
  }
  return null;
}

function named(word: string): string | null {
  const name = word.startsWith("data:") ? "" : baseName(word);
  const directory = COMMON.test(name) ? baseName(word.slice(0, -name.length - 1)) : "";
  // `.` and `..` name nothing.
  const where = /^\.*$/.test(directory) ? "" : `${directory}/`;
  return name === "" ? null : `${where}${name}`.slice(0, MAX_LENGTH);
}

function baseName(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return name.endsWith(" (deleted)") ? name.slice(0, -" (deleted)".length) : name;
}
