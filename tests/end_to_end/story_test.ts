/** Access over a Unix socket: the real program and real uids. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { isRoot, Lines, Program } from "../support/program.ts";

const USERS = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob,   uid: 579, gid: 579, local_ipc_access: true, admin: false }
`;

const options = { ignore: !isRoot };

/** Connects, sends a line if there is one, and reads to the end. */
const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
if sys.argv[2]: s.sendall(sys.argv[2].encode() + b"\\n")
while True:
    part = s.recv(65536)
    if not part: break
    sys.stdout.write(part.decode())
`;

/** The program, a configuration and a server on it. */
async function fixture(config = USERS) {
  const program = await Program.install();
  const file = await program.write("config.yaml", config);
  const socket = program.path("ipc.sock");
  const server = await program.serve([`--unix=${socket}`, "--config", file]);
  return {
    program,
    server,
    file,
    socket,
    async connect(uid: number, input = "", ...flags: string[]) {
      return await program.run(["connect", `--unix=${socket}`, ...flags], { uid, input });
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await program.remove();
    },
  };
}

Deno.test(
  "a changed local_ipc_access decides the next connection (needs root)",
  options,
  async () => {
    await using at = await fixture();
    const users = (...args: string[]) => at.program.run(["users", ...args, "--config", at.file]);

    const alice = await at.connect(578);
    assertEquals(alice.code, 77);
    assertMatch(alice.stderr, /^Failed to connect to server: /);
    assertEquals(alice.stdout, "");

    const bob = await at.connect(579, "show running-config aaa authentication users user alice\n");
    assertEquals(bob.code, 0);
    assertMatch(bob.stdout, /^bob connected from 127\.0\.0\.1 using console on \S+\n/);
    assertStringIncludes(
      bob.stdout,
      "aaa authentication users user alice\n uid 578\n gid 578\n local_ipc_access false\n",
    );

    assertEquals((await users("allow", "alice")).code, 0);
    assertEquals((await users("deny", "bob")).code, 0);
    assertStringIncludes((await at.connect(578)).stdout, "alice connected from 127.0.0.1");
    assertEquals((await at.connect(579)).code, 77);
  },
);

Deno.test(
  "root and the server's own user are always allowed, whatever is listed (needs root)",
  options,
  async () => {
    await using at = await fixture("users: [{ name: root, uid: 0, local_ipc_access: false }]\n");
    assertStringIncludes((await at.connect(0)).stdout, "root connected from");
    const own = at.program.path("own");
    await Deno.mkdir(own);
    await Deno.chown(own, 600, 600);
    const path = `${own}/ipc.sock`;
    await using server = await at.program.serve([`--unix=${path}`], { uid: 600 });
    const connect = (uid: number) =>
      at.program.run(["connect", `--unix=${path}`, "--server-user", "600"], { uid, input: "" });
    assertEquals((await connect(600)).code, 0);
    assertEquals((await connect(0)).code, 0);
    assertEquals((await connect(579)).code, 77);
    assertEquals((await server.event("allow")).reason, "server-user");
    assertEquals((await server.event("deny")).reason, "unknown-uid");
  },
);

Deno.test("a uid that is not listed is denied (needs root)", options, async () => {
  await using at = await fixture();
  assertEquals((await at.connect(580)).code, 77);
  assertEquals((await at.server.event("deny")).reason, "unknown-uid");
});

Deno.test(
  "a uid without a mapping in the server's user namespace is denied (needs root)",
  options,
  async () => {
    await using program = await Program.install({ privateSystem: true });
    // The server runs in a user namespace that maps only its own uid, so the kernel names every
    // other peer by the overflow uid.
    const own = program.path("own");
    await Deno.mkdir(own);
    await Deno.chown(own, 600, 600);
    const path = `${own}/ipc.sock`;
    const child = program.command(
      ["unshare", "--user", "--map-user=0", "--", "ipcauth", "serve", `--unix=${path}`],
      { uid: 600, env: { IPCAUTH_CONFIG: "", XDG_CONFIG_HOME: own } },
    ).spawn();
    const { RunningServer } = await import("../support/program.ts");
    await using server = new RunningServer(child);
    await server.event("listen");
    const outcome = await program.run(["connect", `--unix=${path}`, "--server-user", "600"], {
      uid: 579,
      input: "",
    });
    assertEquals(outcome.code, 77);
    assertEquals((await server.event("deny")).reason, "unmapped-uid");
  },
);

Deno.test(
  "groups allow and deny, by gid and by name, primary and supplementary (needs root)",
  options,
  async () => {
    await using at = await fixture(`users: []
