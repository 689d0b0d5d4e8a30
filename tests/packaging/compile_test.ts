/** Compiled executables: their content, their machine, and the errors where one cannot be built. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { compile, compileError, NoBaseRuntime } from "../../tools/build/compile.ts";
import { HOST_MACHINE, machineOf } from "../../tools/build/elf.ts";
import { sha256 } from "../../tools/packaging/sbom.ts";
import { copyTree, runScript } from "../support/source_tree.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };
const OTHER_MACHINE = HOST_MACHINE === "x64" ? "arm64" : "x64";

async function temporaryDirectory() {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.dispose]() {
      Deno.removeSync(path, { recursive: true });
    },
  };
}

/** The first bytes of an executable: an ELF header with that `e_machine`. */
function elf(machine: number, { bits = 2, order = 1 } = {}): Uint8Array {
  const header = new Uint8Array(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, bits, order, 1]);
  new DataView(header.buffer).setUint16(18, machine, true);
  return header;
}

Deno.test("machineOf() reads the machine from the header of an executable", async () => {
  using temporary = await temporaryDirectory();
  const path = join(temporary.path, "file");
  for (
    const [bytes, machine] of [
      [elf(62), "x64"],
      [elf(183), "arm64"],
      [elf(40), null],
      [elf(62, { bits: 1 }), null],
      [elf(62, { order: 2 }), null],
      [elf(62).subarray(0, 19), null],
      [new TextEncoder().encode("#!/bin/sh\nexec true # a script\n"), null],
      [new Uint8Array(), null],
    ] as const
  ) {
    await Deno.writeFile(path, bytes);
    assertEquals(await machineOf(path), machine);
  }
  assertEquals(await machineOf(Deno.execPath()), HOST_MACHINE);
});

Deno.test("a base runtime is used only for the machine that it is for", async (test) => {
  using temporary = await temporaryDirectory();
  const output = join(temporary.path, "out");
  const assertRejected = async (
    machine: "x64" | "arm64",
    env: Record<string, string>,
    message: string,
  ) => {
    const error = await assertRejects(() => compile(machine, output, COMMIT, env), NoBaseRuntime);
    assertStringIncludes(error.message, message);
    assertEquals([...Deno.readDirSync(temporary.path)], []);
  };
  await test.step("one that is named for another machine than its own", () =>
    assertRejected(
      OTHER_MACHINE,
      { [`DENORT_BIN_${OTHER_MACHINE.toUpperCase()}`]: Deno.execPath() },
      `is an executable for ${HOST_MACHINE}`,
    ));
  await test.step("one that does not exist", () =>
    assertRejected(HOST_MACHINE, { DENORT_BIN: "/nowhere" }, "DENORT_BIN=/nowhere cannot be read"));
  await test.step("a file that is no executable", () =>
    assertRejected(HOST_MACHINE, { DENORT_BIN: "/etc/passwd" }, "is no executable"));
});

Deno.test("compileError() recognizes a missing base runtime, and keeps every other message", () => {
  const download = `error: Writing deno compile executable to temporary file 'o.tmp-31'

Caused by:
    0: Setting up base binary.
    1: error sending request for url (URL): client error (Connect)
    2: dns error: Name or service not known

Stack backtrace:
   0: <unknown>
`;
  const missing = compileError(download);
  assert(missing instanceof NoBaseRuntime);
  assertEquals(missing.message, "dns error: Name or service not known");
  for (
    const stderr of [
      "error: Type checking failed.\n\nStack backtrace:\n   0: <unknown>\n",
      'error: Module not found "file:///gone.js".\n',
      "error: Writing deno compile executable to temporary file 'o'\n\nCaused by:\n    0: No space left on device\n",
      "Caused by:\n    0: Setting up base binary.\n    1: Checksum verification failed.\n",
    ]
  ) {
    const error = compileError(stderr);
    assert(!(error instanceof NoBaseRuntime), stderr);
    assertEquals(error.message, stderr.trim());
  }
});

Deno.test("an executable has the commit; directory, HOME and umask change no byte", async () => {
  using temporary = await temporaryDirectory();
  const one = join(temporary.path, "one", "ipcauth-linux");
  const two = join(temporary.path, "some", "where", "else", "ipcauth-linux");
  // `deno` has the form of a base runtime. The result does not run; a real one needs a download.
  const env = { DENORT_BIN: Deno.execPath() };
  await compile(HOST_MACHINE, one, COMMIT, env);
  const tree = join(temporary.path, "tree");
  await copyTree(tree);
  await runScript(
    tree,
    `import { compile } from "./tools/build/compile.ts";
await compile(${JSON.stringify(HOST_MACHINE)}, Deno.args[0]!, ${JSON.stringify(COMMIT)}, ${
      JSON.stringify(env)
    });
`,
    [two],
    { umask: "077", home: temporary.path },
  );
  assertEquals(await sha256(one), await sha256(two));
  const { mode } = await Deno.stat(two);
  assertEquals(mode! & 0o7777, 0o755);
  const text = new TextDecoder("latin1").decode(await Deno.readFile(one));
  assertStringIncludes(text, `name:"ipcauth",commit:"${COMMIT.hash}",version:`);
  // The list of embedded files: one, with the commit's time.
  assertStringIncludes(text, '[{"File":{"n":"ipcauth.js","o":[0,');
  assertStringIncludes(text, `"t":${COMMIT.time * 1000}}}]`);
  assertStringIncludes(text, '"entrypoint_key":"ipcauth.js"');
  // No permissions but the named ones, and no code cache in a temporary directory.
  assertStringIncludes(text, '"allow_net":null');
  assertStringIncludes(text, '"allow_run":null');
  assertStringIncludes(text, '"code_cache_key":null');
  assertEquals([...Deno.readDirSync(join(temporary.path, "one"))].length, 1);
});
