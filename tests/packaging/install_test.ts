/** The installer, with archives of a program that only says which one it is. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { writeChecksums } from "../../tools/packaging/checksums.ts";
import { run } from "../../tools/build/commit.ts";
import { HOST_MACHINE } from "../../tools/build/elf.ts";

const INSTALL = fromFileUrl(new URL("../../tools/packaging/install.sh", import.meta.url));
const NAME = `ipcauth-1.2.3-linux-${HOST_MACHINE}`;

/** Says what lies beside it, wherever it is, as the real launcher finds the rest of the program. */
const PROGRAM = `#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
cat -- "$here/../lib/word"
`;

class ReleaseFixture {
  readonly directory = Deno.makeTempDirSync();

  [Symbol.dispose]() {
    Deno.removeSync(this.directory, { recursive: true });
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Makes a release of one archive. */
  async release(word: string, name = NAME): Promise<void> {
    const tree = this.path("tree", name);
    for (const part of ["bin", "lib"]) await Deno.mkdir(join(tree, part), { recursive: true });
    await Deno.writeTextFile(join(tree, "bin", "ipcauth"), PROGRAM);
    await Deno.chmod(join(tree, "bin", "ipcauth"), 0o755);
    await Deno.writeTextFile(join(tree, "lib", "word"), `${word}\n`);
    await Deno.mkdir(this.path("release"), { recursive: true });
    const archive = this.path("release", `${name}.tar.gz`);
    await run("tar", ["-czf", archive, "-C", this.path("tree"), name], "/");
    await writeChecksums(this.path("release"), null);
  }

  /** Runs the installer. */
  async install(args: readonly string[], env: Record<string, string> = {}, umask = "022") {
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", 'umask "$0" && exec sh "$@"', umask, INSTALL, ...args],
      cwd: this.directory,
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** All names below the prefix, hidden ones, too. */
  async installed(prefix: string): Promise<string[]> {
    const names = await run("find", [".", "-mindepth", "2", "-maxdepth", "2"], this.path(prefix));
    return names.trim().split("\n").sort();
  }
}

const CLEAN = ["./bin/ipcauth", `./lib/${NAME}`];

Deno.test("install.sh understands its flags in both ways, and says what is missing", async (test) => {
  using place = new ReleaseFixture();
  await place.release("one");
  for (
    const [args, prefix] of [
      [["--from", "release", "--prefix", "a"], "a"],
      [["--from=release", "--prefix=b"], "b"],
    ] as const
  ) {
    await test.step(args.join(" "), async () => {
      const { code, stdout, stderr } = await place.install(args);
      assertEquals([code, stdout, stderr], [0, "one\n", ""]);
      assertEquals(await place.installed(prefix), CLEAN);
    });
  }
  for (const args of [["--from"], ["--prefix"], ["--from="], ["--prefix", ""], ["--nothing"]]) {
    await test.step(args.join(" "), async () => {
      const { code, stderr } = await place.install(args);
      assertEquals(code, 1);
      assertMatch(stderr, /^install\.sh: error: .*\nhint: usage: install\.sh \[--prefix/);
    });
  }
  await test.step("--help", async () => {
    const { code, stdout, stderr } = await place.install(["--help"]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^usage: install\.sh \[--prefix/);
  });
});

Deno.test("install.sh installs for everyone, whatever the umask", async () => {
  using place = new ReleaseFixture();
  await place.release("one");
  assertEquals((await place.install(["--from=release", "--prefix=a"], {}, "077")).code, 0);
  const modes = await run("find", [".", "-type", "d", "-printf", "%m\n"], place.path("a"));
  assertEquals([...new Set(modes.trim().split("\n"))], ["755"]);
});

Deno.test("install.sh knows a missing tool from a wrong checksum", async () => {
  using place = new ReleaseFixture();
  await place.release("one");
  await Deno.mkdir(place.path("bin"));
  for (const tool of ["sh", "uname", "dirname", "mktemp", "rm", "cp", "grep", "wc", "tar"]) {
    const path = (await run("sh", ["-c", `command -v ${tool}`], "/")).trim();
    await Deno.symlink(path, place.path("bin", tool));
  }
  const { code, stderr } = await place.install(
    ["--from=release", "--prefix=a"],
    { PATH: place.path("bin") },
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, "there is no sha256sum");
  assertEquals(/checksum/.test(stderr), false, stderr);
});

Deno.test("install.sh wants exactly one archive for this machine", async () => {
  using place = new ReleaseFixture();
  const args = ["--from=release", "--prefix=a"];
  await place.release("other", `ipcauth-1.2.3-linux-${HOST_MACHINE === "x64" ? "arm64" : "x64"}`);
  const none = await place.install(args);
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, `names no archive for ${HOST_MACHINE}`);
  await place.release("one");
  await place.release("two", `ipcauth-1.2.4-linux-${HOST_MACHINE}`);
  const two = await place.install(args);
  assertEquals(two.code, 1);
  assertStringIncludes(two.stderr, "more than one archive");
  await Deno.lstat(place.path("a")).then(() => assert(false), () => {});
});

Deno.test("install.sh replaces the same version, and another, without a moment in which there is none", async () => {
  using place = new ReleaseFixture();
  const args = ["--from=release", "--prefix=a"];
  await place.release("0");
  assertEquals((await place.install(args)).code, 0);
  let going = true;
  let runs = 0;
  const failures: string[] = [];
  const user = (async () => {
    while (going) {
      const { code, stdout, stderr } = await new Deno.Command(place.path("a", "bin", "ipcauth"))
        .output();
      runs++;
      const decoder = new TextDecoder();
      if (code !== 0 || !/^\d\n$/.test(decoder.decode(stdout))) {
        failures.push(decoder.decode(stderr));
      }
    }
  })();
  for (const word of ["1", "2"]) {
    await place.release(word);
    const { code, stdout, stderr } = await place.install(args);
    assertEquals([code, stdout, stderr], [0, `${word}\n`, ""]);
    assertEquals(await place.installed("a"), CLEAN);
  }
  await Deno.remove(place.path("release"), { recursive: true });
  const next = `ipcauth-1.2.4-linux-${HOST_MACHINE}`;
  await place.release("3", next);
  assertEquals((await place.install(args)).stdout, "3\n");
  going = false;
  await user;
  assertEquals(failures, []);
  assert(runs > 10);
  assertEquals(await place.installed("a"), [...CLEAN, `./lib/${next}`]);
});

for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
  Deno.test(`install.sh that is ended by ${signal} leaves nothing behind`, async () => {
    using place = new ReleaseFixture();
    await place.release("one");
    await Deno.mkdir(place.path("bin"));
    await Deno.mkdir(place.path("tmp"));
    // In the middle of unpacking; its parent is the installer.
    await Deno.writeTextFile(
      place.path("bin", "tar"),
      `#!/bin/sh\nkill -s ${signal.slice(3)} "$PPID"\nexec /bin/tar "$@"\n`,
    );
    await Deno.chmod(place.path("bin", "tar"), 0o755);
    const { signal: by } = await new Deno.Command("sh", {
      args: [INSTALL, "--from=release", "--prefix=a"],
      cwd: place.directory,
      env: { PATH: `${place.path("bin")}:/usr/bin:/bin`, TMPDIR: place.path("tmp") },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    assertEquals(by, signal);
    assertEquals(
      await run("find", ["a", "tmp", "-mindepth", "1"], place.directory),
      "a/lib\na/bin\n",
    );
  });
}

Deno.test("what is published is sealed with its installer, which knows where it is", async () => {
  using place = new ReleaseFixture();
  await place.release("one");
  const sums = await writeChecksums(place.path("release"), "https://host.example/v1");
  assertMatch(sums, new RegExp(`^[0-9a-f]{64}  install.sh\n[0-9a-f]{64}  ${NAME}.tar.gz\n$`));
  await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], place.path("release"));
  const text = await Deno.readTextFile(place.path("release", "install.sh"));
  assertStringIncludes(text, "\nfrom=https://host.example/v1\n");
});
