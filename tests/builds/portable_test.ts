/** The portable build: one directory that needs nothing else, for any user, wherever it lies. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { NAME, pack, portable } from "../../.ci/portable.ts";
import { isRoot, Program, RunningServer } from "../end_to_end/program.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };

Deno.test("the portable build runs from anywhere, as anyone", async (test) => {
  await using program = await Program.install();
  const archive = program.path("a.tar.gz");
  await portable(program.path("build", NAME), COMMIT);
  await pack(program.path("build", NAME), archive, COMMIT);
  const home = program.path("opt");
  await Deno.mkdir(home);
  assertEquals((await program.execute(["tar", "-C", home, "-xzf", archive])).code, 0);
  const bin = join(home, NAME, "bin");
  /** No deno on PATH, and nothing of the test's own environment. */
  const bare = { PATH: "/usr/bin:/bin" };
  const run = async (argv: string[], options: Parameters<Program["execute"]>[1] = {}) =>
    await program.execute(argv, { ...options, env: { ...bare, ...options?.env } });

  await test.step("it says what it is", async () => {
    const { code, stdout, stderr } = await run([join(bin, "ipcauth"), "--version"]);
    assertEquals([code, stderr], [0, ""]);
    assertEquals(stdout, `ipcauth ${manifest.version} (${COMMIT.hash})\n`);
  });
  await test.step("through links on PATH, one that leads to another", async () => {
    const links = program.path("links");
    await Deno.mkdir(links);
    await Deno.symlink(join(bin, "ipcauth"), join(links, "first"));
    await Deno.symlink("first", join(links, "ipcauth"));
    const { stdout } = await run(["ipcauth", "--version"], {
      env: { PATH: `${links}:/usr/bin:/bin` },
    });
    assertMatch(stdout, /^ipcauth /);
  });
  await test.step({
    name: "as a user without a home, from a read-only file system",
    ignore: !isRoot,
    fn: async () => {
      const script = `mount --bind ${home} ${home} && mount -o remount,ro,bind ${home} &&
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
    const serve = [join(bin, "ipcauth"), "serve", `--unix=${path}`, "--log-format", "json"];
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
    name: "run-as becomes the program, without the launcher's own variables",
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
