/** Builds do not depend on the builder: neither on the umask nor on bits of a parent directory. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { bundle } from "../../tools/build/bundle.ts";
import { runProgram } from "../../tools/build/run_program.ts";
import { debianPackage } from "../../tools/packaging/deb.ts";
import { pack, portable, PORTABLE_NAME } from "../../tools/build/portable.ts";
import { sha256 } from "../../tools/packaging/sbom.ts";
import { isInstalled } from "../support/installed.ts";
import { copyTree, runScript } from "../support/source_tree.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };

/**
 * Builds the same here and from a copied tree, whose directories have `g+s` and no permissions for
 * other users, under umask 077. Asserts that both are the same bytes.
 *
 * @param script A script that builds into the directory that is its argument.
 * @param build The same for this process. @returns The path of the file.
 * @returns The listing of the file where it is an archive.
 */
async function buildTwice(script: string, build: (directory: string) => Promise<string>) {
  const temporary = await Deno.makeTempDir();
  try {
    const tree = join(temporary, "tree");
    await copyTree(tree);
    const fromTree = join(temporary, "other");
    await Deno.mkdir(fromTree);
    await runProgram(
      "find",
      [tree, fromTree, "-type", "d", "-exec", "chmod", "g+s", "{}", "+"],
      temporary,
    );
    await runProgram("chmod", ["-R", "go=", tree], temporary);
    await runScript(tree, script, [fromTree], { umask: "077", home: temporary });
    const fromHere = join(temporary, "one");
    await Deno.mkdir(fromHere);
    const path = await build(fromHere);
    const [name] = path.split("/").slice(-1);
    assertEquals(await sha256(path), await sha256(join(fromTree, name!)));
    return await runProgram("tar", ["-tvf", path], temporary).catch(() => "");
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

Deno.test("the portable archive has the same bytes under any umask, in a g+s tree", async () => {
  const listing = await buildTwice(
    `import { pack, portable, PORTABLE_NAME } from "./tools/build/portable.ts";
const [directory] = Deno.args;
await portable(directory + "/" + PORTABLE_NAME, ${JSON.stringify(COMMIT)});
await pack(directory + "/" + PORTABLE_NAME, directory + "/a.tar.gz", ${JSON.stringify(COMMIT)});
`,
    async (directory) => {
      await portable(join(directory, PORTABLE_NAME), COMMIT);
      await pack(join(directory, PORTABLE_NAME), join(directory, "a.tar.gz"), COMMIT);
      return join(directory, "a.tar.gz");
    },
  );
  const modes = new Set(listing.trim().split("\n").map((line) => line.split(" ")[0]));
  assertEquals([...modes].sort(), ["-rw-r--r--", "-rwxr-xr-x", "drwxr-xr-x"]);
});

Deno.test("the bundle has the same bytes under another umask, in another directory", async () => {
  await buildTwice(
    `import { bundle } from "./tools/build/bundle.ts";
await bundle(Deno.args[0] + "/ipcauth", ${JSON.stringify(COMMIT)});
`,
    async (directory) => {
      await bundle(join(directory, "ipcauth"), COMMIT);
      return join(directory, "ipcauth");
    },
  );
});

Deno.test({
  name: "the Debian package has the same bytes under another umask (needs dpkg-deb and gcc)",
  ignore: !isInstalled("dpkg-deb") || !isInstalled("gcc"),
  async fn() {
    await buildTwice(
      `import { debianPackage } from "./tools/packaging/deb.ts";
const [directory] = Deno.args;
await Deno.mkdir(directory + "/work");
await debianPackage(directory + "/work", directory + "/a.deb", ${JSON.stringify(COMMIT)});
`,
      async (directory) => {
        await Deno.mkdir(join(directory, "work"));
        await debianPackage(join(directory, "work"), join(directory, "a.deb"), COMMIT);
        return join(directory, "a.deb");
      },
    );
  },
});
