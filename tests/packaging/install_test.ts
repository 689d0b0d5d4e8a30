/**
 * `install.sh`, with a program in place of the executable that prints which one it is. It is run by
 * several shells, with GNU's tools and with BusyBox's.
 */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { writeChecksums } from "../../tools/packaging/checksums.ts";
import { MAINTAINER_SCRIPTS } from "../../tools/packaging/deb_scripts.ts";
import { runProgram } from "../../tools/build/run_program.ts";
import { HOST_MACHINE } from "../../tools/build/elf.ts";
import { copyForStart } from "../../tools/build/executable_file.ts";
import { isInstalled } from "../support/installed.ts";
import { isRoot } from "../support/program.ts";

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
  async install(
    args: readonly string[],
    env: Record<string, string> = {},
    { umask = "022", shell = ["sh"] }: { umask?: string; shell?: readonly string[] } = {},
  ) {
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", 'umask "$0" && exec "$@"', umask, ...shell, INSTALL, ...args],
      cwd: this.directory,
      env: { PATH: "/usr/bin:/bin", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** What the installer prints when the program that prints `word` is below the prefix. */
  printed(word: string, prefix: string): string {
    const call = this.path(prefix, "bin", "ipcauth");
    return `${word}\nnext: ${call} serve, and in another terminal ${call} connect; ` +
      `see ${call} help\n`;
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

async function assertAbsent(path: string): Promise<void> {
  await assertRejects(() => Deno.lstat(path), Deno.errors.NotFound);
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
      assertEquals([code, stdout, stderr], [0, fixture.printed("one", prefix), ""]);
      assertEquals(await fixture.installed(prefix), INSTALLED);
    });
  }
  for (
    const args of [
      ...[["--from"], ["--prefix"], ["--from="], ["--prefix", ""], ["--nothing"]],
      ...[["--prefix", "--from=release"], ["--from=-x"], ["--prefix=--uninstall"]],
    ]
  ) {
    await test.step(args.join(" "), async () => {
      const { code, stderr } = await fixture.install(args);
      assertEquals(code, 1);
      assertMatch(stderr, /^install\.sh: error: .*\nhint: .*usage: install\.sh \[--prefix/);
    });
  }
  await test.step("a program that PATH finds is called by its name", async () => {
    const env = { PATH: `${fixture.path("a", "bin")}:/usr/bin:/bin` };
    const { stdout } = await fixture.install(["--from=release", "--prefix=a"], env);
    assertEquals(
      stdout,
      "one\nnext: ipcauth serve, and in another terminal ipcauth connect; see ipcauth help\n",
    );
  });
  await test.step("--help", async () => {
    const { code, stdout, stderr } = await fixture.install(["--help"]);
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /^usage: install\.sh \[--prefix/);
  });
});

Deno.test("install.sh installs for all users under any umask", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  assertEquals(
    (await fixture.install(["--from=release", "--prefix=a"], {}, { umask: "077" })).code,
    0,
  );
  const modes = await runProgram("find", [".", "-type", "d", "-printf", "%m\n"], fixture.path("a"));
  assertEquals([...new Set(modes.trim().split("\n"))], ["755"]);
});

Deno.test("install.sh reports a missing tool, not a wrong checksum", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  await Deno.mkdir(fixture.path("bin"));
  for (const tool of ["sh", "uname", "mktemp", "rm", "cp", "tr"]) {
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
  await assertAbsent(fixture.path("a"));
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
  await assertAbsent(ran);
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
    assertEquals([code, stdout, stderr], [0, fixture.printed(word, "a"), ""]);
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
    await copyForStart(fixture.path("bin", "chmod"));
    const { signal: endedBy } = await new Deno.Command("sh", {
      args: [INSTALL, "--from=release", "--prefix=a"],
      cwd: fixture.directory,
      env: { PATH: `${fixture.path("bin")}:/usr/bin:/bin`, TMPDIR: fixture.path("tmp") },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    assertEquals(endedBy, signal);
    assertEquals(await runProgram("find", ["tmp", "-mindepth", "1"], fixture.directory), "");
    await assertAbsent(fixture.path("a"));
  });
}

Deno.test("the checksums of a release include its installer, which has the address", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  const sums = await writeChecksums(fixture.path("release"), "https://host.example/v1");
  assertMatch(sums, new RegExp(`^[0-9a-f]{64}  install.sh\n[0-9a-f]{64}  ${NAME}\n$`));
  await runProgram("sha256sum", ["--check", "--strict", "SHA256SUMS"], fixture.path("release"));
  const text = await Deno.readTextFile(fixture.path("release", "install.sh"));
  assertStringIncludes(text, "\n  from=https://host.example/v1\n");
});

Deno.test({
  name: "a release that cannot be downloaded leaves the machine as it is (curl)",
  ignore: !isInstalled("curl"),
  async fn() {
    using fixture = new ReleaseFixture();
    await fixture.release("one");
    const from = "https://127.0.0.1:9/none";
    const { code, stderr } = await fixture.install([`--from=${from}`, "--prefix=a"]);
    assertEquals(code, 1);
    assertStringIncludes(
      stderr,
      `install.sh: error: cannot download ${from}/SHA256SUMS: nothing was installed\n` +
        "hint: --from DIRECTORY installs from files that are here\n",
    );
  },
});

