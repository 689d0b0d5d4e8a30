/** A trusted client may act as a user, with the rights of that user. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openConsole } from "../support/console_server.ts";
import { isRoot, Lines } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

const options = { ignore: !isRoot };

Deno.test(
  "root may act as a user, with that user's rights and no others (needs root)",
  options,
  async () => {
    await using fixture = await openConsole();
    const bob = await fixture.connect(0, "", "--user", "bob", "-c", "deny bob");
    assertEquals(bob.code, 77);
    assertStringIncludes(bob.stderr, "ermission denied");
    for (const name of ["alice", "nosuch"]) {
      const refused = await fixture.connect(0, "", "--user", name, "-c", "who");
      assertEquals(refused.code, 77);
      assertMatch(refused.stderr, /^Failed to connect to server: /);
    }
    const other = await fixture.connect(579, "", "--user", "bob", "-c", "who");
    assertEquals(other.code, 77);
    assertMatch(other.stderr, /^Failed to connect to server: /);
  },
);

Deno.test(
  "root acting as a user is disconnected when that user is denied (needs root)",
  options,
  async () => {
    await using fixture = await openConsole();
    using connection = await Deno.connect({ transport: "unix", path: fixture.socket });
    const lines = new Lines(connection.readable);
    assertStringIncludes((await lines.next())!, '"user":"root"');
    const login = '{"jsonrpc":"2.0","id":1,"method":"login","params":{"user":"bob"}}\n';
    await connection.write(new TextEncoder().encode(login));
    assertStringIncludes((await lines.next())!, '"user":"bob"');
    await fixture.program.run(["users", "deny", "bob", "--config", fixture.file]);
    assertEquals(await lines.next(), null);
    const revoke = await fixture.server.event("revoke");
    assertEquals([revoke.user, revoke.reason], ["bob", "user-denied"]);
    const close = await fixture.server.event("close");
    assertEquals([close.session, close.user, close.reason], [revoke.session, "bob", "revoked"]);
  },
);

Deno.test(
  "root acting as a user is disconnected when the user's name gets another uid (needs root)",
  options,
  async () => {
    await using fixture = await openConsole();
    using client = TestClient.unix(fixture.socket, 0);
    assertStringIncludes((await client.line())!, '"user":"root"');
    client.send('{"jsonrpc":"2.0","id":1,"method":"login","params":{"user":"bob"}}\n');
    assertStringIncludes((await client.line())!, '"user":"bob"');
    const set = ["users", "set", "bob", "uid", "600", "--config", fixture.file];
    assertEquals((await fixture.program.run(set)).code, 0);
    // Not one request is answered any more.
    client.send('{"jsonrpc":"2.0","id":2,"method":"users.list"}\n');
    assertEquals(await client.line(), null);
    const revoke = await fixture.server.event("revoke");
    assertEquals([revoke.user, revoke.reason], ["bob", "identity-changed"]);
  },
);
