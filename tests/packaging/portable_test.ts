/** The portable build: one directory that runs from any path, for any user, without Deno. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { pack, portable, PORTABLE_NAME } from "../../tools/build/portable.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };

Deno.test("the portable build runs from any path, as any user", async (test) => {
  await using program = await Program.install();
  const archive = program.path("a.tar.gz");
  await portable(program.path("build", PORTABLE_NAME), COMMIT);
  await pack(program.path("build", PORTABLE_NAME), archive, COMMIT);
  const prefix = program.path("opt");
  await Deno.mkdir(prefix);
  assertEquals((await program.execute(["tar", "-C", prefix, "-xzf", archive])).code, 0);
  const bin = join(prefix, PORTABLE_NAME, "bin");
  /** An environment without `deno` on PATH, and without the test's own variables. */
  const bare = { PATH: "/usr/bin:/bin" };
  const run = async (argv: string[], options: Parameters<Program["execute"]>[1] = {}) =>
    await program.execute(argv, { ...options, env: { ...bare, ...options?.env } });

  await test.step("it prints its version and commit", async () => {
    const { code, stdout, stderr } = await run([join(bin, "ipcauth"), "--version"]);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout, `ipcauth ${manifest.version} (${COMMIT.hash})\n`);
  });
  await test.step("it comes with its documents and manual pages", async () => {
    const directory = join(prefix, PORTABLE_NAME);
    for (const name of ["docs/tour.md", "examples/systemd/README.md", "share/man/man1/ipcauth.1"]) {
      assert((await Deno.stat(join(directory, name))).isFile, name);
    }
  });
  await test.step("through a link on PATH to another link", async () => {
    const links = program.path("links");
    await Deno.mkdir(links);
    await Deno.symlink(join(bin, "ipcauth"), join(links, "first"));
    await Deno.symlink("first", join(links, "ipcauth"));
    const { stdout } = await run(["ipcauth", "--version"], {
      env: { PATH: `${links}:/usr/bin:/bin` },
    });
    assertMatch(stdout, /^ipcauth /);
  });
  await test.step("through a link to its directory, beside another lib/ipcauth", async () => {
    const trap = program.path("trap");
    await Deno.mkdir(join(trap, "lib", "ipcauth"), { recursive: true });
    await Deno.writeTextFile(join(trap, "lib", "ipcauth", "main.js"), "console.log('trapped');\n");
    await Deno.symlink(bin, join(trap, "bin"));
    const { stdout } = await run([join(trap, "bin", "ipcauth"), "--version"]);
    assertMatch(stdout, /^ipcauth /);
    await Deno.mkdir(join(trap, "deep"));
    await Deno.symlink(bin, join(trap, "deep", "other"));
    const deep = await run(["sh", "-c", "exec deep/other/../bin/ipcauth --version"], { cwd: trap });
    assertMatch(deep.stdout, /^ipcauth /);
  });
  await test.step("through a link, with an empty PATH", async () => {
    const link = program.path("links", "ipcauth");
    const { stdout } = await run(["env", "-i", "PATH=", link, "--version"]);
    assertMatch(stdout, /^ipcauth /);
  });
  await test.step("by a name without a slash", async () => {
    for (
      const line of [
        "sh ipcauth --version",
        "./ipcauth --version",
        "PATH= /bin/sh ipcauth --version",
      ]
    ) {
      assertMatch((await run(["sh", "-c", line], { cwd: bin })).stdout, /^ipcauth /);
    }
  });
  await test.step({
    name: "it reports a missing dynamic loader or readlink",
    ignore: !isRoot,
    fn: async () => {
      const empty = program.path("empty");
      await Deno.mkdir(empty);
      // The shell runs before the mount, and needs none of the hidden files after it.
      const without = (hidden: string, ...argv: string[]) => {
        const script = `mount --bind ${empty} ${hidden}; . "$0"`;
        return run(["unshare", "--mount", "sh", "-c", script, ...argv]);
      };
      const loader = Deno.build.arch === "x86_64" ? "/lib64" : "/lib";
      const direct = join(bin, "ipcauth");
      const noLoader = await without(loader, direct, "--version");
      assertEquals([noLoader.code, noLoader.stdout], [71, ""]);
      assertMatch(noLoader.stderr, /^ipcauth: error: .* needs the GNU C library, .*\nhint: .*\n$/);
      assertEquals((await without(loader, direct, "run-as", "579", "--", "true")).code, 125);
      // An upper layer of the directory, in which the library is removed.
      const triplet = Deno.build.arch === "x86_64" ? "x86_64-linux-gnu" : "aarch64-linux-gnu";
      const layer = `mount -t tmpfs layer /mnt && mkdir /mnt/up /mnt/work && mount -t overlay x -o \
        lowerdir=/usr/lib/${triplet},upperdir=/mnt/up,workdir=/mnt/work /usr/lib/${triplet} &&
        rm /usr/lib/${triplet}/libgcc_s.so.1 && exec "$0" --version`;
      const noLibgcc = await run(["unshare", "--mount", "sh", "-c", layer, direct]);
      assertEquals([noLibgcc.code, noLibgcc.stdout], [71, ""]);
      assertMatch(noLibgcc.stderr, /^ipcauth: error: .* needs libgcc_s\.so\.1, .*\nhint: .*\n$/);
      const noReadlink = await without("/usr/bin", program.path("links", "ipcauth"), "--version");
      assertEquals([noReadlink.code, noReadlink.stdout], [71, ""]);
      assertMatch(noReadlink.stderr, /^ipcauth: error: .* there is no readlink\nhint: .*\n$/);
    },
  });
  await test.step({
    name: "as a user without a home, from a read-only file system",
    ignore: !isRoot,
    fn: async () => {
      const script = `mount --bind ${prefix} ${prefix} && mount -o remount,ro,bind ${prefix} &&
        ! touch ${bin}/x 2>/dev/null &&
        exec setpriv --reuid=579 --regid=579 --clear-groups ${bin}/ipcauth users list --config ${
        program.path("users.yaml")
      }`;
      await program.write("users.yaml", "users: [{ name: bob, uid: 579 }]\n");
      const { code, stdout, stderr } = await run(["unshare", "--mount", "sh", "-c", script]);
      assertEquals([code, stderr], [0, ""]);
      assertMatch(stdout, /^bob\s+579/m);
    },
  });
  await test.step("a server and a client", async () => {
    const path = program.path("a.sock");
    const config = await program.write("empty.yaml", "users: []\n");
    const flags = [`--unix=${path}`, "--config", config, "--log-format", "json"];
    const serve = [join(bin, "ipcauth"), "serve", ...flags];
    const command = new Deno.Command("env", {
      args: ["-i", ...Object.entries(bare).map(([name, value]) => `${name}=${value}`), ...serve],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    await using server = new RunningServer(command.spawn());
    await server.event("listen");
    const connect = [join(bin, "ipcauth"), "connect", `--unix=${path}`, "-c", "who"];
    const { code, stdout } = await run(connect);
    assertEquals(code, 0);
    assertMatch(stdout, /console/);
    assertEquals(await server.stop(), 0);
  });
  await test.step({
    name: "run-as executes the program without the launcher's variables",
    ignore: !isRoot,
    fn: async () => {
      const { stdout } = await run([join(bin, "ipcauth"), "run-as", "579", "--", "env"]);
      assert(!/^DENO_DIR=/m.test(stdout), stdout);
      assertEquals(
        (await run([join(bin, "ipcauth"), "run-as", "579", "--", "id", "-u"])).stdout,
        "579\n",
      );
    },
  });
});
