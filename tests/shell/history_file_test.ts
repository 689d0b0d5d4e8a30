import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { historyDirectory } from "../../lib/config/default_paths.ts";
import { HistoryFile, MAX_BYTES, MAX_LINES } from "../../lib/shell/history_file.ts";
import { atTerminal, withFakeServer } from "../support/at_terminal.ts";
import { isRoot } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const UID = Deno.uid()!;
const KEY = "A".repeat(42) + "_";

/** Runs a test with the history directory of a user whose home is empty. */
async function withHome(
  run: (directory: string, open: () => HistoryFile) => void | Promise<void>,
): Promise<void> {
  using home = new TemporaryDirectory();
  const directory = join(home.path, ".local/state/ipcauth");
  await run(directory, () => new HistoryFile(directory, UID));
}

function modeOf(path: string): number {
  return Deno.lstatSync(path).mode! & 0o7777;
}

Deno.test("the history of a user is in the state directory", () => {
  const of = (variables: Record<string, string>) => historyDirectory({ uid: 579, variables });
  assertEquals(of({ HOME: "/home/bob" }), "/home/bob/.local/state/ipcauth");
  assertEquals(of({ HOME: "/home/bob", XDG_STATE_HOME: "/state" }), "/state/ipcauth");
  assertEquals(of({ HOME: "/home/bob", XDG_STATE_HOME: "x" }), "/home/bob/.local/state/ipcauth");
  assertEquals(of({ HOME: "" }), null);
});

Deno.test("the history is kept for its user alone", () =>
  withHome((directory, open) => {
    open().add("show users");
    open().add("check bob");
    assertEquals(open().read(), ["show users", "check bob"]);
    assertEquals(modeOf(join(directory, "history")), 0o600);
    assertEquals(modeOf(directory), 0o700);
  }));

Deno.test("two sessions at once lose no line, and none is kept twice in a row", () =>
  withHome((_, open) => {
    const [one, other] = [open(), open()];
    for (let count = 0; count < 50; count++) {
      one.add(`one ${count}`);
      one.add(`one ${count}`);
      other.add(`other ${count}`);
    }
    const expected = Array.from({ length: 50 }, (_, at) => [`one ${at}`, `other ${at}`]).flat();
    assertEquals(open().read(), expected);
  }));

Deno.test("the history is bounded, in lines and in bytes", () =>
  withHome((directory, open) => {
    const history = open();
    for (let count = 0; count < MAX_LINES + 10; count++) history.add(`line ${count}`);
    const lines = open().read();
    assertEquals(lines.length <= MAX_LINES && lines.length > MAX_LINES / 2, true);
    assertEquals(lines.at(-1), `line ${MAX_LINES + 9}`);
    for (let count = 0; count < 60; count++) history.add(`${count} ${"x".repeat(4_000)}`);
    assertEquals(Deno.statSync(join(directory, "history")).size <= MAX_BYTES, true);
    assertEquals(open().read().at(-1)!.startsWith("59 "), true);
  }));

Deno.test("what may be a secret, begins with a blank, or is no line is not kept", () =>
  withHome((_, open) => {
    const history = open();
    for (const line of [KEY, `check ${KEY}`, " who", "", "x".repeat(5_000), "a\x1b[2Jb"]) {
      history.add(line);
    }
    assertEquals(open().read(), []);
    history.add(`check ${KEY}x`);
    assertEquals(open().read().length, 1);
  }));

Deno.test("a file that is a link, a FIFO or readable by others is not read, and replaced", () =>
  withHome((directory, open) => {
    open().add("first");
    const path = join(directory, "history");
    const elsewhere = join(directory, "elsewhere");
    Deno.writeTextFileSync(elsewhere, "of another\n", { mode: 0o600 });
    const make: readonly (() => void)[] = [
      () => Deno.symlinkSync(elsewhere, path),
      () => new Deno.Command("mkfifo", { args: ["-m", "600", path] }).outputSync(),
      () => {
        Deno.writeTextFileSync(path, "of others\n");
        Deno.chmodSync(path, 0o644);
      },
      () => Deno.writeTextFileSync(path, "x".repeat(2 * MAX_BYTES), { mode: 0o600 }),
    ];
    for (const [place, makeOne] of make.entries()) {
      Deno.removeSync(path);
      makeOne();
      assertEquals(open().read(), [], `kind ${place}`);
      open().add("mine");
    }
    assertEquals(Deno.readTextFileSync(elsewhere), "of another\n");
    assertEquals([open().read(), modeOf(path)], [["mine"], 0o600]);
  }));

