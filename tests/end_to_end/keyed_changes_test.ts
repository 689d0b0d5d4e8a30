/** Changed keys decide the next connection, and close open sessions that lost access. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { freePort, KeyedServer, writeKey } from "../support/keys.ts";
import { Lines } from "../support/program.ts";
import { requireWithin } from "../support/quickly.ts";

const USERS = "users:\n  - { name: bob, uid: 579, local_ipc_access: true }\n" +
  "  - { name: carol, uid: 580, local_ipc_access: true }\n";

function listener(port: number, ...keys: string[]): string {
  return `listeners:\n  - tcp: 127.0.0.1:${port}\n    keys:\n${
    keys.map((key) => `      - ${key}\n`).join("")
  }`;
}

/** A server with bob's key. */
function fixtureServer(more = ""): Promise<KeyedServer> {
  return KeyedServer.open(async (program, port) => {
    const key = await writeKey(program, "bob.key");
    return listener(port, `{ file: ${key}, user: bob${more} }`) + USERS;
  });
}

/** A session that stays open until the server ends it. */
async function openSession(fixture: KeyedServer, key = "bob.key") {
  const child = fixture.program.command([
    ...["ipcauth", "connect", `--tcp=${fixture.address}`, `--key=${fixture.program.path(key)}`],
  ], { input: "" }).spawn();
  const lines = new Lines(child.stderr);
  assertStringIncludes((await lines.next())!, "using console on");
  return {
    /** Resolves when it has been ended. */
    async ended(): Promise<{ code: number; stderr: string }> {
      let stderr = "";
      for (let line = await lines.next(); line !== null; line = await lines.next()) {
        stderr += line + "\n";
      }
      await child.stdout.cancel();
      const { code } = await child.status;
      return { code, stderr };
    },
    [Symbol.asyncDispose]: async () => {
      await child.stdin.close().catch(() => {});
      await child.status;
    },
  };
}

async function write(fixture: KeyedServer, text: string): Promise<void> {
  const path = fixture.config;
  await Deno.writeTextFile(`${path}.next`, text, { mode: 0o644 });
  await Deno.rename(`${path}.next`, path);
}

for (
  const [what, change] of [
    ["the flag", async (fixture: KeyedServer) => {
      const { code } = await fixture.program.run([
        "users",
        "deny",
        "bob",
        "--config",
        fixture.config,
      ]);
      assertEquals(code, 0);
    }],
    ["taking the key out of the configuration", async (fixture: KeyedServer) => {
      const other = await writeKey(fixture.program, "other.key");
      await write(fixture, listener(fixture.port, `{ file: ${other}, user: bob }`) + USERS);
    }],
    ["giving the key an end that has passed", (fixture: KeyedServer) =>
      write(
        fixture,
        listener(
          fixture.port,
          `{ file: ${
            fixture.program.path("bob.key")
          }, user: bob, not_after: 2020-01-01T00:00:00Z }`,
        ) + USERS,
      )],
    ["another key in the same file", async (fixture: KeyedServer) => {
      await Deno.rename(
        await writeKey(fixture.program, "next.key"),
        fixture.program.path("bob.key"),
      );
    }],
    [
      "removing the key file",
      (fixture: KeyedServer) => Deno.remove(fixture.program.path("bob.key")),
    ],
    [
      "opening the key file to everyone",
      (fixture: KeyedServer) => Deno.chmod(fixture.program.path("bob.key"), 0o644),
    ],
    ["a list that bob is not on", (fixture: KeyedServer) =>
      write(
        fixture,
        listener(fixture.port, `{ file: ${fixture.program.path("bob.key")}, user: bob }`) +
          "    allow: [carol]\n" + USERS,
      )],
  ] as const
) {
  Deno.test(`${what} ends a session over TCP, and refuses the next connection`, async () => {
    await using fixture = await fixtureServer();
    await Deno.copyFile(fixture.program.path("bob.key"), fixture.program.path("copy.key"));
    await using session = await openSession(fixture, "copy.key");
    await change(fixture);
    const refused = await fixture.connect("copy.key", "-c", "who");
    assertEquals(refused.code, 77);
    assertStringIncludes(refused.stderr, "Failed to connect to server");
    const { code, stderr } = await session.ended();
    assertEquals(code, 77);
    assertStringIncludes(stderr, "your access was revoked");
    assertEquals((await fixture.server.event("close")).reason, "revoked");
    assertEquals((await fixture.server.events("revoke", 1)).length, 1);
  });
}

Deno.test("a key that expires while a session is open ends it", async () => {
  await using fixture = await fixtureServer();
  const withoutEnd = await Deno.readTextFile(fixture.config);
  let sessions = 0;
  await requireWithin(1_000, async () => {
    await using session = await openSession(fixture);
    const end = Date.now() + 1_500;
    const notAfter = `user: bob, not_after: ${new Date(end).toISOString()}`;
    await write(fixture, withoutEnd.replace("user: bob", notAfter));
    assertEquals((await session.ended()).code, 77);
    assert(Date.now() >= end);
    const revoke = (await fixture.server.events("revoke", ++sessions))[sessions - 1]!;
    assertEquals([revoke.reason, revoke.user], ["expired-key", "bob"]);
    await write(fixture, withoutEnd);
    return Date.parse(String(revoke.time)) - end;
  });
});

