/** Names that are no UTF-8, and names that a terminal would obey, in arguments and environment. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Outcome, Program } from "../support/program.ts";

/** Runs a script of bash, whose `$'…'` can write any byte. */
function run(program: Program, script: string): Promise<Outcome> {
  return program.execute(["bash", "-c", script]);
}

Deno.test("a name that is no UTF-8 is refused before anything is made", async (test) => {
  await using program = await Program.install();
  const made = () => [...Deno.readDirSync(program.directory)].map(({ name }) => name).sort();
  const before = made();
  for (
    const [what, script] of [
      ["a key", "ipcauth gen-key $'k\\xff.key'"],
      ["a flag with a sign", "ipcauth serve --unix=$PWD/$'d\\xff.sock'"],
      ["a flag with a word", "ipcauth serve --unix $PWD/$'d\\xff.sock'"],
      ["a flag before the command", "ipcauth --config $'c\\xff' users list"],
      ["a command of the console", "ipcauth connect -c $'show \\xc3'"],
      ["an argument of a program", "ipcauth serve --exec -- /bin/echo $'\\xff'"],
      ["a path in the environment", "IPCAUTH_PATH=$'/tmp/\\xff' ipcauth connect -c help"],
      ["a configuration in it", "IPCAUTH_CONFIG=$'/tmp/\\xff' ipcauth users list"],
      ["a directory in it", "XDG_RUNTIME_DIR=$'/tmp/\\xff' ipcauth connect -c help"],
    ] as const
  ) {
    await test.step(what, async () => {
      const { code, stdout, stderr } = await run(program, script);
      assertEquals([code, stdout], [64, ""], stderr);
      assertMatch(stderr, /^ipcauth: error: [^\n]*is not UTF-8[^\n]*\nhint: /);
      assertEquals(made(), before);
    });
  }
});

Deno.test("a relative name in a directory whose name is no UTF-8 is refused", async () => {
  await using program = await Program.install();
  const { code, stderr } = await run(
    program,
    "mkdir $'d\\xff' && cd $'d\\xff' && ipcauth gen-key k.key; echo $? $(ls) >&2",
  );
  assertEquals(code, 0);
  assertMatch(stderr, /^ipcauth: error: [^\n]*not valid UTF-8\nhint: [^\n]*\n64\n$/);
  await run(program, "rm -rf $'d\\xff'");
});

Deno.test("the character that stands for bad bytes is a character like others", async () => {
  await using program = await Program.install();
  const { code, stderr } = await run(program, "ipcauth gen-key $'k\\xef\\xbf\\xbd.key'");
  assertEquals([code, stderr], [0, ""]);
  assertEquals(Deno.lstatSync(program.path("k\ufffd.key")).isFile, true);
});

Deno.test("a terminal gets no control and no direction of text from names", async (test) => {
  await using program = await Program.install();
  const odd = "$'\\x1b[31m\\u202e\\u009b\\nhint: rm -rf'";
  await program.write("config.yaml", "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n");
  for (
    const script of [
      `ipcauth connect --unix=$PWD/${odd}`,
      `IPCAUTH_PATH=$PWD/${odd} ipcauth connect -c help`,
      `ipcauth connect --tcp=${odd}`,
      `ipcauth ${odd}`,
      `ipcauth serve --${odd}`,
      `ipcauth users list --config $PWD/${odd}`,
      `cp config.yaml ${odd}.yaml; ipcauth users check bob --config ${odd}.yaml`,
      `ipcauth users check bob --json --config ${odd}.yaml`,
      `ipcauth users deny bob --config ${odd}.yaml`,
      `ipcauth gen-key $PWD/${odd}.key`,
      `ipcauth run-as 1 -- ${odd}`,
    ]
  ) {
    await test.step(script, async () => {
      const { stdout, stderr } = await run(program, script);
      // deno-lint-ignore no-control-regex -- the characters that must not be there
      assertEquals((stdout + stderr).match(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/g), null);
      assertEquals(/^hint: rm/m.test(stdout + stderr), false, stdout + stderr);
    });
  }
});

Deno.test("the command of a hint names the same file", async () => {
  await using program = await Program.install();
  const name = "it's \x1b[31m\u202e$HOME %s.txt";
  await Deno.writeTextFile(program.path(name), "");
  const { stderr } = await program.run(["connect", `--unix=${program.path(name)}`]);
  const [, hint] = /\nhint: (ls -ld .*)\n$/.exec(stderr) ?? [];
  const { code, stdout } = await program.execute(["sh", "-c", `${hint}`]);
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, "it's");
});
