/** The one script, for machines with Deno: what its first lines say and leave alone. */
import { assertEquals } from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { bundle } from "../../.ci/bundle.ts";
import { Program } from "./program.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };

/** The script, in a directory of its own. */
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
