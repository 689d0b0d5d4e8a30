/** A file that may have changed and cannot be read lets no one in, and is read when it can be. */
import { assert, assertEquals } from "@std/assert";
import { freePort, readKey, writeKey } from "../support/keys.ts";
import { type AuditEvent, isRoot, Program, RunningServer } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

/** A regular file of the server itself, whose reads fail with EIO: nothing is mapped at 0. */
const UNREADABLE = "/proc/self/mem";

/** Swaps a link, as a ConfigMap does. */
function point(link: string, target: string): void {
  Deno.symlinkSync(target, `${link}.next`);
  Deno.renameSync(`${link}.next`, link);
}

interface Fixture extends AsyncDisposable {
  readonly program: Program;
  readonly server: RunningServer;
  readonly socket: string;
  readonly port: number;
  /** A link, as bob's key file is one. */
  readonly config: string;
}

async function serve(prefix: readonly string[] = []): Promise<Fixture> {
  const program = await Program.install();
  const [socket, port] = [program.path("ipc.sock"), freePort()];
  await writeKey(program, "own.key");
  await program.write(
    "own.yaml",
    `listeners:
  - { unix: ${socket} }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${program.path("bob.key")}, user: bob }] }
users:
  - { name: bob, uid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, local_ipc_access: true }
`,
  );
  const config = program.path("config.yaml");
  point(config, program.path("own.yaml"));
  point(program.path("bob.key"), program.path("own.key"));
  const argv = [...prefix, "ipcauth", "serve", "--config", config];
  const server = new RunningServer(program.command(argv).spawn());
  await server.events("listen", 2);
  return {
    ...{ program, server, socket, port, config },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await program.remove();
    },
  };
}

const OWN = isRoot ? 579 : Deno.uid()!;

async function isAllowed({ socket }: Fixture, uid = OWN): Promise<boolean> {
  using client = TestClient.unix(socket, uid);
  return await client.line() !== null;
}

/** Connects with bob's key. @returns Null when it got in, else the error. */
async function refusal({ port, program }: Fixture): Promise<string | null> {
  try {
    using client = await TestClient.tcp(port, readKey(program.path("own.key")));
    return await client.line() === null ? "closed" : null;
  } catch (error) {
    return String(error);
  }
}

Deno.test("while the configuration cannot be read, new connections are denied", async () => {
  await using fixture = await serve();
  const { server, socket, config, program, port } = fixture;
  using unix = TestClient.unix(socket, OWN);
  using tcp = await TestClient.tcp(port, readKey(program.path("own.key")));
  for (const client of [unix, tcp]) assert(await client.line() !== null);
  point(config, UNREADABLE);
  for (let round = 0; round < 3; round++) {
    // Root and the server's own user as well: which service would be theirs is not known.
    for (const uid of isRoot ? [579, 0] : [OWN]) assertEquals(await isAllowed(fixture, uid), false);
    assert(await refusal(fixture) !== null);
  }
  for (const { reason } of await server.events("deny", isRoot ? 9 : 6)) {
    assertEquals(reason, "unreadable");
  }
  const reload = await server.event("reload");
  assertEquals(reload.reason, "bad-config");
  assert(String(reload.message).includes("the device or file system failed"), `${reload.message}`);
  assertEquals(server.of("reload").length, 1);
  // A request is not answered by an older file, and the session goes on.
  unix.send('{"jsonrpc":"2.0","id":1,"method":"stats"}\n');
  assert((await unix.line())?.includes("Cannot read the configuration"));
  point(config, program.path("own.yaml"));
  assertEquals([await isAllowed(fixture), await refusal(fixture)], [true, null]);
  for (const client of [unix, tcp]) {
    client.send('{"jsonrpc":"2.0","id":2,"method":"stats"}\n');
    assert((await client.line())?.includes('"result"'));
  }
  assertEquals(server.of("revoke"), []);
  assertEquals(await server.stop(), 0);
});

