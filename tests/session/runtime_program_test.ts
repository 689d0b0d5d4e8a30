import { assertEquals } from "@std/assert";
import { isRuntime, runtimeProgram } from "../../lib/session/runtime_program.ts";

Deno.test("isRuntime() knows interpreters, shells and the dynamic loader, and no other", () => {
  for (
    const path of [
      ...["/usr/bin/deno", "/usr/bin/python3.11", "/usr/local/bin/node", "/usr/bin/dash"],
      ...["/lib64/ld-linux-x86-64.so.2", "/usr/bin/perl", "/usr/bin/python3.11 (deleted)"],
      "/usr/bin/node (deleted)",
    ]
  ) assertEquals(isRuntime(path), true, path);
  for (
    const path of [
      "/usr/bin/ipcauth",
      "/usr/bin/psql",
      "/usr/bin/denoise",
      "/opt/sh/x",
      "/opt/xdeno",
      "",
    ]
  ) {
    assertEquals(isRuntime(path), false, path);
  }
});

Deno.test("runtimeProgram() is the program that a command line names", () => {
  const of = (...words: string[]) =>
    runtimeProgram(words[0] ?? "", words.map((word) => `${word}\0`).join(""));
  const cases: [string[], string | null][] = [
    [["deno", "run", "--quiet", "--allow-read", "/usr/bin/ipcauth", "connect"], "ipcauth"],
    [["deno", "run", "-c", "/x/deno.json", "-A", "/x/main.ts", "connect"], "x/main.ts"],
    [["/opt/i/lib/ipcauth/deno", "run", "/opt/i/lib/ipcauth/main.js", "who"], "ipcauth/main.js"],
    [["node", "../index.js"], "index.js"],
    [["node", "/index.js"], "index.js"],
    [["python3", "-u", "/home/bob/client.py", "--fast"], "client.py"],
    [["python3", "-m", "http.server", "80"], "http.server"],
    [["python3", "-m", "run"], "run"],
    [["python3", "-m"], null],
    [["python3", "--config", "/x/a.py"], "a.py"],
    [["my client", "/x/a.py"], "a.py"],
    [["node", "", "/x/a.js"], "a.js"],
    [["node", "--", "/x/main.js~"], "main.js~"],
    [["node", "/x/domain.js"], "domain.js"],
    [["deno", "run", "x/main.ts"], "x/main.ts"],
    [["deno", "serve", "/x/a.ts"], "a.ts"],
    ...["--config", "-L", "--import-map"].map((option): [string[], string] => [
      ["deno", "run", option, "/x/value", "/x/a.ts"],
      "a.ts",
    ]),
    ...["-E", "--eval", "-p", "eval", "repl"].map((option): [string[], null] => [
      ["node", option, "x.js"],
      null,
    ]),
    [["python3", "-c", "import socket"], null],
    [["/bin/sh", "-e", "x"], null],
    [["/bin/sh", "/usr/bin/report"], "report"],
    [["/lib64/ld-linux-x86-64.so.2", "/opt/x/deno", "run", "--", "main.ts"], "main.ts"],
    [["deno", "run", "data:text/javascript,1"], null],
    [["node"], null],
    [[], null],
  ];
  for (const [words, expected] of cases) assertEquals(of(...words), expected, words.join(" "));
  // The process may have written anything.
  assertEquals(runtimeProgram("deno", "deno\0run\0" + "x".repeat(5_000)), "x".repeat(64));
  assertEquals(runtimeProgram("node", "\0\0\0"), null);
  assertEquals(runtimeProgram("python3", "python3\0-m"), null);
  assertEquals(runtimeProgram("python3", "python3\0/a/\x1b[2J\nb"), "\x1b[2J\nb");
});
