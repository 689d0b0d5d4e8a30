/** Compiled executables: what they are made of, for which machine, and what is said where one cannot be had. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { compile, compileError, NoBaseRuntime } from "../../tools/build/compile.ts";
import { HOST_MACHINE, machineOf } from "../../tools/build/elf.ts";
import { sha256 } from "../../tools/packaging/sbom.ts";
import { copyTree, runScript } from "../support/source_tree.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };
const THERE = HOST_MACHINE === "x64" ? "arm64" : "x64";

async function temporaryDirectory() {
  const path = await Deno.makeTempDir();
  return {
    path,
    [Symbol.dispose]() {
      Deno.removeSync(path, { recursive: true });
    },
  };
}

/** The first bytes of an executable. */
function elf(machine: number, { bits = 2, order = 1 } = {}): Uint8Array {
  const header = new Uint8Array(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, bits, order, 1]);
  new DataView(header.buffer).setUint16(18, machine, true);
  return header;
}

Deno.test("the machine of an executable is what its header says", async () => {
  using place = await temporaryDirectory();
  const path = join(place.path, "file");
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

Deno.test("a base runtime is taken for its own machine only", async (test) => {
  using place = await temporaryDirectory();
  const output = join(place.path, "out");
  const refused = async (machine: "x64" | "arm64", env: Record<string, string>, why: string) => {
    const error = await assertRejects(() => compile(machine, output, COMMIT, env), NoBaseRuntime);
    assertStringIncludes(error.message, why);
    assertEquals([...Deno.readDirSync(place.path)], []);
  };
  await test.step("one that is named for a machine and is for another", () =>
    refused(
      THERE,
      { [`DENORT_BIN_${THERE.toUpperCase()}`]: Deno.execPath() },
      `is an executable for ${HOST_MACHINE}`,
    ));
  await test.step("one that is not there", () =>
    refused(HOST_MACHINE, { DENORT_BIN: "/nowhere" }, "DENORT_BIN=/nowhere cannot be read"));
  await test.step("one that is none", () =>
    refused(HOST_MACHINE, { DENORT_BIN: "/etc/passwd" }, "is no executable"));
});

Deno.test("only a base runtime that cannot be had is one; whatever else deno says is told", () => {
  const download = `error: Writing deno compile executable to temporary file 'o.tmp-31'

Caused by:
    0: Setting up base binary.
    1: error sending request for url (URL): client error (Connect)
    2: dns error: Name or service not known

Stack backtrace:
   0: <unknown>
`;
  const left = compileError(download);
  assert(left instanceof NoBaseRuntime);
  assertEquals(left.message, "dns error: Name or service not known");
  for (
    const said of [
      "error: Type checking failed.\n\nStack backtrace:\n   0: <unknown>\n",
      'error: Module not found "file:///gone.js".\n',
      "error: Writing deno compile executable to temporary file 'o'\n\nCaused by:\n    0: No space left on device\n",
      "Caused by:\n    0: Setting up base binary.\n    1: Checksum verification failed.\n",
    ]
  ) {
    const error = compileError(said);
    assert(!(error instanceof NoBaseRuntime), said);
    assertEquals(error.message, said.trim());
  }
});

Deno.test("an executable is of one file with its commit, the same bytes from another place, home and umask", async () => {
  using place = await temporaryDirectory();
  const one = join(place.path, "one", "ipcauth-linux");
  const two = join(place.path, "some", "where", "else", "ipcauth-linux");
  // It has the right shape and does not run; a real base runtime cannot be had everywhere.
  const env = { DENORT_BIN: Deno.execPath() };
  await compile(HOST_MACHINE, one, COMMIT, env);
  const tree = join(place.path, "tree");
  await copyTree(tree);
  await runScript(
    tree,
    `import { compile } from "./tools/build/compile.ts";
await compile(${JSON.stringify(HOST_MACHINE)}, Deno.args[0]!, ${JSON.stringify(COMMIT)}, ${
      JSON.stringify(env)
    });
`,
    [two],
    { umask: "077", home: place.path },
  );
  assertEquals(await sha256(one), await sha256(two));
  const { mode } = await Deno.stat(two);
  assertEquals(mode! & 0o7777, 0o755);
  const text = new TextDecoder("latin1").decode(await Deno.readFile(one));
  assertStringIncludes(text, `name:"ipcauth",commit:"${COMMIT.hash}",version:`);
  // The list of what is in it: a file, with the commit's time.
  assertStringIncludes(text, '[{"File":{"n":"ipcauth.js","o":[0,');
  assertStringIncludes(text, `"t":${COMMIT.time * 1000}}}]`);
  assertStringIncludes(text, '"entrypoint_key":"ipcauth.js"');
  // Rights by name, and no cache of compiled code in a temporary directory.
  assertStringIncludes(text, '"allow_net":null');
  assertStringIncludes(text, '"allow_run":null');
  assertStringIncludes(text, '"code_cache_key":null');
  assertEquals([...Deno.readDirSync(join(place.path, "one"))].length, 1);
});