groups:
  - { name: netops, gid: 2000, local_ipc_access: true }
  - { name: daemon, local_ipc_access: true }
  - { name: interns, gid: 3000, local_ipc_access: false }
`);
    const outcome = async (gid: number, groups: number[]) =>
      (await at.program.run(["connect", `--unix=${at.socket}`], {
        uid: 700,
        gid,
        groups,
        input: "",
      }))
        .code;
    assertEquals(await outcome(700, []), 77);
    assertEquals(await outcome(2000, []), 0);
    assertEquals(await outcome(700, [5, 2000]), 0);
    assertEquals(await outcome(700, [1]), 0);
    assertEquals(await outcome(2000, [3000]), 77);
    const reasons = (await at.server.events("deny", 2)).map(({ reason }) => reason);
    assertEquals(reasons, ["unknown-uid", "group-denied"]);
  },
);

Deno.test(
  "the allow list of a listener narrows access, and never widens it (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    const socket = program.path("ipc.sock");
    const file = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${socket}, allow: [bob, alice] }
${USERS}  - { name: carol, uid: 580, local_ipc_access: true }
`,
    );
    await using server = await program.serve(["--config", file]);
    const code = async (uid: number) =>
      (await program.run(["connect", `--unix=${socket}`], { uid, input: "" })).code;
    assertEquals([await code(0), await code(579), await code(580), await code(578)], [
      0,
      0,
      77,
      77,
    ]);
    const reasons = (await server.events("deny", 2)).map(({ reason }) => reason);
    assertEquals(reasons, ["not-on-listener", "user-denied"]);
  },
);

Deno.test(
  "without a configuration only root and the server's own user are allowed (needs root)",
  options,
  async () => {
    await using program = await Program.install({ privateSystem: true });
    const home = program.path("home");
    await Deno.mkdir(`${home}/run`, { recursive: true });
    for (const path of [home, `${home}/run`]) await Deno.chown(path, 600, 600);
    const env = { IPCAUTH_CONFIG: "", HOME: home, XDG_RUNTIME_DIR: `${home}/run` };
    const as600 = { uid: 600, env };
    await using server = await program.serve([], as600);
    const socket = `${home}/run/ipcauth/ipc.sock`;
    const code = async (uid: number) =>
      (await program.run(["connect", `--unix=${socket}`, "--server-user=600"], { uid, input: "" }))
        .code;
    assertEquals([await code(0), await code(579)], [0, 77]);
    // The client of the same user finds the socket at its default path.
    assertEquals((await program.run(["connect", "-c", "who"], as600)).code, 0);
    const added = await program.run(
      ["users", "add", "bob", "--uid", "579", "--local-ipc-access"],
      as600,
    );
    assertEquals([added.code, added.stderr], [0, ""]);
    assertEquals(await code(579), 0);
    // The file keeps its owner when root edits it.
    const file = `${home}/.config/ipcauth/config.yaml`;
    assertEquals((await program.run(["users", "deny", "bob", "--config", file])).code, 0);
    assertEquals(Deno.statSync(file).uid, 600);
    assertEquals(await code(579), 77);
    assertEquals(await server.stop(), 0);
  },
);

Deno.test(
  "root may act as a user, with that user's rights and no others (needs root)",
  options,
  async () => {
    await using at = await fixture();
    const bob = await at.connect(0, "", "--user", "bob", "-c", "deny bob");
    assertEquals(bob.code, 77);
    assertStringIncludes(bob.stderr, "ermission denied");
    for (const name of ["alice", "nosuch"]) {
      const refused = await at.connect(0, "", "--user", name, "-c", "who");
      assertEquals(refused.code, 77);
      assertMatch(refused.stderr, /^Failed to connect to server: /);
    }
    const other = await at.connect(579, "", "--user", "bob", "-c", "who");
    assertEquals(other.code, 77);
    assertMatch(other.stderr, /^Failed to connect to server: /);
  },
);