Deno.test("while a key file cannot be read, its key admits no one, and no session ends", async () => {
  await using fixture = await serve();
  const { server, port, program } = fixture;
  using tcp = await TestClient.tcp(port, readKey(program.path("own.key")));
  assert(await tcp.line() !== null);
  point(program.path("bob.key"), UNREADABLE);
  for (let round = 0; round < 3; round++) assert(await refusal(fixture) !== null);
  for (const { reason } of await server.events("deny", 3)) assertEquals(reason, "unreadable");
  // Nothing was decided about the key, nor is said of one that no file has.
  await writeKey(program, "other.key");
  for (const key of ["own.key", "other.key"]) {
    const argv = ["connect", `--tcp=127.0.0.1:${port}`, `--key=${program.path(key)}`, "-c", "who"];
    const { code, stderr } = await program.run(argv);
    assertEquals(code, 77);
    assert(stderr.includes("cannot read its configuration or keys now"), `${key}: ${stderr}`);
  }
  const reload = await server.event("reload");
  assert(String(reload.message).includes("bob.key"), String(reload.message));
  assertEquals(server.of("reload").length, 1);
  assertEquals(await isAllowed(fixture), true);
  point(program.path("bob.key"), program.path("own.key"));
  assertEquals(await refusal(fixture), null);
  tcp.send('{"jsonrpc":"2.0","id":1,"method":"stats"}\n');
  assert((await tcp.line())?.includes('"result"'));
  assertEquals(server.of("revoke"), []);
});

Deno.test("a passing error leaves no key unusable, though its file is not touched again", async () => {
  await using fixture = await serve();
  const { server, program } = fixture;
  const limit = async (files: number) => {
    const argv = ["prlimit", `--pid=${server.pid}`, `--nofile=${files}:20000`];
    assertEquals((await program.execute(argv)).code, 0);
  };
  // Below what is open already: no file can be opened, whatever is closed.
  await limit(3);
  Deno.utimeSync(program.path("own.key"), 1_000, 1_000);
  // Right after the start the configuration is compared as well, and has the same error.
  const ofKey = ({ message }: AuditEvent) => String(message).includes("bob.key");
  const reload = await server.event("reload", ofKey);
  assertEquals(reload.reason, "bad-config");
  assert(String(reload.message).includes("too many open files"), String(reload.message));
  await limit(10_000);
  assertEquals(await refusal(fixture), null);
  assertEquals(server.of("reload").filter(ofKey).length, 1);
});

Deno.test({
  name: "a user who takes every descriptor does not keep a change from being in force (needs root)",
  ignore: !isRoot,
  async fn() {
    await using fixture = await serve(["prlimit", "--nofile=128:128"]);
    const { server, socket, program, config } = fixture;
    const { message } = await server.event("error");
    assert(String(message).includes("this process may open 128"), String(message));
    using bob = TestClient.unix(socket, 579);
    assert(await bob.line() !== null);
    const held: TestClient[] = [];
    try {
      // Until one is refused for want of a descriptor.
      for (;;) {
        const client = TestClient.unix(socket, 580);
        held.push(client);
        if (await client.line() === null) break;
      }
      assertEquals((await server.event("deny")).reason, "over-limit");
      const { code } = await program.run(["users", "deny", "bob", "--config", config]);
      assertEquals(code, 0);
      await server.event("reload", ({ reason }) => reason === "changed");
      // The session is closed, which frees descriptors for one connection.
      assertEquals(await bob.line(), null);
      for (let round = 0; round < 12; round++) {
        assertEquals(await isAllowed(fixture, 579), false, `round ${round}`);
      }
      await server.event("deny", ({ reason }) => reason === "user-denied");
      // A key file that is touched now is read as well.
      Deno.utimeSync(program.path("own.key"), 1_000, 1_000);
      await program.run(["users", "allow", "bob", "--config", config]);
      held.shift()?.[Symbol.dispose]();
      held.shift()?.[Symbol.dispose]();
      await server.events("close", 3);
      assertEquals([await isAllowed(fixture, 579), await refusal(fixture)], [true, null]);
    } finally {
      for (const client of held) client[Symbol.dispose]();
    }
    // A moment in which the file cannot be read refuses connections; its content is never bad.
    const bad = server.of("reload").filter(({ reason, message }) =>
      reason === "bad-config" && !String(message).includes("too many open files")
    );
    assertEquals(bad, []);
  },
});
