/** The bundle: one script for machines with Deno, and its launcher lines. */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { bundle } from "../../tools/build/bundle.ts";
import { isRoot, Program } from "../support/program.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };

/** Builds the script in a directory of its own. @returns Its path. */
async function build(program: Program): Promise<string> {
  const script = program.path("script", "ipcauth");
  await bundle(script, COMMIT);
  return script;
}

Deno.test("the script names its commit", async () => {
  await using program = await Program.install();
  const { stdout, stderr } = await program.execute([await build(program), "--version"]);
  assertEquals([stdout, stderr], [`ipcauth ${manifest.version} (${COMMIT.hash})\n`, ""]);
});

Deno.test("the script reports that there is no deno, with an exit status of its own", async () => {
  await using program = await Program.install();
  const script = await build(program);
  const run = (...args: string[]) =>
    program.execute([script, ...args], { env: { PATH: "/usr/bin:/bin" } });
  const { code, stderr } = await run("--version");
  assertEquals(code, 71);
  assertMatch(stderr, /^ipcauth: error: There is no deno on PATH\nhint: npm install .*\n$/);
  // 127 would mean that the program was not found.
  assertEquals((await run("--log-level", "info", "run-as", "579", "--", "true")).code, 125);
});

Deno.test({
  name: "the script keeps a cache in a home that the caller owns, and in no other (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install();
    const script = await build(program);
    const home = program.path("home");
    await Deno.mkdir(home);
    const made = async (env: Record<string, string>, uid?: number) => {
      const who = uid === undefined ? {} : { uid };
      assertEquals((await program.execute([script, "--version"], { env, ...who })).code, 0);
      const names = [...Deno.readDirSync(home)].map(({ name }) => name);
      for (const name of names) await Deno.remove(join(home, name), { recursive: true });
      return names;
    };
    assertEquals(await made({ HOME: home }), [".cache"]);
    assertEquals(await made({ HOME: home }, 579), []);
    await Deno.chown(home, 579, 579);
    assertEquals(await made({ HOME: home }, 579), [".cache"]);
    assertEquals(await made({ HOME: home }), []);
    assertEquals(await made({ DENO_DIR: join(home, "deno") }), []);
    assertEquals(await made({ XDG_CACHE_HOME: join(home, "cache") }), []);
    assertEquals(await made({ HOME: join(home, "absent") }), []);
  },
});
