/** Thousands of relays on one reactor keep their bytes apart, and leave nothing. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";

const SCRIPT = fromFileUrl(new URL("../support/relay_stress.ts", import.meta.url));
const SEED = 20_261_124;
const COUNT = 2_500;

// In a process of its own: other tests of this process open and close sockets at the same time.
Deno.test(`${COUNT} relays keep their bytes apart and leave nothing (seed ${SEED})`, async () => {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", SCRIPT, String(SEED), String(COUNT)],
  }).output();
  const decoder = new TextDecoder();
  assertEquals([code, decoder.decode(stderr)], [0, ""]);
  const { undisturbed, ...left } = JSON.parse(decoder.decode(stdout));
  assert(undisturbed > COUNT / 4 && undisturbed < COUNT, `${undisturbed} were not disturbed`);
  assertEquals(left, { registered: 0, waiting: 0, leakedSockets: [] });
});