Deno.test(
  "root acting as a user is disconnected when that user is denied (needs root)",
  options,
  async () => {
    await using at = await fixture();
    using connection = await Deno.connect({ transport: "unix", path: at.socket });
    const lines = new Lines(connection.readable);
    assertStringIncludes((await lines.next())!, '"user":"root"');
    const login = '{"jsonrpc":"2.0","id":1,"method":"login","params":{"user":"bob"}}\n';
    await connection.write(new TextEncoder().encode(login));
    assertStringIncludes((await lines.next())!, '"user":"bob"');
    await at.program.run(["users", "deny", "bob", "--config", at.file]);
    assertEquals(await lines.next(), null);
    const revoke = await at.server.event("revoke");
    assertEquals([revoke.user, revoke.reason], ["bob", "user-denied"]);
    const close = await at.server.event("close");
    assertEquals([close.session, close.user, close.reason], [revoke.session, "bob", "revoked"]);
  },
);

Deno.test(
  "a change by an administrator is in force at once, one by a user is refused (needs root)",
  options,
  async () => {
    await using at = await fixture(
      USERS.replace("admin: false", "admin: true") +
        "  - { name: carol, uid: 580, local_ipc_access: true }\n",
    );
    const carol = await at.connect(580, "", "-c", "allow alice");
    assertEquals(carol.code, 77);
    assertEquals((await at.connect(578)).code, 77);
    const bob = await at.connect(
      579,
      "set aaa authentication users user alice local_ipc_access true\n",
    );
    assertEquals([bob.code, bob.stderr], [0, ""]);
    assertEquals((await at.connect(578)).code, 0);
    // The spacing of the file is unchanged.
    assertStringIncludes(await Deno.readTextFile(at.file), "{ name: bob,   uid: 579,");
  },
);

Deno.test(
  "a change that would refuse an open session ends it within a second (needs root)",
  options,
  async () => {
    await using at = await fixture();
    // One session that has sent data, and one that has not: the two planes hold one each.
    for (const words of ['{"jsonrpc":"2.0","id":1,"method":"sessions.list"}', ""]) {
      // It reads to the end, which comes when the session is revoked.
      const child = at.program.command(["python3", "-c", LISTENER, at.socket, words], { uid: 579 })
        .spawn();
      const seen = at.server.log.length;
      await at.server.event("allow", (event) => at.server.log.indexOf(event) >= seen);
      const before = performance.now();
      assertEquals((await at.program.run(["users", "deny", "bob", "--config", at.file])).code, 0);
      const revoke = await at.server.event(
        "revoke",
        (event) => at.server.log.indexOf(event) >= seen,
      );
      assertEquals(revoke.reason, "user-denied");
      const close = await at.server.event("close", (event) => at.server.log.indexOf(event) >= seen);
      assertEquals(close.reason, "revoked");
      assertEquals(performance.now() - before < 2000, true);
      const { code, stdout } = await child.output();
      assertEquals(code, 0);
      assertStringIncludes(new TextDecoder().decode(stdout), "welcome");
      assertEquals((await at.program.run(["users", "allow", "bob", "--config", at.file])).code, 0);
    }
  },
);