/** Shells that a machine may have as `sh`, with the Debian package of each. */
const SHELLS: Readonly<Record<string, readonly string[]>> = {
  dash: ["dash"],
  bash: ["bash", "--posix"],
  busybox: ["busybox", "sh"],
  posh: ["posh"],
};

for (const [name, shell] of Object.entries(SHELLS)) {
  Deno.test({
    name: `install.sh installs, replaces, refuses and uninstalls in ${name} (needs ${name})`,
    ignore: !isInstalled(name),
    async fn() {
      using fixture = new ReleaseFixture();
      const bin = fixture.path("tools");
      await Deno.mkdir(bin);
      // Without GNU's tools: every command is BusyBox's.
      if (name === "busybox") await runProgram("busybox", ["--install", "-s", bin], "/");
      const env = { PATH: name === "busybox" ? bin : "/usr/bin:/bin" };
      const run = (...args: string[]) =>
        fixture.install(["--from=release", "--prefix=a", ...args], env, {
          shell: [which(name), ...shell.slice(1)],
        });
      for (const word of ["1", "2"]) {
        await fixture.release(word);
        const { code, stdout, stderr } = await run();
        assertEquals([code, stdout, stderr], [0, fixture.printed(word, "a"), ""]);
        assertEquals(await fixture.installed("a"), INSTALLED);
      }
      await Deno.writeTextFile(fixture.path("release", NAME), "changed\n");
      const changed = await run();
      assertEquals([changed.code, changed.stdout], [1, ""]);
      assertStringIncludes(changed.stderr, `the checksum of ${NAME} is wrong`);
      assertEquals(await fixture.installed("a"), INSTALLED);
      const removed = await run("--uninstall");
      assertEquals([removed.code, removed.stdout], [
        0,
        `removed ${fixture.path("a/bin/ipcauth")}\n`,
      ]);
      await assertAbsent(fixture.path("a", "bin", "ipcauth"));
      const again = await run("--uninstall");
      assertEquals(again.code, 1);
      assertMatch(again.stderr, /^install\.sh: error: there is no .*ipcauth\nhint: /);
    },
  });
}

function which(command: string): string {
  const { stdout } = new Deno.Command("sh", { args: ["-c", `command -v ${command}`] }).outputSync();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("install.sh that was cut anywhere behind its first line is an error", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  const lines = (await Deno.readTextFile(INSTALL)).split("\n");
  const cut = fixture.path("release", "cut.sh");
  for (let length = 2; length < lines.length - 1; length++) {
    await Deno.writeTextFile(cut, lines.slice(0, length).join("\n"));
    const { code } = await new Deno.Command("sh", {
      args: [cut, "--from=release", "--prefix=a"],
      cwd: fixture.directory,
      stderr: "null",
    }).output();
    assertEquals(code === 0, false, `${length} lines`);
    await assertAbsent(fixture.path("a"));
  }
});

Deno.test("install.sh reads checksums with carriage returns, asterisks and no newline", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  const sums = fixture.path("release", "SHA256SUMS");
  const text = await Deno.readTextFile(sums);
  for (const written of [text.replaceAll("\n", "\r\n"), text.replaceAll("  ", " *"), text.trim()]) {
    await Deno.writeTextFile(sums, written);
    const { code, stdout, stderr } = await fixture.install(["--from=release", "--prefix=a"]);
    assertEquals([code, stdout, stderr], [0, fixture.printed("one", "a"), ""]);
  }
  await Deno.writeTextFile(sums, `${"0".repeat(63)}  ${NAME}\n`);
  const { code, stderr } = await fixture.install(["--from=release", "--prefix=a"]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, `the line of ${NAME} in SHA256SUMS has no checksum: 000`);
});

