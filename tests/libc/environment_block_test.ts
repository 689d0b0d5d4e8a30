/** The environment of the process, from the kernel and from the C library. */
import { assert, assertEquals } from "@std/assert";
import { environmentBlock, libraryEnvironment } from "../../lib/libc/environment_block.ts";
import { removeVariable, setVariable } from "../../lib/libc/process.ts";

const variables = (block: Uint8Array) =>
  new TextDecoder().decode(block).split("\0").filter((one) => one.includes("="));

Deno.test("the C library has the variables that the process was started with", () => {
  const known = new Set(variables(libraryEnvironment()).map((one) => one.split("=")[0]));
  const started = variables(environmentBlock()).map((one) => one.split("=")[0]);
  // The test's own environment has these at least; tests and the runtime change some values.
  assert(known.has("PATH") && started.includes("PATH"));
  setVariable("IPCAUTH_TEST_BLOCK", "a=b \u00fc");
  const found = variables(libraryEnvironment());
  removeVariable("IPCAUTH_TEST_BLOCK");
  assertEquals(found.filter((one) => one.startsWith("IPCAUTH_TEST_BLOCK")), [
    "IPCAUTH_TEST_BLOCK=a=b \u00fc",
  ]);
});
