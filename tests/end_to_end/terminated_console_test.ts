/** The end of consoles over TCP that the server terminates. */
import { assertEquals } from "@std/assert";
import { KeyedServer, writeKey } from "../support/keys.ts";
import { Lines } from "../support/program.ts";

/** Enough users for one answer of more than 100 kB. */
const MANY_USERS = 1_000;
/** Their answers fill every buffer between the server and a client that does not read. */
const REQUESTS = 500;

function fixtureServer(limits: string): Promise<KeyedServer> {
  return KeyedServer.open(async (program, port) => {
    const key = await writeKey(program, "bob.key");
    const others = Array.from(
      { length: MANY_USERS },
      (_, index) => `  - { name: user${index}, uid: ${10_000 + index}, local_ipc_access: false }\n`,
    );
    return `listeners: [{ tcp: "127.0.0.1:${port}", keys: [{ file: ${key}, user: bob }] }]\n` +
      `limits: { ${limits} }\n` +
      `users:\n  - { name: bob, uid: 579, local_ipc_access: true, admin: true }\n${
        others.join("")
      }`;
  });
}

/** Opens a session whose client asks for much and reads nothing after the welcome. */
async function openDeaf(fixture: KeyedServer): Promise<AsyncDisposable> {
  const child = fixture.program.command([
    ...["ipcauth", "connect", `--tcp=${fixture.address}`, "--pipe"],
    `--key=${fixture.program.path("bob.key")}`,
  ], { input: "" }).spawn();
  const lines = new Lines(child.stdout);
  await lines.next();
  const writer = child.stdin.getWriter();
  const request = '{"jsonrpc":"2.0","id":1,"method":"users.list"}\n';
  await writer.write(new TextEncoder().encode(request.repeat(REQUESTS)));
  // The first answers: the control plane has the session.
  await lines.next();
  return {
    [Symbol.asyncDispose]: async () => {
      await lines.cancel();
      await child.stderr.cancel();
      await writer.close().catch(() => {});
      await child.status;
    },
  };
}

Deno.test("a console that closes its own session over TCP gets the answer", async () => {
  await using fixture = await fixtureServer("grace: 1m");
  const { code, stdout, stderr } = await fixture.connect("bob.key", "-c", "close session 1");
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout, "closed session 1 of bob\n");
  assertEquals((await fixture.server.event("close")).reason, "closed");
});

Deno.test("a TCP console that does not read is cut when its user loses access", async () => {
  await using fixture = await fixtureServer("grace: 1s");
  await using _client = await openDeaf(fixture);
  const { code } = await fixture.program.run(["users", "deny", "bob", "--config", fixture.config]);
  assertEquals(code, 0);
  assertEquals((await fixture.server.event("close")).reason, "revoked");
});

Deno.test("a TCP console that does not read does not hold up the end of a server", async () => {
  await using fixture = await fixtureServer("grace: 0s");
  await using _client = await openDeaf(fixture);
  assertEquals(await fixture.server.stop(), 0, fixture.server.text);
  assertEquals(fixture.server.of("close").map(({ reason }) => reason), ["shutdown"]);
  assertEquals(fixture.server.of("stop").length, 1);
});
