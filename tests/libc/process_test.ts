import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { cString } from "../../lib/libc/memory.ts";
import { copyForStart } from "../../tools/build/executable_file.ts";
import {
  argumentBytes,
  exec,
  readVariable,
  removeVariable,
  setVariable,
} from "../../lib/libc/process.ts";
import { childLine, isRoot, output } from "../support/processes.ts";

const PROCESS = new URL("../../lib/libc/process.ts", import.meta.url).href;

Deno.test("a variable of the environment is set, read and removed", () => {
  const name = `VARIABLE_${crypto.randomUUID().replaceAll("-", "_")}`;
  assertEquals(readVariable(name), null);
  setVariable(name, "ü =");
  assertEquals(readVariable(name), "ü =");
  setVariable(name, "");
  assertEquals(readVariable(name), "");
  removeVariable(name);
  removeVariable(name);
  assertEquals(readVariable(name), null);
});

Deno.test("renameVariable() keeps every byte and replaces another variable", async () => {
  const script = `import { exec, renameVariable } from ${JSON.stringify(PROCESS)};
renameVariable("FROM", "TO"); renameVariable("ABSENT", "TO");
exec(["env", "-0"].map((text) => new TextEncoder().encode(text + "\\0")));`;
  const shell = `export FROM="$(printf 'a\\377=b\\nc')" TO=before; exec "$0" eval "$1"`;
  const bytes = await output([
    "sh",
    "-c",
    `(${shell}) | od -An -v -c | tr -d ' \n'`,
    Deno.execPath(),
    script,
  ]);
  assertStringIncludes(bytes, "\\0TO=a377=b\\nc\\0");
  assertEquals(/FROM|before/.test(bytes), false);
});

Deno.test("readVariable() reads a value of 100,000 bytes", () => {
  const value = "x".repeat(100_000);
  setVariable("LONG_VARIABLE", value);
  assertEquals(readVariable("LONG_VARIABLE"), value);
  removeVariable("LONG_VARIABLE");
});

Deno.test("setVariable() throws for an empty name, and one with = or NUL", () => {
  assertThrows(() => setVariable("A=B", "c"), SystemError);
  assertThrows(() => setVariable("", "c"), SystemError);
  assertThrows(() => setVariable("A\0B", "c"), TypeError);
});

Deno.test("exec() distinguishes a missing program from one that cannot be executed", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/plain`, "#!/bin/sh\n", { mode: 0o644 });
  const code = (program: string) => assertThrows(() => exec([cString(program)]), SystemError).errno;
  assertEquals(code(`${directory}/absent`), Errno.ENOENT);
  assertEquals(code(`${directory}/plain`), Errno.EACCES);
  assertEquals(code(`${directory}/plain/below`), Errno.ENOTDIR);
  assertEquals(code(directory), Errno.EACCES);
  assertEquals(code(""), Errno.ENOENT);
  assertThrows(() => exec([]), TypeError);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("exec() makes the same distinction in PATH", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.mkdir(`${directory}/folder`);
  await Deno.writeTextFile(`${directory}/plain`, "", { mode: 0o644 });
  await Deno.writeTextFile(`${directory}/program`, "#!/bin/sh\necho ran\n", { mode: 0o755 });
  await Deno.writeTextFile(`${directory}/script`, "echo ran without a first line\n", {
    mode: 0o755,
  });
  for (const name of ["program", "script"]) await copyForStart(`${directory}/${name}`);
  const run = (name: string) =>
    output(childLine("exec", name), { PATH: `/nonexistent:${directory}` });
  assertEquals(await run("program"), "ran\n");
  assertEquals(await run("absent"), "ENOENT\n");
  assertEquals(await run("plain"), "EACCES\n");
  assertEquals(await run("folder"), "ENOENT\n");
  // As execvp(3), env(1) and every shell do.
  assertEquals(await run("script"), "ran without a first line\n");
  await Deno.remove(directory, { recursive: true });
});

Deno.test(
  "exec() is ENOENT when a directory of PATH may not be entered (needs root)",
  { ignore: !isRoot },
  async () => {
    const directory = await Deno.makeTempDir();
    await Deno.chmod(directory, 0o700);
    await Deno.writeTextFile(`${directory}/program`, "#!/bin/sh\necho ran\n", { mode: 0o755 });
    await copyForStart(`${directory}/program`);
    const run = (uid: number, name: string) => {
      const identity = JSON.stringify({ uid, gid: uid, groups: [] });
      return output(childLine("exec-as", identity, name), { PATH: directory });
    };
    assertEquals(await run(0, "program"), "ran\n");
    assertEquals(await run(579, "program"), "ENOENT\n");
    assertEquals(await run(579, "absent"), "ENOENT\n");
    await Deno.remove(directory, { recursive: true });
  },
);

Deno.test("argumentBytes() returns the original bytes, UTF-8 or not", async () => {
  const line = childLine("arguments").map((word) => `'${word}'`).join(" ");
  const bytes = await output([
    "sh",
    "-c",
    `${line} plain '' ü "$(printf 'a\\377\\376b')" "$(printf '\\357\\277\\275')" ` +
    `"$(printf '\\357\\273\\277')"`,
  ]);
  assertEquals(JSON.parse(bytes), [
    [...new TextEncoder().encode("plain\0")],
    [0],
    [0xc3, 0xbc, 0],
    [0x61, 0xff, 0xfe, 0x62, 0],
    [0xef, 0xbf, 0xbd, 0],
    [0xef, 0xbb, 0xbf, 0],
  ]);
});

Deno.test("argumentBytes() finds the arguments after 3,000 others", async () => {
  const line = childLine("arguments").map((word) => `'${word}'`).join(" ");
  const many = Array.from({ length: 3000 }, (_, index) => `argument-${index}`);
  const bytes = await output(["sh", "-c", `${line} "$@" "$(printf '\\377')"`, "sh", ...many]);
  assertEquals(JSON.parse(bytes).length, 3001);
  assertEquals(JSON.parse(bytes).at(-1), [0xff, 0]);
});

Deno.test("argumentBytes() throws for an argument that this process does not have", () => {
  assertThrows(() => argumentBytes(["\ufffd this process has no such argument"]), SystemError);
  assertThrows(() => argumentBytes(["a\0b"]), TypeError);
});
