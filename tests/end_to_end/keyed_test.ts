/** Access over TCP, with keys. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { connectWithKey } from "../../lib/client/connect_tcp.ts";
import { readOption } from "../../lib/libc/socket_options.ts";
import { USER_TIMEOUT_MS } from "../../lib/libc/tcp_socket.ts";
import { drain } from "../support/connections.ts";
import { freePort, KeyedServer, readKey, writeKey } from "../support/keys.ts";
import { Program } from "../support/program.ts";

const USERS = `users:
  - { name: alice, uid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, local_ipc_access: true }
`;

/** A console with keys of bob and alice, an expired one of bob, and a trusted one. */
function consoleServer(): Promise<KeyedServer> {
  return KeyedServer.open(async (program, port) => {
    const [bob, alice, old, trusted] = [
      await writeKey(program, "bob.key"),
      await writeKey(program, "alice.key"),
      await writeKey(program, "old.key"),
      await writeKey(program, "trusted.key"),
    ];
    await writeKey(program, "wrong.key");
    return `listeners:
  - tcp: 127.0.0.1:${port}
    keys:
      - { file: ${bob}, user: bob }
      - { file: ${alice}, user: alice }
      - { file: ${old}, user: bob, not_after: 2020-01-01T00:00:00Z }
      - { file: ${trusted} }
${USERS}`;
  });
}

Deno.test("a client ends when its server acknowledges nothing for two minutes", async () => {
  await using fixture = await consoleServer();
  const key = readKey(fixture.program.path("bob.key"));
  const to = { host: "127.0.0.1", port: fixture.port };
  const { descriptor, channel } = await connectWithKey(to, key, { client: "test/1", user: null });
  // IPPROTO_TCP and TCP_USER_TIMEOUT (linux/in.h, linux/tcp.h)
  assertEquals(readOption(descriptor.number, 6, 18), USER_TIMEOUT_MS);
  channel.wipe();
  descriptor.close();
});

Deno.test("only a valid key gives access to the console over TCP", async (test) => {
  await using fixture = await consoleServer();
  const first = (text: string) => text.split("\n")[0]!;

  await test.step("bob's key", async () => {
    const { code, stdout } = await fixture.connect("bob.key", "-c", "who");
    assertEquals(code, 0);
    assertMatch(stdout, /\* +\d+ +bob +579 +- +127\.0\.0\.1 +tcp:\S+ +console/);
    const allow = await fixture.server.event("allow");
    assertMatch(String(allow.remote), /^127\.0\.0\.1:\d+$/);
    assertMatch(String(allow.key), /^[0-9a-f]{16}$/);
    assertEquals([allow.user, allow.reason, allow.peer], ["bob", "key", undefined]);
    const close = await fixture.server.event("close");
    assertEquals([close.reason, close.key], ["end", allow.key]);
    assert(Number(close.bytes_in) > 0 && Number(close.bytes_out) > 0);
  });

  await test.step("the banner, with piped input", async () => {
    const { program, address } = fixture;
    const { stderr, code } = await program.run(
      ["connect", `--tcp=${address}`, `--key=${program.path("bob.key")}`],
      { input: "show users\n" },
    );
    assertEquals(code, 0);
    assertMatch(stderr, /^bob connected from 127\.0\.0\.1 using console on \S+\n/);
  });

  for (
    const [key, code, why, hint, reason] of [
      ["wrong.key", 77, "does not know this key", "ipcauth gen-key --show FILE", "bad-key"],
      ["alice.key", 77, "(user-denied)", "ipcauth users check NAME,", "user-denied"],
      ["old.key", 77, "the key has expired (expired-key)", "ipcauth keys,", "expired-key"],
    ] as const
  ) {
    await test.step(key, async () => {
      const before = fixture.server.log.length;
      const outcome = await fixture.connect(key, "-c", "who");
      assertEquals([outcome.code, outcome.stdout], [code, ""]);
      assertStringIncludes(first(outcome.stderr), "Failed to connect to server: ");
      assertStringIncludes(first(outcome.stderr), why);
      assertStringIncludes(outcome.stderr, `\nhint: ${hint}`);
      const deny = await fixture.server.event(
        "deny",
        (event) => fixture.server.log.indexOf(event) >= before,
      );
      assertEquals(deny.reason, reason);
    });
  }

  await test.step("a missing key file", async () => {
    const { code, stderr } = await fixture.connect("none.key", "-c", "who");
    assertEquals(code, 78);
    assertStringIncludes(stderr, "Failed to connect to server: ");
    assertStringIncludes(stderr, "none.key");
    // A key that the client makes is none that the server knows.
    assertStringIncludes(
      stderr,
      "hint: on the server: ipcauth gen-key FILE --user NAME; then copy",
    );
  });

  await test.step("no server", async () => {
    const { program } = fixture;
    const key = program.path("bob.key");
    const port = freePort();
    const { code, stderr } = await program.run([
      "connect",
      `--tcp=127.0.0.1:${port}`,
      `--key=${key}`,
    ]);
    assertEquals(code, 69);
    assertStringIncludes(
      stderr,
      `Failed to connect to server: no server is listening on 127.0.0.1:${port}`,
    );
  });

  await test.step("server and key from the environment", async () => {
    const { program, port } = fixture;
    const { code } = await program.run(["connect", "-c", "who"], {
      env: { IPCAUTH_PORT: String(port), IPCAUTH_KEY_FILE: program.path("bob.key") },
    });
    assertEquals(code, 0);
  });

  await test.step("a trusted key acts as root, or as the user that it names", async () => {
    assertMatch((await fixture.connect("trusted.key", "-c", "who")).stdout, /\* +\d+ +root +0 /);
    const bob = await fixture.connect("trusted.key", "--user", "bob", "-c", "who");
    assertMatch(bob.stdout, /\* +\d+ +bob +579 /);
    // Acting as a user gives the rights of that user, and no others.
    const set = await fixture.connect(
      ...["trusted.key", "--user", "bob", "-c", "allow alice"] as const,
    );
    assertEquals(set.code, 77);
    for (const name of ["alice", "unknown"]) {
      const { code, stderr } = await fixture.connect("trusted.key", "--user", name, "-c", "who");
      assertEquals(code, 77);
      assertStringIncludes(stderr, "user-denied");
    }
  });

  await test.step("a key that is not trusted may not name a user", async () => {
    for (const name of ["alice", "bob"]) {
      const { code, stderr } = await fixture.connect("bob.key", "--user", name, "-c", "who");
      assertEquals(code, 77);
      assertStringIncludes(stderr, "user-denied");
    }
  });
});

