/** Tests that count what their whole process holds: they run in a process of their own. */
import { assert } from "@std/assert";
import { fromFileUrl } from "@std/path";

/** Names the test that this process was started for. */
const VARIABLE = "IPCAUTH_TEST_ALONE";

/**
 * Registers a test that runs in another process, alone. Tests run beside each other in one process,
 * and the descriptors of all of them are in one table.
 *
 * @param file The test file, as its `import.meta.url`. It is run again.
 */
export function testAlone(file: string, name: string, run: () => Promise<void>): void {
  Deno.test(name, async () => {
    if (Deno.env.get(VARIABLE) === name) return await run();
    const flags = ["--quiet", "--no-check", "--v8-flags=--enable-experimental-regexp-engine"];
    const args = ["test", ...flags, "-P=test", "--filter", name, fromFileUrl(file)];
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args,
      env: { [VARIABLE]: name, NO_COLOR: "1" },
      stderr: "inherit",
    }).output();
    assert(success, new TextDecoder().decode(stdout));
  });
}
