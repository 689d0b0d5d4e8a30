/** `--drop-to`: a server binds as root and then gives root up. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { drain, freePort, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

const options = { ignore: !isRoot };
const USERS = "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n";

async function hear(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  return new TextDecoder().decode((await drain(connection)).bytes);
}

function exists(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}

Deno.test(
  "--drop-to: listens as root, and serves as somebody else for good (needs root)",
  options,
  async (test) => {
    await using program = await Program.install();
    const directory = `/run/ipcauth-test-${crypto.randomUUID().slice(0, 8)}`;
    const path = `${directory}/a.sock`;
    try {
      const config = await program.write(
        "config.yaml",
        `listeners: [{ unix: ${path}, service: { exec: [/bin/sh, -c, "id -u; id -G; cat /proc/$PPID/status"] } }]\n${USERS}`,
      );
      const nobody = (await program.execute(["id", "-u", "nobody"])).stdout.trim();
      await using server = await program.serve(["--config", config, "--drop-to", "nobody"]);
      await test.step("no thread is root any more, and none can be", async () => {
        const said = await hear(path);
        assertMatch(said, new RegExp(`^${nobody}\\n`));
        assertMatch(
          said,
          new RegExp(`^Uid:\\t${nobody}\\t${nobody}\\t${nobody}\\t${nobody}$`, "m"),
        );
        assertMatch(said, /^CapPrm:\t0{16}$/m);
        const threads = await program.execute([
          "sh",
          "-c",
          `cat /proc/${server.pid}/task/*/status`,
        ]);
        const uids = new Set(threads.stdout.match(/^Uid:.*$/gm));
        assertEquals([...uids], [`Uid:\t${[nobody, nobody, nobody, nobody].join("\t")}`]);
      });
      await test.step("a listed user is let in, and a change is seen", async () => {
        const as = (uid: number) => program.execute(["socat", "-u", `UNIX:${path}`, "-"], { uid });
        assertMatch((await as(579)).stdout, new RegExp(`^${nobody}\\n`));
        assertEquals((await as(578)).stdout, "");
        await program.run(["users", "deny", "bob", "--config", config]);
        assertEquals((await as(579)).stdout, "");
      });
      await test.step("a client finds root's socket, and it is taken away at the end", async () => {
        assertEquals(await server.stop(), 0);
        assertEquals([await exists(path), await exists(`${path}.lock`)], [false, false]);
      });
    } finally {
      await Deno.remove(directory, { recursive: true }).catch(() => {});
    }
  },
);

Deno.test(
  "--drop-to is refused where root would be needed again (needs root)",
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
        const { code, stderr } = await refused(service, "--drop-to", "nobody");
        assertEquals(code, 78);
        assertStringIncludes(stderr, `${why} of the listener in line 1 needs it`);
        assertStringIncludes(stderr, "hint: ");
      });
    }
    await test.step("root is nobody to drop to, and strangers are nobody", async () => {
      assertEquals((await refused("console", "--drop-to", "root")).code, 64);
      const { code, stderr } = await refused("console", "--drop-to", "no-such-user");
      assertEquals([code, stderr.includes("there is no user")], [64, true]);
    });
    await test.step("who cannot read the configuration would never see a change", async () => {
      const config = await program.write("secret.yaml", `listeners: [{ unix: ${path} }]\n`, 0o600);
      const { code, stderr } = await program.run([
        "serve",
        "--config",
        config,
        "--drop-to",
        "nobody",
      ]);
      assertEquals(code, 78);
      assertStringIncludes(stderr, `cannot read ${config}`);
      assertEquals(await exists(path), false);
    });
    await test.step("who cannot read a key would let nobody in once it is touched", async () => {
      const [key, port] = [await writeKey(program, "k.key"), freePort()];
      const config = await program.write(
        "keyed.yaml",
        `listeners:
  - { unix: ${path}, service: { exec: [/bin/true] } }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }], service: { exec: [/bin/true] } }
${USERS}`,
      );
      for (
        const args of [
          ["--config", config],
          [
            `--tcp=127.0.0.1:${port}`,
            `--key=${key}`,
            "--config",
            await program.write("n.yaml", ""),
          ],
        ]
      ) {
        const serve = ["serve", ...args, "--drop-to", "nobody"];
        const { code, stderr } = await program.run(serve);
        assertEquals(code, 78);
        assertStringIncludes(stderr, `cannot read ${key}`);
        assertEquals(await exists(path), false);
        // Its hint is the way out.
        const command = stderr.match(/^hint: (.*)$/m)![1]!;
        assertEquals((await program.execute(["sh", "-c", command])).code, 0);
        await using server = await program.serve(serve.slice(1));
        const where = [`--tcp=127.0.0.1:${port}`, `--key=${key}`];
        await program.execute(["touch", key]);
        const outcome = await program.run(["connect", ...where, "--pipe"], { input: "" });
        assertEquals(outcome.code, 0, outcome.stderr);
        assertEquals(await server.stop(), 0);
        await Deno.chmod(key, 0o600);
        // In our directory nobody may take it away.
        await Deno.remove(path).catch(() => {});
      }
    });
    await test.step("only root can", async () => {
      const { code } = await program.run(["serve", "--unix=/tmp/x/y", "--drop-to", "nobody"], {
        uid: 579,
      });
      assertEquals(code, 77);
    });
  },
);
