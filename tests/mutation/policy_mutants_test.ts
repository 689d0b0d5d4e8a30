import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { EQUIVALENTS } from "../../tools/mutate/equivalents.ts";
import { ROOT } from "../../tools/build/root.ts";

const OF_POLICY = EQUIVALENTS.filter(({ file }) => file.startsWith("lib/policy/"));

Deno.test("no mutant of the policy survives, except those that are equivalent", async () => {
  const output = await Deno.makeTempDir({ prefix: "ipcauth-test-" });
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-P=test", join(ROOT, "tools/mutate/mutate.ts")],
      ...["--output", output, "--own", "lib/policy"],
    ],
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout) + decoder.decode(stderr);
  await Deno.remove(output, { recursive: true });
  assertEquals(code, 0, text);
  const counts = text.match(/(\d+) killed, (\d+) survived, .* (\d+) are equivalent/);
  const [killed = 0, survived, equivalent] = counts?.slice(1).map(Number) ?? [];
  // The equivalent ones show that a mutant can survive.
  assertEquals([killed > 300, survived, equivalent], [true, 0, OF_POLICY.length], text);
});
