/** Which trees and which tags may be released. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { runProgram } from "../../tools/build/run_program.ts";
import { debVersion } from "../../tools/packaging/deb_texts.ts";
import { whyNotReleasable } from "../../tools/packaging/release.ts";
import { copyForStart } from "../../tools/build/executable_file.ts";
import {
  changelogSection,
  type ReleaseFacts,
  whyNotReleased,
} from "../../tools/packaging/release_check.ts";
import { copyTree } from "../support/source_tree.ts";

Deno.test("whyNotReleasable() allows only a clean commit, or any tree with --allow-dirty", () => {
  const clean = { hash: "0123456789ab", time: 0 };
  const dirty = { hash: "0123456789ab-dirty", time: 0 };
  const unknown = { hash: "unknown", time: 0 };
  assertEquals(whyNotReleasable(clean, []), null);
  assertEquals(whyNotReleasable(clean, ["https://host.example/v1"]), null);
  assertEquals(whyNotReleasable(dirty, []), "the tree differs from its commit, 0123456789ab");
  assertEquals(whyNotReleasable(unknown, []), "the commit of this tree is unknown");
  for (const commit of [clean, dirty, unknown]) {
    assertEquals(whyNotReleasable(commit, ["--allow-dirty"]), null);
    assertEquals(whyNotReleasable(commit, ["--allow-dirt"]), "there is no flag --allow-dirt");
  }
});

const CHANGELOG = `# Changelog

## Unreleased

## 1.2.0 - 2026-11-26

### Added

- A thing.

## 1.1.0 - 2026-10-01

- Another.
`;

const FACTS: ReleaseFacts = {
  tag: "v1.2.0",
  version: "1.2.0",
  programVersion: "1.2.0",
  isCheckedOut: true,
  isOnMain: true,
  changelog: CHANGELOG,
  documents: { "README.md": "Install it." },
};

Deno.test("whyNotReleased() names each reason", () => {
  assertEquals(whyNotReleased(FACTS), []);
  assertEquals(
    whyNotReleased({
      ...FACTS,
      ...{ tag: "v1.2.0-rc.1", version: "1.2.0-rc.1", programVersion: "1.2.0-rc.1" },
    }),
    [],
  );
  const cases: [Partial<ReleaseFacts>, RegExp][] = [
    [{ tag: "v1.2.1" }, /the tag is v1\.2\.1, and deno\.json says 1\.2\.0/],
    [
      {
        tag: "v1.2.0-beta",
        version: "1.2.0-beta",
        programVersion: "1.2.0-beta",
        changelog: CHANGELOG.replace("1.2.0", "1.2.0-beta"),
      },
      /1\.2\.0-beta is neither/,
    ],
    [{ programVersion: "1.1.0" }, /lib\/cli\/version\.json says 1\.1\.0, and deno\.json 1\.2\.0/],
    [{ isCheckedOut: false }, /not that of the tag/],
    [{ isOnMain: false }, /not on origin\/main/],
    [{ changelog: CHANGELOG.replace(" - 2026-11-26", "") }, /no section "## 1\.2\.0 - /],
    [{ changelog: CHANGELOG.replace(/### Added[^#]*/, "") }, /no section "## 1\.2\.0 - /],
    [
      { documents: { "README.md": "No release has\nbeen published yet." } },
      /README\.md says: "No release has been published"/,
    ],
    [{ documents: { "SECURITY.md": "None has been published." } }, /SECURITY\.md says/],
  ];
  for (const [change, reason] of cases) {
    const reasons = whyNotReleased({ ...FACTS, ...change });
    assertEquals(reasons.length, 1, JSON.stringify(change));
    assertMatch(reasons[0]!, reason);
  }
});

Deno.test("changelogSection() ends with the next version", () => {
  assertEquals(changelogSection(CHANGELOG, "1.2.0"), "### Added\n\n- A thing.\n");
  assertEquals(changelogSection(CHANGELOG, "1.1.0"), "- Another.\n");
  assertEquals(changelogSection(CHANGELOG, "1.2"), null);
});

Deno.test("debVersion() sorts a candidate before its final version (needs dpkg)", async () => {
  assertEquals([debVersion("1.2.0-rc.1"), debVersion("1.2.0")], ["1.2.0~rc.1", "1.2.0"]);
  await runProgram("dpkg", ["--compare-versions", debVersion("1.2.0-rc.1"), "lt", "1.2.0"], "/");
});