Deno.test("install.sh leaves what is in its way, and nothing behind", async (test) => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  const install = (prefix: string, env = {}) =>
    fixture.install(["--from=release", `--prefix=${prefix}`], {
      TMPDIR: fixture.directory,
      ...env,
    });
  const before = async (): Promise<string> =>
    await runProgram("find", [".", "-mindepth", "1", "-printf", "%p %y %l\n"], fixture.directory);
  const refused = async (prefix: string, error: RegExp, env = {}) => {
    const there = await before();
    const { code, stdout, stderr } = await install(prefix, env);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, error);
    assertEquals(await before(), there);
  };
  await test.step("a directory", async () => {
    await Deno.mkdir(fixture.path("directory/bin/ipcauth"), { recursive: true });
    await refused("directory", /^install\.sh: error: .*ipcauth is a directory.*\nhint: .*\n$/);
  });
  await test.step("a link to a directory", async () => {
    await Deno.mkdir(fixture.path("link/bin"), { recursive: true });
    await Deno.symlink("/", fixture.path("link/bin/ipcauth"));
    await refused("link", /^install\.sh: error: .*ipcauth is a directory.*\nhint: .*\n$/);
  });
  await test.step("a file in place of the directory", async () => {
    await Deno.writeTextFile(fixture.path("file"), "");
    await refused(
      "file",
      /error: cannot make the directory .*file: .*\nhint: .*--prefix .*\n$/,
    );
    await refused("file/x", /error: cannot make the directory .*\nhint: .*--prefix .*\n$/);
  });
  await test.step("no temporary directory", () =>
    refused("new/directory", /error: cannot write to \/nowhere: .*\nhint: /, {
      TMPDIR: "/nowhere",
    }));
  await test.step("a release without the executable", async () => {
    const name = fixture.path("release", NAME);
    await Deno.rename(name, `${name}.away`);
    await refused("new/directory", /error: there is no .*\nhint: /);
    await Deno.rename(`${name}.away`, name);
  });
  await test.step("a link to another file is replaced, and the file stays", async () => {
    await Deno.mkdir(fixture.path("old/bin"), { recursive: true });
    await Deno.mkdir(fixture.path("old/lib/ipcauth-0.0.1-linux-x64/bin"), { recursive: true });
    const old = fixture.path("old/lib/ipcauth-0.0.1-linux-x64/bin/ipcauth");
    await Deno.writeTextFile(old, "old\n");
    await Deno.symlink(old, fixture.path("old/bin/ipcauth"));
    const { code, stdout, stderr } = await install("old");
    assertEquals([code, stdout], [0, fixture.printed("one", "old")]);
    assertMatch(stderr, /^note: .*ipcauth-0\.0\.1-linux-x64 is an earlier version: .*\n$/);
    assertEquals(await Deno.readTextFile(old), "old\n");
    assertEquals((await Deno.lstat(fixture.path("old/bin/ipcauth"))).isFile, true);
  });
});

Deno.test("install.sh four times at once leaves one executable that runs", async () => {
  using fixture = new ReleaseFixture();
  await fixture.release("one");
  const all = await Promise.all(
    Array.from({ length: 4 }, () => fixture.install(["--from=release", "--prefix=a/b"])),
  );
  for (const { code, stdout, stderr } of all) {
    assertEquals([code, stdout, stderr], [0, fixture.printed("one", "a/b"), ""]);
  }
  assertEquals(await fixture.installed("a/b"), INSTALLED);
});

Deno.test({
  name: "install.sh writes nothing where it may not, and says so before a download (needs root)",
  ignore: !isRoot,
  async fn() {
    using fixture = new ReleaseFixture();
    await fixture.release("one");
    await Deno.chmod(fixture.directory, 0o755);
    const shell = ["setpriv", "--reuid=579", "--regid=579", "--clear-groups", "sh"];
    const from = "--from=https://127.0.0.1:9/none";
    const error = /^install\.sh: error: cannot .*: nothing was installed\nhint: run this as root/;
    const first = await fixture.install([from, "--prefix=a"], {}, { shell });
    assertEquals([first.code, first.stdout], [1, ""]);
    assertMatch(first.stderr, error);
    await Deno.mkdir(fixture.path("b", "bin"), { recursive: true });
    const second = await fixture.install([from, "--prefix=b"], {}, { shell });
    assertMatch(second.stderr, error);
  },
});

Deno.test({
  name: "install.sh keeps the old executable where the disk is full (needs root)",
  ignore: !isRoot,
  async fn() {
    using fixture = new ReleaseFixture();
    await fixture.release("one");
    await Deno.writeTextFile(fixture.path("release", NAME), "x".repeat(200_000), { append: true });
    await writeChecksums(fixture.path("release"), null);
    const script = `mkdir full; mount -t tmpfs -o size=64k tmpfs full; mkdir full/bin
      echo old > full/bin/ipcauth; sh "$0" --from=release --prefix=full; echo "$?"
      ls -A full/bin; cat full/bin/ipcauth`;
    const stdout = await runProgram(
      "unshare",
      ["--mount", "sh", "-c", script, INSTALL],
      fixture.directory,
    );
    assertEquals(stdout, "1\nipcauth\nold\n");
  },
});

Deno.test({
  name: "shellcheck has nothing to say about the scripts (needs shellcheck)",
  ignore: !isInstalled("shellcheck"),
  async fn() {
    using fixture = new ReleaseFixture();
    const root = fromFileUrl(new URL("../../", import.meta.url));
    for (const [name, text] of Object.entries(MAINTAINER_SCRIPTS)) {
      await Deno.writeTextFile(fixture.path(name), text);
    }
    const written = Object.keys(MAINTAINER_SCRIPTS).map((name) => fixture.path(name));
    const scripts =
      (await runProgram("git", ["grep", "-lE", "^#! ?/(usr/)?bin/(env )?(ba|da)?sh"], root))
        .trim().split("\n").filter((path) => !path.endsWith(".ts") && !path.endsWith(".md"));
    assert(scripts.includes("tools/packaging/install.sh") && scripts.includes(".ci/run"));
    const { stdout } = await new Deno.Command("shellcheck", {
      args: ["--", ...scripts, ...written],
      cwd: root,
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "");
  },
});
