/**
 * Edits that are killed at random moments. `IPCAUTH_KILLS` is how many of them there are,
 * `IPCAUTH_FUZZ_SEED` the seed of other moments.
 */
import { assert, assertEquals } from "@std/assert";
import { Editor } from "../support/editor.ts";
import { Random } from "../support/random.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const TEXT = (access: boolean) =>
  `# ${"long ".repeat(2_000)}
users:
  - { name: alice, uid: 578, local_ipc_access: false } # no
  - { name: bob, uid: 579, local_ipc_access: ${access} }
`;
/** How many edits a process is asked for at once, and how long it may live then. */
const EDITS = 40;
const LIFE_MS = 25;

Deno.test("an edit that is killed leaves a whole file, no lock and no rubbish", async () => {
  const kills = Number(Deno.env.get("IPCAUTH_KILLS") ?? 12);
  const random = new Random(Number(Deno.env.get("IPCAUTH_FUZZ_SEED") ?? 1));
  using directory = new TemporaryDirectory();
  const config = directory.write("config.yaml", TEXT(true));
  const texts = [TEXT(true), TEXT(false)];
  let inside = 0;
  for (let kill = 0; kill < kills; kill++) {
    await using editor = new Editor(config);
    await editor.ready();
    // What the one before has left is in no one's way, and is removed.
    for (const [verb, access] of [["deny", false], ["allow", true]] as const) {
      assertEquals(await editor.edit(`${verb} bob`), "done");
      assert(Deno.readTextFileSync(config) === TEXT(access), `kill ${kill}`);
    }
    assertEquals(directory.names(), ["config.yaml"]);
    await editor.ask(Array.from({ length: EDITS }, (_, n) => n % 2 ? "allow bob" : "deny bob"));
    await new Promise((resolve) => setTimeout(resolve, random.below(LIFE_MS)));
    if (await editor.kill() < EDITS) inside++;
    // At each moment the file is one of the two.
    assert(texts.includes(Deno.readTextFileSync(config)), `kill ${kill}`);
    for (const name of directory.names()) {
      assert(/^config\.yaml(\.lock|\.new)?$/.test(name), `kill ${kill}: ${name}`);
    }
  }
  assert(inside > kills / 4, `only ${inside} of ${kills} processes were killed in their edits`);
});
