/** Executables of `deno compile`: their content, and the errors where one cannot be built. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { compile, NoBaseRuntime } from "../../tools/build/compile_denort.ts";
import { HOST_MACHINE } from "../../tools/build/elf.ts";
import { sha256 } from "../../tools/packaging/sbom.ts";
import { copyTree, runScript } from "../support/source_tree.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };
const HASH_VARIABLE = `DENORT_SHA256_${HOST_MACHINE.toUpperCase()}`;
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
  await test.step("none that is named", () =>
    assertRejected(HOST_MACHINE, {}, "nor DENORT_BIN names one"));
  await test.step("one without a known hash", () =>
    assertRejected(HOST_MACHINE, { DENORT_BIN: Deno.execPath() }, "has no SHA-256"));
  await test.step("one with another hash", async () => {
    const env = { DENORT_BIN: Deno.execPath(), [HASH_VARIABLE]: "0".repeat(64) };
    const error = await assertRejects(() => compile(HOST_MACHINE, output, COMMIT, env), Error);
    assertStringIncludes(error.message, `not ${"0".repeat(64)}`);
    assertEquals([...Deno.readDirSync(temporary.path)], []);
  });
});

Deno.test("an executable has the commit; directory, HOME and umask change no byte", async () => {
  using temporary = await temporaryDirectory();
  const one = join(temporary.path, "one", "ipcauth-linux");
  const two = join(temporary.path, "some", "where", "else", "ipcauth-linux");
  // `deno` has the form of a base runtime. The result does not run; a real one needs a download.
  const env = { DENORT_BIN: Deno.execPath(), [HASH_VARIABLE]: await sha256(Deno.execPath()) };
  await compile(HOST_MACHINE, one, COMMIT, env);
  const tree = join(temporary.path, "tree");
  await copyTree(tree);
  await runScript(
    tree,
    `import { compile } from "./tools/build/compile_denort.ts";
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
  assertStringIncludes(text, `name:\\"ipcauth\\",commit:\\"${COMMIT.hash}\\",version:`);
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