Deno.test("an unusable key file is reported once, and does not stop the server", async () => {
  await using fixture = await fixtureServer();
  await Deno.writeTextFile(fixture.program.path("bob.key"), "nonsense\n");
  for (let count = 0; count < 3; count++) {
    assertEquals((await fixture.connect("bob.key", "-c", "who")).code, 65);
  }
  const reload = await fixture.server.event("reload");
  assertEquals(reload.reason, "bad-config");
  assertStringIncludes(String(reload.message), "bob.key");
  assertEquals(String(reload.message).includes("nonsense"), false);
  const again = await writeKey(fixture.program, "again.key");
  await Deno.rename(again, fixture.program.path("bob.key"));
  assertEquals((await fixture.connect("bob.key", "-c", "who")).code, 0);
  assertEquals(fixture.server.log.filter(({ event }) => event === "reload").length, 1);
});

Deno.test("a listener that was removed and added again reports a bad key once", async () => {
  await using fixture = await fixtureServer();
  const own = await Deno.readTextFile(fixture.config);
  const other = `listeners: [{ unix: ${fixture.program.path("other.sock")} }]\n${USERS}`;
  // A session whose access depends on the keys of the first listener.
  await using session = await openSession(fixture);
  for (let round = 1; round <= 3; round++) {
    await write(fixture, other);
    await fixture.server.events("stop", 2 * round - 1);
    await write(fixture, own);
    await fixture.server.events("listen", 1 + 2 * round);
    await fixture.server.events("stop", 2 * round);
  }
  await Deno.writeTextFile(fixture.program.path("bob.key"), "nonsense\n");
  // The session holds no valid key any more.
  await fixture.server.event("revoke");
  await session.ended();
  const reports = () => fixture.server.log.filter(({ reason }) => reason === "bad-config").length;
  assertEquals((await fixture.connect("bob.key", "-c", "who")).code, 65);
  await fixture.server.event("reload", ({ reason }) => reason === "bad-config");
  assertEquals(reports(), 1);
});

Deno.test("a key is replaced under load, and no client is refused meanwhile", async () => {
  await using fixture = await fixtureServer();
  const { program } = fixture;
  let current = program.path("bob.key");
  let going = true;
  const outcomes: number[] = [];
  let wake = () => {};
  const clients = Array.from({ length: 3 }, async () => {
    while (going) {
      outcomes.push((await fixture.connect(current, "-c", "who")).code);
      wake();
    }
  });
  const some = async () => {
    const enough = outcomes.length + 6;
    while (outcomes.length < enough) await new Promise<void>((resolve) => wake = resolve);
  };
  await some();
  const next = await writeKey(program, "next.key");
  const both = [
    `{ file: ${program.path("bob.key")}, user: bob }`,
    `{ file: ${next}, user: bob }`,
  ] as const;
  await write(fixture, listener(fixture.port, ...both) + USERS);
  await some();
  current = next;
  await some();
  // Clients that began with the old key have finished; each has used the new one since.
  await write(fixture, listener(fixture.port, both[1]) + USERS);
  await some();
  going = false;
  await Promise.all(clients);
  assertEquals(outcomes.filter((code) => code !== 0), []);
  assertEquals((await fixture.connect("bob.key", "-c", "who")).code, 77);
});

Deno.test("a key that two files hold for two users, or with two ends, is refused", async () => {
  const second = (terms: string) => `{ file: PATH, ${terms} }`;
  for (const terms of ["user: carol", "user: bob, not_after: 2099-01-01T00:00:00Z"]) {
    await using fixture = await KeyedServer.open(async (program, port) => {
      const key = await writeKey(program, "bob.key");
      const other = await writeKey(program, "other.key");
      const entries = [`{ file: ${key}, user: bob }`, second(terms).replace("PATH", other)];
      return listener(port, ...entries) + USERS;
    });
    const { program, server } = fixture;
    assertEquals((await fixture.connect("bob.key", "-c", "who")).code, 0);
    const key = await Deno.readTextFile(program.path("bob.key"));
    await program.write("other.key", key, 0o600);
    assertStringIncludes(
      String((await server.event("reload", ({ reason }) => reason === "bad-config")).message),
      "so it is refused",
    );
    assertEquals((await fixture.connect("bob.key", "-c", "who")).code, 77);
    const text = await Deno.readTextFile(fixture.config);
    const config = await program.write(
      "other.yaml",
      text.replace(String(fixture.port), String(freePort())),
    );
    const { code, stderr } = await program.run(["serve", "--config", config]);
    assertEquals(code, 78);
    assertEquals(stderr.includes("--force"), false);
    await writeKey(program, "other.key");
    assertEquals((await fixture.connect("bob.key", "-c", "who")).code, 0);
  }
});