Deno.test("connect tells a server of another protocol from one that refuses", async (test) => {
  await using program = await Program.install();
  const key = await writeKey(program, "a.key");
  const answers: readonly (readonly [string, string | null, number, string])[] = [
    ["another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n", 65, "is not an ipcauth server"],
    ["an end in the middle", "\x00\x30half", 65, "ended in the middle of the access check"],
    ["an end without a byte", "", 77, "does not know this key"],
  ];
  for (const [name, answer, code, why] of answers) {
    await test.step(name, async () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr as Deno.NetAddr;
      const serving = (async () => {
        using connection = await listener.accept();
        await connection.read(new Uint8Array(1024));
        await connection.write(new TextEncoder().encode(answer!));
        await connection.closeWrite();
        await drain(connection);
      })();
      const outcome = await program.run(["connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`]);
      await serving;
      assertStringIncludes(outcome.stderr, "Failed to connect to server: ");
      assertStringIncludes(outcome.stderr, why);
      assertEquals(outcome.code, code);
    });
  }
});

Deno.test("serve --tcp does not start without a safe key", async () => {
  await using program = await Program.install();
  const serve = (...args: string[]) =>
    program.run(["serve", `--tcp=127.0.0.1:${freePort()}`, ...args], {
      env: { HOME: program.path("home") },
    });
  const without = await serve();
  assertEquals(without.code, 78);
  assertStringIncludes(without.stderr, "hint: ipcauth gen-key");
  const key = await writeKey(program, "open.key");
  await Deno.chmod(key, 0o644);
  const open = await serve(`--key=${key}`);
  assertEquals(open.code, 78);
  assertStringIncludes(open.stderr, "readable by others");
  assertStringIncludes(open.stderr, "hint: chmod");
  const bad = await program.write("bad.key", "this is no key\n", 0o600);
  const malformed = await serve(`--key=${bad}`);
  assertEquals(malformed.code, 65);
  assertEquals(malformed.stderr.includes("this is no key"), false);
  const missing = await serve(`--key=${program.path("none.key")}`);
  assertEquals(missing.code, 78);
});

Deno.test("serve --tcp --key listens on IPv6, and reports a port in use", async () => {
  await using program = await Program.install();
  const key = await writeKey(program, "a.key");
  const port = freePort("::1");
  await using server = await program.serve([`--tcp=[::1]:${port}`, `--key=${key}`]);
  assertEquals((await server.event("listen")).listener, `tcp:[::1]:${port}`);
  const { code, stdout } = await program.run(
    ["connect", `--tcp=[::1]:${port}`, `--key=${key}`, "-c", "who"],
  );
  assertEquals(code, 0);
  assertStringIncludes(stdout, "::1");
  assertMatch(String((await server.event("allow")).remote), /^\[::1\]:\d+$/);
  const second = await program.run(["serve", `--tcp=[::1]:${port}`, `--key=${key}`]);
  assertEquals(second.code, 69);
  assertStringIncludes(second.stderr, "A server is already running");
});

Deno.test("serve --unix --tcp --key opens both listeners", async () => {
  await using program = await Program.install();
  const key = await writeKey(program, "a.key");
  const [socket, port] = [program.path("ipc.sock"), freePort()];
  await using server = await program.serve([
    ...[`--unix=${socket}`, `--tcp=127.0.0.1:${port}`, `--key=${key}`],
  ]);
  await server.events("listen", 2);
  for (const to of [[`--unix=${socket}`], [`--tcp=127.0.0.1:${port}`, `--key=${key}`]]) {
    assertEquals((await program.run(["connect", ...to, "-c", "who"])).code, 0);
  }
});
