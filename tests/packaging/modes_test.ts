/** Builds do not depend on who builds them: on the umask, or on what a parent directory hands down. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { bundle } from "../../tools/build/bundle.ts";
import { run } from "../../tools/build/commit.ts";
import { debianPackage } from "../../tools/packaging/deb.ts";
import { pack, portable, PORTABLE_NAME } from "../../tools/build/portable.ts";
import { sha256 } from "../../tools/packaging/sbom.ts";
import { isInstalled } from "../support/installed.ts";
import { copyTree, runScript } from "../support/source_tree.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };

/** The same twice: here, and in a tree that hands its group down to a builder that keeps everything to itself. */
async function builtTwice(script: string, build: (directory: string) => Promise<string>) {
  const place = await Deno.makeTempDir();
  try {
    const tree = join(place, "tree");
    await copyTree(tree);
    const other = join(place, "other");
    await Deno.mkdir(other);
    await run("find", [tree, other, "-type", "d", "-exec", "chmod", "g+s", "{}", "+"], place);
    await run("chmod", ["-R", "go=", tree], place);
    await runScript(tree, script, [other], { umask: "077", home: place });
    const one = join(place, "one");
    await Deno.mkdir(one);
    const path = await build(one);
    const [name] = path.split("/").slice(-1);
    assertEquals(await sha256(path), await sha256(join(other, name!)));
    return await run("tar", ["-tvf", path], place).catch(() => "");
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

Deno.test("the portable archive has the same bytes under another umask, in a tree with a group of its own", async () => {
  const listing = await builtTwice(
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

Deno.test("the script has the same bytes under another umask, in another place", async () => {
  await builtTwice(
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
  name: "the Debian package has the same bytes under another umask (needs dpkg-deb)",
  ignore: !isInstalled("dpkg-deb"),
  async fn() {
    await builtTwice(
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