Deno.test(
  "a plain client reads the greeting, and a denied one end-of-file without a byte (needs root)",
  options,
  async () => {
    await using at = await fixture();
    const read = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.settimeout(10)
try: s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"stats"}\\n' * 100)
except BrokenPipeError: pass
data = b""
while not data.endswith(b"\\n"):
    part = s.recv(65536)
    if not part: break
    data += part
sys.stdout.buffer.write(data)
`;
    const run = (uid: number) => at.program.execute(["python3", "-c", read, at.socket], { uid });
    for (let round = 0; round < 20; round++) {
      // Unread bytes would turn the end-of-file into a reset, and Python would raise an error.
      assertEquals(await run(578), { code: 0, stdout: "", stderr: "" });
    }
    const bob = await run(579);
    assertEquals(bob.code, 0);
    const { method, params } = JSON.parse(bob.stdout.split("\n")[0]!);
    assertEquals(method, "welcome");
    assertEquals([params.server, params.user, params.admin, params.trusted, params.from], [
      "ipcauth",
      "bob",
      false,
      false,
      "127.0.0.1",
    ]);
  },
);

Deno.test(
  "each decision is one line of the log, with peer, listener and reason (needs root)",
  options,
  async () => {
    await using at = await fixture();
    await at.connect(578);
    await at.connect(579, "", "-c", "who");
    const close = await at.server.event("close");
    const deny = await at.server.event("deny");
    const allow = await at.server.event("allow");
    const peer = (event: Record<string, unknown>) => event.peer as Record<string, unknown>;
    assertEquals([deny.user, deny.reason, peer(deny).uid, peer(deny).gid], [
      "alice",
      "user-denied",
      578,
      578,
    ]);
    assertEquals([allow.user, allow.reason, peer(allow).uid], ["bob", "user", 579]);
    assertEquals(allow.listener, `unix:${at.socket}`);
    assertEquals(allow.session, close.session);
    assertMatch(String(peer(deny).exe), /deno$/);
    assertEquals(typeof close.duration_ms, "number");
    assertEquals((close.bytes_in as number) > 0 && (close.bytes_out as number) > 100, true);
    assertMatch(String(close.time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  },
);

/** Connects. @returns The connection, and whether a greeting came. */
async function dial(path: string): Promise<{ connection: Deno.UnixConn; in: boolean }> {
  const connection = await Deno.connect({ transport: "unix", path });
  return { connection, in: await connection.read(new Uint8Array(4096)) !== null };
}

Deno.test(
  "at a limit a connection is refused until another one has closed (needs root)",
  options,
  async () => {
    await using at = await fixture("limits: { max_connections: 4, max_connections_per_user: 2 }\n");
    const inside = [await dial(at.socket), await dial(at.socket)];
    assertEquals(inside.map((one) => one.in), [true, true]);
    const third = await dial(at.socket);
    assertEquals(third.in, false);
    assertEquals((await at.server.event("deny")).reason, "over-limit");
    inside[0]!.connection.close();
    await at.server.event("close");
    const again = await dial(at.socket);
    assertEquals(again.in, true);
    for (const { connection } of [inside[1]!, third, again]) connection.close();
  },
);

Deno.test(
  "an idle session is closed, whether it has ever sent data or not (needs root)",
  options,
  async () => {
    await using at = await fixture("limits: { idle_timeout: 200ms }\n");
    const silent = await dial(at.socket);
    const once = await dial(at.socket);
    await once.connection.write(
      new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"method":"stats"}\n'),
    );
    assertEquals(await silent.connection.read(new Uint8Array(10)), null);
    while (await once.connection.read(new Uint8Array(4096)) !== null);
    const closes = await at.server.events("close", 2);
    assertEquals(closes.map(({ reason }) => reason), ["idle", "idle"]);
    silent.connection.close();
    once.connection.close();
  },
);

Deno.test(
  "SIGHUP is answered with a line of the log, changed or not (needs root)",
  options,
  async () => {
    await using at = await fixture();
    at.server.child.kill("SIGHUP");
    assertEquals((await at.server.event("reload")).reason, "unchanged");
    await Deno.writeTextFile(at.file, "users: []\n");
    at.server.child.kill("SIGHUP");
    await at.server.event("reload", ({ reason }) => reason === "changed");
  },
);

Deno.test(
  "an administrator can close the session of another user (needs root)",
  options,
  async () => {
    await using at = await fixture();
    const one = await dial(at.socket);
    const { session } = await at.server.event("allow");
    assertEquals((await at.connect(0, "", "-c", `close session ${session}`)).code, 0);
    assertEquals(await one.connection.read(new Uint8Array(10)), null);
    assertEquals(
      (await at.server.event("close", (event) => event.session === session)).reason,
      "closed",
    );
    assertEquals((await at.connect(579, "", "-c", "close session 1")).code, 77);
    one.connection.close();
  },
);
