/**
 * Builds `dist/ipcauth-linux-x64` and `dist/ipcauth-linux-arm64`: one executable each, the runtime inside.
 *
 * `deno compile` needs a base runtime ("denort") that it downloads, or finds where `DENORT_BIN` says.
 */
import { fromFileUrl, join } from "@std/path";
import { PERMISSION_FLAGS } from "../lib/cli/permissions.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const TARGETS = {
  "x64": "x86_64-unknown-linux-gnu",
  "arm64": "aarch64-unknown-linux-gnu",
} as const;
/** `EX_UNAVAILABLE` of sysexits.h. */
const UNAVAILABLE = 69;

for (const [name, target] of Object.entries(TARGETS)) {
  const output = join(ROOT, "dist", `ipcauth-linux-${name}`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["compile", "--quiet", "--target", target, "--output", output],
      ...PERMISSION_FLAGS,
      join(ROOT, "main.ts"),
    ],
    cwd: ROOT,
    stdout: "null",
    stderr: "null",
  }).output();
  if (!success) {
    console.error(
      `compile: the base runtime of ${target} cannot be had here; set DENORT_BIN to one, ` +
        "or build one directory that needs nothing else: deno task portable",
    );
    Deno.exit(UNAVAILABLE);
  }
  console.log(`built ${output}`);
}
