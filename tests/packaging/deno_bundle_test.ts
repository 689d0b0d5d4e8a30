/** `deno bundle` where another run puts esbuild into the same home. */
import { assertEquals, assertRejects } from "@std/assert";
import { denoBundle } from "../../tools/build/deno_bundle.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** What Deno 2.9.6 says. */
const IN_THE_WAY = "error: failed to copy esbuild binary from a to b";

/** A runtime that counts its runs, and fails in the first ones with a message. */
function runtime(directory: TemporaryDirectory, failures: number, message: string) {
  const runs = directory.write("runs", "");
  const program = directory.write(
    "deno",
    `#!/bin/sh\necho "$@" >>${runs}\n` +
      `[ "$(wc -l <${runs})" -gt ${failures} ] || { echo "${message}" >&2; exit 1; }\n`,
    0o755,
  );
  return { program, runs: () => directory.text("runs").trim().split("\n") };
}

Deno.test("a bundle is made again where another run was in its way", async () => {
  using directory = new TemporaryDirectory();
  const { program, runs } = runtime(directory, 2, IN_THE_WAY);
  await denoBundle(["main.ts"], program);
  assertEquals(runs(), Array(3).fill("bundle --quiet --minify main.ts"));
});

Deno.test("a bundle that cannot be made fails with the bundler's message", async () => {
  for (const [message, attempts] of [[IN_THE_WAY, 3], ["error: no such module", 1]] as const) {
    using directory = new TemporaryDirectory();
    const { program, runs } = runtime(directory, 9, message);
    await assertRejects(() => denoBundle(["main.ts"], program), Error, message);
    assertEquals(runs().length, attempts);
  }
});
