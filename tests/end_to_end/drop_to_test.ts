/** `--drop-to`: a server binds as root and then gives root up. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { receiveAll } from "../support/connections.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";
import { exists } from "../support/temporary_directory.ts";

const options = { ignore: !isRoot };
const USERS = "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n";

Deno.test(
  "--drop-to binds as root, and serves as another user for good (needs root)",
  options,
  async (test) => {
    await using program = await Program.install();
    // Made by the server, which gives it to the user.
    const path = program.path("run", "a.sock");
    const config = await program.write(
      "config.yaml",
      `listeners:
  - unix: ${path}
    service: { exec: [/bin/sh, -c, "id -u; id -G; cat /proc/$PPID/status"] }
${USERS}`,
    );
    const uid = (await program.execute(["id", "-u", "daemon"])).stdout.trim();
    await using server = await program.serve(["--config", config, "--drop-to", "daemon"]);
    await test.step("no thread is root any more, and none can become root", async () => {
      const output = await receiveAll(path);
      assertMatch(output, new RegExp(`^${uid}\\n`));
      assertMatch(
        output,
        new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, "m"),
      );
      assertMatch(output, /^CapPrm:\t0{16}$/m);
      const threads = await program.execute([
        "sh",
        "-c",
        `cat /proc/${server.pid}/task/*/status`,
      ]);
      const uids = new Set(threads.stdout.match(/^Uid:.*$/gm));
      assertEquals([...uids], [`Uid:\t${[uid, uid, uid, uid].join("\t")}`]);
    });
    await test.step("a listed user is allowed, and a change is in force", async () => {
      const receive = (peer: number) =>
        program.execute(["socat", "-u", `UNIX:${path}`, "-"], { uid: peer });
      assertMatch((await receive(579)).stdout, new RegExp(`^${uid}\\n`));
      assertEquals((await receive(578)).stdout, "");
      await program.run(["users", "deny", "bob", "--config", config]);
      assertEquals((await receive(579)).stdout, "");
    });
    await test.step("the socket and its lock are removed at the end", async () => {
      assertEquals(await server.stop(), 0);
      assertEquals([await exists(path), await exists(`${path}.lock`)], [false, false]);
    });
  },
);

Deno.test(
  "--drop-to is refused where the server would need root later (needs root)",
  options,
  async (test) => {
    await using program = await Program.install();
    const path = program.path("a.sock");
    const refused = async (service: string, ...args: string[]) => {
      const config = await program.write(
        "c.yaml",
        `listeners: [{ unix: ${path}, service: ${service} }]\n`,
      );
      return await program.run(["serve", "--config", config, ...args]);
    };
    for (
      const [service, why] of [
        [`{ forward: "unix:/x", identity: impersonate }`, "identity: impersonate"],
        ["{ exec: [/bin/true], run_as: peer }", "run_as"],
      ] as const
    ) {
      await test.step(why, async () => {
        const { code, stderr } = await refused(service, "--drop-to", "daemon");
        assertEquals(code, 78);
        assertStringIncludes(stderr, `${why} of the listener in line 1 needs it`);
        assertStringIncludes(stderr, "hint: ");
      });
    }
    await test.step("root, and an unknown user, are refused", async () => {
      assertEquals((await refused("console", "--drop-to", "root")).code, 64);
      const { code, stderr } = await refused("console", "--drop-to", "no-such-user");
      assertEquals([code, stderr.includes("there is no user")], [64, true]);
    });
    await test.step("a user that cannot read the configuration is refused", async () => {
      const config = await program.write("secret.yaml", `listeners: [{ unix: ${path} }]\n`, 0o600);
      const { code, stderr } = await program.run([
        "serve",
        "--config",
        config,
        "--drop-to",
        "daemon",
      ]);
      assertEquals(code, 78);
      assertStringIncludes(stderr, `cannot read ${config}`);
      assertEquals(await exists(path), false);
    });
    await test.step("a user that cannot read a key is refused", async () => {
      const [key, port] = [await writeKey(program, "k.key"), freePort()];
      const config = await program.write(
        "keyed.yaml",
        `listeners:
  - { unix: ${path}, service: { exec: [/bin/true] } }
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${key}, user: bob }]
    service: { exec: [/bin/true] }
${USERS}`,
      );
      for (
        const args of [
          ["--config", config],
          [
            `--tcp=127.0.0.1:${port}`,
            `--key=${key}`,
            "--config",
            await program.write("n.yaml", "users: []\n"),
          ],
        ]
      ) {
        const serve = ["serve", ...args, "--drop-to", "daemon"];
        const { code, stderr } = await program.run(serve);
        assertEquals(code, 78);
        assertStringIncludes(stderr, `cannot read ${key}`);
        assertEquals(await exists(path), false);
        // The command of the hint solves it.
        const command = stderr.match(/^hint: (.*)$/m)![1]!;
        assertEquals((await program.execute(["sh", "-c", command])).code, 0);
        await using server = await program.serve(serve.slice(1));
        const where = [`--tcp=127.0.0.1:${port}`, `--key=${key}`];
        await program.execute(["touch", key]);
        const outcome = await program.run(["connect", ...where, "--pipe"], { input: "" });
        assertEquals(outcome.code, 0, outcome.stderr);
        assertEquals(await server.stop(), 0);
        await Deno.chmod(key, 0o600);
        // In this directory the dropped user could not remove its socket.
        await Deno.remove(path).catch(() => {});
      }
    });
    await test.step("root without CAP_SETUID and CAP_SETGID cannot", async () => {
      const argv = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"];
      const { code, stderr } = await program.execute([
        ...[...argv, "ipcauth", "serve", `--unix=${path}`, "--drop-to", "daemon"],
      ]);
      assertEquals(code, 71);
      assertStringIncludes(stderr, "Cannot give root up: ");
      await Deno.remove(path).catch(() => {});
    });
    await test.step("only root can", async () => {
      const { code } = await program.run(["serve", "--unix=/tmp/x/y", "--drop-to", "daemon"], {
        uid: 579,
      });
      assertEquals(code, 77);
    });
  },
);
