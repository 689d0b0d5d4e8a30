/** `install.sh`, with archives of a stub program that prints which one it is. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { writeChecksums } from "../../tools/packaging/checksums.ts";
import { runProgram } from "../../tools/build/run_program.ts";
import { HOST_MACHINE } from "../../tools/build/elf.ts";

const INSTALL = fromFileUrl(new URL("../../tools/packaging/install.sh", import.meta.url));
const NAME = `ipcauth-1.2.3-linux-${HOST_MACHINE}`;

/**
 * Prints `lib/word`, found relative to itself, as the real launcher finds the rest of the program.
 */
const STUB_PROGRAM = `#!/bin/sh
here=$(dirname -- "$(readlink -f -- "$0")")
cat -- "$here/../lib/word"
`;

/** A temporary directory with a release in `release/`. */
class ReleaseFixture {
  readonly directory = Deno.makeTempDirSync();

  [Symbol.dispose]() {
    Deno.removeSync(this.directory, { recursive: true });
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Makes a release of one archive, or adds one to it. @param word What the program prints. */
  async release(word: string, name = NAME): Promise<void> {
    const tree = this.path("tree", name);
    for (const part of ["bin", "lib"]) await Deno.mkdir(join(tree, part), { recursive: true });
    await Deno.writeTextFile(join(tree, "bin", "ipcauth"), STUB_PROGRAM);
    await Deno.chmod(join(tree, "bin", "ipcauth"), 0o755);
    await Deno.writeTextFile(join(tree, "lib", "word"), `${word}\n`);
    await Deno.mkdir(this.path("release"), { recursive: true });
    const archive = this.path("release", `${name}.tar.gz`);
    await runProgram("tar", ["-czf", archive, "-C", this.path("tree"), name], "/");
    await writeChecksums(this.path("release"), null);
  }

  /** Runs the installer in the directory. */
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

  /** All names in the directories of the prefix, hidden ones included. */
  async installed(prefix: string): Promise<string[]> {
    const names = await runProgram(
      "find",
      [".", "-mindepth", "2", "-maxdepth", "2"],
      this.path(prefix),
    );
    return names.trim().split("\n").sort();
  }
}

/** The result of a complete installation. */
const INSTALLED = ["./bin/ipcauth", `./lib/${NAME}`];

Deno.test("install.sh takes both forms of a flag, and reports a missing value", async (test) => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  for (
    const [args, prefix] of [
      [["--from", "release", "--prefix", "a"], "a"],
      [["--from=release", "--prefix=b"], "b"],
    ] as const
  ) {
    await test.step(args.join(" "), async () => {
      const { code, stdout, stderr } = await fixture.install(args);
      assertEquals([code, stdout, stderr], [0, "one\n", ""]);
      assertEquals(await fixture.installed(prefix), INSTALLED);
    });
  }
  for (const args of [["--from"], ["--prefix"], ["--from="], ["--prefix", ""], ["--nothing"]]) {
    await test.step(args.join(" "), async () => {
      const { code, stderr } = await fixture.install(args);
      assertEquals(code, 1);
      assertMatch(stderr, /^install\.sh: error: .*\nhint: usage: install\.sh \[--prefix/);
    });
  }
  await test.step("--help", async () => {
    const { code, stdout, stderr } = await fixture.install(["--help"]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^usage: install\.sh \[--prefix/);
  });
});

Deno.test("install.sh installs for all users under any umask", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  assertEquals((await fixture.install(["--from=release", "--prefix=a"], {}, "077")).code, 0);
  const modes = await runProgram("find", [".", "-type", "d", "-printf", "%m\n"], fixture.path("a"));
  assertEquals([...new Set(modes.trim().split("\n"))], ["755"]);
});

Deno.test("install.sh reports a missing tool, not a wrong checksum", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  await Deno.mkdir(fixture.path("bin"));
  for (const tool of ["sh", "uname", "dirname", "mktemp", "rm", "cp", "grep", "wc", "tar"]) {
    const path = (await runProgram("sh", ["-c", `command -v ${tool}`], "/")).trim();
    await Deno.symlink(path, fixture.path("bin", tool));
  }
  const { code, stderr } = await fixture.install(
    ["--from=release", "--prefix=a"],
    { PATH: fixture.path("bin") },
  );
  assertEquals(code, 1);
  assertStringIncludes(stderr, "there is no sha256sum");
  assertEquals(/checksum/.test(stderr), false, stderr);
});