Deno.test("a directory that others may write, or that is a link, holds no history", () =>
  withHome((directory, open) => {
    open().add("first");
    Deno.chmodSync(directory, 0o777);
    open().add("second");
    assertEquals(open().read(), []);
    Deno.chmodSync(directory, 0o700);
    assertEquals(open().read(), ["first"]);
    Deno.renameSync(directory, directory + ".moved");
    Deno.symlinkSync(directory + ".moved", directory);
    open().add("third");
    assertEquals(open().read(), []);
    assertEquals(Deno.readTextFileSync(directory + ".moved/history"), "first\n");
  }));

Deno.test({
  name: "nothing is made in the home of another user, and none of it is read (needs root)",
  ignore: !isRoot,
  fn: () =>
    withHome((directory, open) => {
      const home = join(directory, "../../..");
      Deno.chownSync(home, 579, 579);
      open().add("by root");
      assertEquals([...Deno.readDirSync(home)], []);
      Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
      Deno.writeTextFileSync(join(directory, "history"), "by bob\n", { mode: 0o600 });
      for (const path of [directory, join(directory, "history")]) Deno.chownSync(path, 579, 579);
      open().add("by root");
      assertEquals(open().read(), []);
      assertEquals(Deno.readTextFileSync(join(directory, "history")), "by bob\n");
    }),
});

Deno.test("the prompt has the lines of the session before; a script neither reads nor adds", () =>
  withFakeServer(() => ({ result: {} }), async (program, path) => {
    const env = { HOME: program.directory };
    const first = await atTerminal(program, path, [
      ["expect", "bob@ipcauth# "],
      ["send", "show stats\r# a comment\r show config\rbogus\r"],
      ["expect", "does not fit"],
      ["send", "exit\r"],
    ], { env });
    assertEquals(first.code, 0, first.stdout);
    await program.run(["connect", `--unix=${path}`], { env, input: "show metrics\n" });
    await program.run(["connect", `--unix=${path}`, "-c", "show metrics"], { env });
    const file = program.path(".local/state/ipcauth/history");
    assertEquals(await Deno.readTextFile(file), "show stats\nbogus\nexit\n");
    const second = await atTerminal(program, path, [
      ["expect", "bob@ipcauth# "],
      ["send", "\x1b[A\x1b[A\x1b[A"],
      ["expect", "show stats"],
      ["send", "\x03\x04"],
    ], { env });
    assertEquals([second.code, second.stderr], [0, ""], second.stdout);
  }));

Deno.test("two prompts that run at once keep the lines of both", () =>
  withFakeServer(() => ({ result: {} }), async (program, path) => {
    const env = { HOME: program.directory };
    const lines = (name: string) => Array.from({ length: 100 }, (_, at) => `nothing ${name}${at}`);
    await Promise.all(["a", "b"].map((name) =>
      atTerminal(program, path, [
        ["expect", "bob@ipcauth# "],
        ["send", lines(name).map((line) => `${line}\r`).join("") + "exit\r"],
      ], { env })
    ));
    const kept = await Deno.readTextFile(program.path(".local/state/ipcauth/history"));
    for (const name of ["a", "b"]) {
      const own = kept.split("\n").filter((line) => line.startsWith(`nothing ${name}`));
      assertEquals(own, lines(name));
    }
  }));

Deno.test("a home that cannot be written is no error", () =>
  withFakeServer(() => ({ result: {} }), async (program, path) => {
    for (const HOME of ["/proc", "/dev/null", "/nonexistent", ""]) {
      const { code, stdout, stderr } = await atTerminal(program, path, [
        ["expect", "bob@ipcauth# "],
        ["send", "show stats\rexit\r"],
      ], { env: { HOME } });
      assertEquals([code, stderr, stdout.includes("rror")], [0, "", false], HOME + stdout);
    }
  }));
