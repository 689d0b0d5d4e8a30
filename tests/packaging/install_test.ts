/** `install.sh`, with a program in place of the executable that prints which one it is. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { writeChecksums } from "../../tools/packaging/checksums.ts";
import { runProgram } from "../../tools/build/run_program.ts";
import { HOST_MACHINE } from "../../tools/build/elf.ts";

const INSTALL = fromFileUrl(new URL("../../tools/packaging/install.sh", import.meta.url));
const NAME = `ipcauth-linux-${HOST_MACHINE}`;
const OTHER_NAME = `ipcauth-linux-${HOST_MACHINE === "x64" ? "arm64" : "x64"}`;

/** A temporary directory with a release in `release/`. */
class ReleaseFixture {
  readonly directory = Deno.makeTempDirSync();

  [Symbol.dispose]() {
    Deno.removeSync(this.directory, { recursive: true });
  }

  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Makes a release of one program, or adds one to it. @param word What the program prints. */
  async release(word: string, name = NAME): Promise<void> {
    await Deno.mkdir(this.path("release"), { recursive: true });
    const program = this.path("release", name);
    await Deno.writeTextFile(program, `#!/bin/sh\n[ "$*" = --version ] && echo ${word}\n`);
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

  /** All files below the prefix with their modes, hidden ones included. */
  async installed(prefix: string): Promise<string[]> {
    const names = await runProgram(
      "find",
      [".", "-mindepth", "1", "!", "-type", "d", "-printf", "%P %m\\n"],
      this.path(prefix),
    );
    return names.trim().split("\n").sort();
  }
}

/** The result of a complete installation: names and modes. */
const INSTALLED = ["bin/ipcauth 755"];

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
  for (const tool of ["sh", "uname", "dirname", "mktemp", "rm", "cp", "grep", "wc"]) {
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

Deno.test("install.sh requires exactly one executable for this machine", async () => {
  using fixture = new ReleaseFixture();
  const args = ["--from=release", "--prefix=a"];
  await fixture.release("other", OTHER_NAME);
  const none = await fixture.install(args);
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, `names no executable for ${HOST_MACHINE}`);
  await fixture.release("one");
  const sums = fixture.path("release", "SHA256SUMS");
  await Deno.writeTextFile(sums, `${"0".repeat(64)}  ${NAME}\n`, { append: true });
  const two = await fixture.install(args);
  assertEquals(two.code, 1);
  assertStringIncludes(two.stderr, "more than one executable");
  await Deno.lstat(fixture.path("a")).then(() => assert(false), () => {});
});

Deno.test("install.sh runs and installs nothing whose checksum is wrong", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  assertEquals((await fixture.install(["--from=release", "--prefix=a"])).code, 0);
  const ran = fixture.path("ran");
  await Deno.writeTextFile(fixture.path("release", NAME), `#!/bin/sh\ntouch ${ran}\n`);
  const { code, stdout, stderr } = await fixture.install(["--from=release", "--prefix=a"]);
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, `the checksum of ${NAME} is wrong: nothing was installed`);
  await Deno.lstat(ran).then(() => assert(false), () => {});
  assertEquals(await fixture.installed("a"), INSTALLED);
  assertEquals(await runProgram(fixture.path("a", "bin", "ipcauth"), ["--version"], "/"), "one\n");
});

Deno.test("install.sh keeps the old executable where the new one does not run", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  assertEquals((await fixture.install(["--from=release", "--prefix=a"])).code, 0);
  await Deno.writeTextFile(fixture.path("release", NAME), "#!/nowhere/loader\n");
  await writeChecksums(fixture.path("release"), null);
  const { code, stderr } = await fixture.install(["--from=release", "--prefix=a"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "the executable does not run here: nothing was installed\nhint: ");
  assertEquals(await fixture.installed("a"), INSTALLED);
  assertEquals(await runProgram(fixture.path("a", "bin", "ipcauth"), ["--version"], "/"), "one\n");
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
      const { code, stdout, stderr } = await new Deno.Command(fixture.path("a", "bin", "ipcauth"), {
        args: ["--version"],
      })
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
  isInstalling = false;
  await starts;
  assertEquals(failures, []);
  assert(runs > 10);
});

for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
  Deno.test(`install.sh removes its files when it is ended by ${signal}`, async () => {
    using fixture = new ReleaseFixture();
    await fixture.release("one");
    await Deno.mkdir(fixture.path("bin"));
    await Deno.mkdir(fixture.path("tmp"));
    // Sends the signal to its parent, the installer, when the new file is there.
    await Deno.writeTextFile(
      fixture.path("bin", "chmod"),
      `#!/bin/sh\nkill -s ${signal.slice(3)} "$PPID"\nexec /bin/chmod "$@"\n`,
    );
    await Deno.chmod(fixture.path("bin", "chmod"), 0o755);
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
      "a/bin\n",
    );
  });
}

Deno.test("the checksums of a release include its installer, which has the address", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  const sums = await writeChecksums(fixture.path("release"), "https://host.example/v1");
  assertMatch(sums, new RegExp(`^[0-9a-f]{64}  install.sh\n[0-9a-f]{64}  ${NAME}\n$`));
  await runProgram("sha256sum", ["--check", "--strict", "SHA256SUMS"], fixture.path("release"));
  const text = await Deno.readTextFile(fixture.path("release", "install.sh"));
  assertStringIncludes(text, "\nfrom=https://host.example/v1\n");
});
