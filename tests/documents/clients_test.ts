/** The clients of `examples/clients/` against a real server: let in, refused, and cut. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { LIBC_PATHS } from "../../lib/libc/paths.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, type Options, Program, type RunningServer } from "../support/program.ts";
import { copyTree } from "../support/source_tree.ts";

const FFI = `--allow-ffi=${[...new Set(Object.values(LIBC_PATHS).flat())].join(",")}`;
/** Where a machine has Python's packages that Debian's are not installed on. */
const PYTHONPATH = Deno.env.get("PYTHONPATH") ?? "";

/** A client's two programs, as command lines. */
interface Client {
  readonly name: string;
  /** What has to be installed. */
  readonly needs: readonly (readonly string[])[];
  console(socket: string): readonly string[];
  service(port: number, key: string): readonly string[];
}

function clients(tree: string): readonly Client[] {
  const at = `${tree}/examples/clients`;
  const deno = ["deno", "run", "--quiet", "--no-prompt", FFI];
  return [{
    name: "deno",
    needs: [],
    console: (socket) => [...deno, `${at}/deno/console.ts`, socket],
    service: (port, key) => [...deno, `${at}/deno/service.ts`, `127.0.0.1:${port}`, key],
  }, {
    name: "python",
    needs: [["/usr/bin/python3", "-c", "import dissononce"]],
    console: (socket) => ["/usr/bin/python3", `${at}/python/console.py`, socket],
    service: (
      port,
      key,
    ) => ["/usr/bin/python3", `${at}/python/service.py`, "127.0.0.1", `${port}`, key],
  }, {
    name: "shell",
    needs: [["socat", "-V"]],
    console: (socket) => [`${at}/shell/console.sh`, socket],
    service: (port, key) => [`${at}/shell/service.sh`, `127.0.0.1:${port}`, key],
  }];
}

/** Whether all of the commands succeed on this machine. */
function has(needs: Client["needs"]): boolean {
  return needs.every(([command, ...args]) => {
    try {
      return new Deno.Command(command!, { args, stdout: "null", stderr: "null" }).outputSync()
        .success;
    } catch {
      return false;
    }
  });
}

/** A program, a server with what the README's configuration has, and the examples. */
class Fixture implements AsyncDisposable {
  private constructor(
    readonly program: Program,
    readonly server: RunningServer,
    readonly tree: string,
    readonly ports: readonly number[],
  ) {}

  static async open(): Promise<Fixture> {
    const program = await Program.install();
    const tree = program.path("tree");
    await copyTree(tree);
    const ports = [freePort(), freePort()];
    const key = await writeKey(program, "bob.key");
    await writeKey(program, "other.key");
    await Deno.chown(program.path("other.key"), 579, 579);
    // The server's own copy belongs to root.
    await Deno.copyFile(key, program.path("copy.key"));
    await Deno.chmod(program.path("copy.key"), 0o600);
    await Deno.chown(program.path("copy.key"), 579, 579);
    const keys = `keys: [ { file: ${key}, user: bob } ]`;
    const half = "echo half; exec sleep 1000";
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${program.path("ipc.sock")}, service: console }
  - { tcp: "127.0.0.1:${ports[0]}", ${keys}, service: { exec: [/usr/bin/tr, a-z, A-Z] } }
  - { tcp: "127.0.0.1:${ports[1]}", ${keys}, service: { exec: [/bin/sh, -c, "${half}"] } }
users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
`,
    );
    const server = await program.serve(["--config", config]);
    await server.events("listen", 3);
    return new Fixture(program, server, tree, ports);
  }

  options(uid: number, input?: string): Options {
    const home = this.program.path(`home-${uid}`);
    Deno.mkdirSync(home, { recursive: true });
    Deno.chownSync(home, uid, uid);
    const env = { HOME: home, NO_COLOR: "1", PYTHONPATH, PYTHONDONTWRITEBYTECODE: "1" };
    return { uid, env, ...(input === undefined ? {} : { input }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

for (const { name, needs } of clients("")) {
  Deno.test({
    name: `the client in ${name} is let in, refused and cut (needs root${
      name === "python" ? ", python3-dissononce" : name === "shell" ? ", socat" : ""
    })`,
    ignore: !isRoot || !has(needs),
    async fn() {
      await using fixture = await Fixture.open();
      const { program, tree, ports } = fixture;
      const client = clients(tree).find((one) => one.name === name)!;
      const socket = program.path("ipc.sock");
      const run = (argv: readonly string[], uid: number, input?: string) =>
        program.execute(argv, fixture.options(uid, input));

      const users = await run(client.console(socket), 579);
      assertEquals([users.code, users.stderr], [0, ""]);
      for (const part of ["alice", "578", "bob", "579"]) assertStringIncludes(users.stdout, part);
      const refused = await run(client.console(socket), 578);
      assertEquals([refused.code, refused.stdout], [77, ""]);
      assertStringIncludes(refused.stderr, "uid 578");
      const absent = await run(client.console(program.path("nosuch")), 579);
      assertEquals([absent.code, absent.stdout], [69, ""]);

      const key = program.path("copy.key");
      const long = "hello\n".repeat(50_000);
      const answer = await run(client.service(ports[0]!, key), 579, long);
      assertEquals([answer.code, answer.stderr], [0, ""]);
      assert(answer.stdout === long.toUpperCase(), `${answer.stdout.length} bytes came back`);
      const wrong = await run(client.service(ports[0]!, program.path("other.key")), 579, "");
      assertEquals([wrong.code, wrong.stdout], [77, ""]);
      assertStringIncludes(wrong.stderr, "does not know this key");
      if (name === "deno") assertStringIncludes(wrong.stderr, "\nhint: ipcauth gen-key --show ");

      // Other users may read it; there is none; it holds no key.
      const [open, none, empty] = ["open.key", "none.key", "empty.key"].map((one) =>
        program.path(one)
      ) as [string, string, string];
      await Deno.copyFile(key, open);
      await Deno.chmod(open, 0o644);
      await Deno.writeTextFile(empty, "# nothing\n", { mode: 0o600 });
      await Deno.chown(empty, 579, 579);
      for (const [file, code] of [[open, 78], [none, 78], [empty, 65]] as const) {
        const bad = await run(client.service(ports[0]!, file), 579, "");
        assertEquals([file, bad.code, bad.stdout], [file, code, ""], bad.stderr);
        assert(!bad.stderr.includes("Traceback"), bad.stderr);
      }
      const unreadable = await run(client.service(ports[0]!, key), 578, "");
      assertEquals([unreadable.code, unreadable.stdout], [77, ""], unreadable.stderr);

      const argv = client.service(ports[1]!, key);
      const child = program.command(argv, { ...fixture.options(579), input: "" }).spawn();
      const reader = child.stdout.getReader();
      const { value } = await reader.read();
      assertEquals(new TextDecoder().decode(value), "half\n");
      await fixture.server.stop("SIGKILL");
      const [{ code }, text] = await Promise.all([child.status, new Response(child.stderr).text()]);
      assertEquals([code, text === ""], [65, false], text);
      await reader.cancel();
      await child.stdin.close().catch(() => {});
    },
  });
}
