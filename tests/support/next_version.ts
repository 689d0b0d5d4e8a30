/** The next version of a Debian package, for tests of upgrades. */
import { assertEquals } from "@std/assert";
import type { Program } from "./program.ts";

/** Makes the next version of a package, with another version number and default configuration. */
export async function nextVersion(program: Program, one: string, two: string): Promise<void> {
  const tree = program.path("next");
  const script = `dpkg-deb --raw-extract "$1" "$3" &&
    sed -i 's/^Version: .*/Version: 99.0/' "$3/DEBIAN/control" &&
    echo '# a new default' >> "$3/usr/share/ipcauth/config.yaml" &&
    dpkg-deb --root-owner-group -Znone --build "$3" "$2"`;
  const { code, stderr } = await program.execute(["sh", "-c", script, "sh", one, two, tree]);
  assertEquals(code, 0, stderr);
  await Deno.remove(tree, { recursive: true });
}