Deno.test("install.sh requires exactly one archive for this machine", async () => {
  using fixture = new ReleaseFixture();
  const args = ["--from=release", "--prefix=a"];
  await fixture.release("other", `ipcauth-1.2.3-linux-${HOST_MACHINE === "x64" ? "arm64" : "x64"}`);
  const none = await fixture.install(args);
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, `names no archive for ${HOST_MACHINE}`);
  await fixture.release("one");
  await fixture.release("two", `ipcauth-1.2.4-linux-${HOST_MACHINE}`);
  const two = await fixture.install(args);
  assertEquals(two.code, 1);
  assertStringIncludes(two.stderr, "more than one archive");
  await Deno.lstat(fixture.path("a")).then(() => assert(false), () => {});
});

Deno.test("install.sh replaces any version; the program can be started at all times", async () => {
  using fixture = new ReleaseFixture();
  const args = ["--from=release", "--prefix=a"];
  await fixture.release("0");
  assertEquals((await fixture.install(args)).code, 0);
  let isInstalling = true;
  let runs = 0;
  const failures: string[] = [];
  const starts = (async () => {
    while (isInstalling) {
      const { code, stdout, stderr } = await new Deno.Command(fixture.path("a", "bin", "ipcauth"))
        .output();
      runs++;
      const decoder = new TextDecoder();
      if (code !== 0 || !/^\d\n$/.test(decoder.decode(stdout))) {
        failures.push(decoder.decode(stderr));
      }
    }
  })();
  for (const word of ["1", "2"]) {
    await fixture.release(word);
    const { code, stdout, stderr } = await fixture.install(args);
    assertEquals([code, stdout, stderr], [0, `${word}\n`, ""]);
    assertEquals(await fixture.installed("a"), INSTALLED);
  }
  await Deno.remove(fixture.path("release"), { recursive: true });
  const next = `ipcauth-1.2.4-linux-${HOST_MACHINE}`;
  await fixture.release("3", next);
  assertEquals((await fixture.install(args)).stdout, "3\n");
  isInstalling = false;
  await starts;
  assertEquals(failures, []);
  assert(runs > 10);
  assertEquals(await fixture.installed("a"), [...INSTALLED, `./lib/${next}`]);
});

for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
  Deno.test(`install.sh removes its files when it is ended by ${signal}`, async () => {
    using fixture = new ReleaseFixture();
    await fixture.release("one");
    await Deno.mkdir(fixture.path("bin"));
    await Deno.mkdir(fixture.path("tmp"));
    // Sends the signal to its parent, the installer, while it unpacks.
    await Deno.writeTextFile(
      fixture.path("bin", "tar"),
      `#!/bin/sh\nkill -s ${signal.slice(3)} "$PPID"\nexec /bin/tar "$@"\n`,
    );
    await Deno.chmod(fixture.path("bin", "tar"), 0o755);
    const { signal: endedBy } = await new Deno.Command("sh", {
      args: [INSTALL, "--from=release", "--prefix=a"],
      cwd: fixture.directory,
      env: { PATH: `${fixture.path("bin")}:/usr/bin:/bin`, TMPDIR: fixture.path("tmp") },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    assertEquals(endedBy, signal);
    assertEquals(
      await runProgram("find", ["a", "tmp", "-mindepth", "1"], fixture.directory),
      "a/lib\na/bin\n",
    );
  });
}

Deno.test("the checksums of a release include its installer, which has the address", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  const sums = await writeChecksums(fixture.path("release"), "https://host.example/v1");
  assertMatch(sums, new RegExp(`^[0-9a-f]{64}  install.sh\n[0-9a-f]{64}  ${NAME}.tar.gz\n$`));
  await runProgram("sha256sum", ["--check", "--strict", "SHA256SUMS"], fixture.path("release"));
  const text = await Deno.readTextFile(fixture.path("release", "install.sh"));
  assertStringIncludes(text, "\nfrom=https://host.example/v1\n");
});