Deno.test("release-check accepts a tag on main, and refuses it while the README denies it", async () => {
  const tree = await Deno.makeTempDir();
  try {
    await copyTree(tree);
    const git = (...args: string[]) =>
      runProgram("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], tree);
    const check = async (tag: string) => {
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-P=build", "tools/packaging/release_check.ts", tag],
        cwd: tree,
      }).output();
      const decoder = new TextDecoder();
      return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
    };
    const edit = async (name: string, change: (text: string) => string) => {
      const path = join(tree, name);
      await Deno.writeTextFile(path, change(await Deno.readTextFile(path)));
    };
    for (const name of ["deno.json", "lib/cli/version.json"]) {
      await edit(name, (text) => text.replace(/"version": "[^"]*"/, '"version": "7.0.0"'));
    }
    await edit("CHANGELOG.md", (text) => `${text}\n## 7.0.0 - 2026-12-24\n\n- A present.\n`);
    await edit("README.md", () => "No release has been published yet.\n");
    await edit("SECURITY.md", () => "The latest release.\n");
    await git("init", "--quiet");
    await git("add", "--all");
    await git("commit", "--quiet", "--message=one");
    await git("update-ref", "refs/remotes/origin/main", "HEAD");
    await git("tag", "--annotate", "--message=7", "v7.0.0");
    const denied = await check("v7.0.0");
    assertEquals([denied.code, denied.stdout], [1, ""]);
    assertStringIncludes(denied.stderr, 'README.md says: "No release has been published"');
    await edit("README.md", () => "Install the release.\n");
    await git("commit", "--quiet", "--all", "--message=two");
    // The tag is still that of the first commit, and the second is not on main.
    assertStringIncludes((await check("v7.0.0")).stderr, "the tree is not that of the tag");
    await git("tag", "--force", "v7.0.0");
    assertStringIncludes((await check("v7.0.0")).stderr, "is not on origin/main");
    await git("update-ref", "refs/remotes/origin/main", "HEAD");
    const allowed = await check("v7.0.0");
    assertEquals(allowed, { code: 0, stdout: "- A present.\n", stderr: "" });
    assertStringIncludes((await check("v7.0.1")).stderr, "the tag is v7.0.1");
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
});

Deno.test(".ci/deno runs only the archive whose hash stands in the lock file", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const at = (...names: string[]) => join(directory, ...names);
    for (const name of ["bin", ".ci", "tools/build/executable", "package"]) {
      await Deno.mkdir(at(name), { recursive: true });
    }
    await Deno.copyFile(new URL("../../.ci/deno", import.meta.url), at(".ci", "deno"));
    await Deno.writeTextFile(at("package", "deno"), '#!/bin/sh\necho "ran $*"\n');
    await runProgram("tar", ["-czf", "archive.tgz", "package"], directory);
    await Deno.writeTextFile(
      at("bin", "npm"),
      `#!/bin/sh\ncp ${at("archive.tgz")} . && echo archive.tgz\n`,
    );
    await Deno.chmod(at("bin", "npm"), 0o755);
    await copyForStart(at("bin", "npm"));
    const hash = new Uint8Array(
      await crypto.subtle.digest("SHA-512", await Deno.readFile(at("archive.tgz"))),
    );
    const run = async (integrity: string) => {
      const entries = ["x64", "arm64"].map((name) => [
        `@deno/linux-${name}-glibc@9.9.9`,
        { integrity },
      ]);
      await Deno.writeTextFile(
        at("tools/build/executable/runtime.lock.json"),
        JSON.stringify({ npm: Object.fromEntries(entries) }),
      );
      const { code, stdout, stderr } = await new Deno.Command("bash", {
        args: [at(".ci", "deno"), "task", "x y"],
        env: { PATH: `${at("bin")}:${Deno.env.get("PATH")}` },
      }).output();
      const decoder = new TextDecoder();
      return [code, decoder.decode(stdout), decoder.decode(stderr)] as const;
    };
    const [code, stdout, stderr] = await run("sha512-AAAA");
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^deno: error: @deno\/linux-.*@9\.9\.9 is sha512-.* says sha512-AAAA\n$/);
    assertEquals([...Deno.readDirSync(at(".deno"))], []);
    assertEquals(await run(`sha512-${hash.toBase64()}`), [0, "ran task x y\n", ""]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
