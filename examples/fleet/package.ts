/** Builds the Debian package for the image: `package.ts WORK OUTPUT`, as `package.sh` runs it. */
import { readCommit } from "../../tools/build/commit.ts";
import { ROOT } from "../../tools/build/root.ts";
import { debianPackage } from "../../tools/packaging/deb.ts";

const [work, output] = Deno.args as [string, string];
await debianPackage(work, output, await readCommit(ROOT));
