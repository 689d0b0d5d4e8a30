/** Access over a Unix socket: the real program and real uids. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { openConnection, openConsole, USERS } from "../support/console_server.ts";
import { isRoot, Program } from "../support/program.ts";
import { requireWithin } from "../support/quickly.ts";

const options = { ignore: !isRoot };

/** Connects, sends a line if there is one, and reads to the end. */
const CLIENT = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
if sys.argv[2]: s.sendall(sys.argv[2].encode() + b"\\n")
while True:
    part = s.recv(65536)
    if not part: break
    sys.stdout.write(part.decode())
`;

Deno.test(
  "a changed local_ipc_access decides the next connection (needs root)",
  options,
  async () => {
    await using fixture = await openConsole();
    const users = (...args: string[]) =>
      fixture.program.run(["users", ...args, "--config", fixture.file]);

    const alice = await fixture.connect(578);
    assertEquals(alice.code, 77);
    assertMatch(alice.stderr, /^Failed to connect to server: /);
    assertEquals(alice.stdout, "");

    const bob = await fixture.connect(
      579,
      "show running-config aaa authentication users user alice\n",
    );
    assertEquals(bob.code, 0);
    assertMatch(bob.stderr, /^bob connected from 127\.0\.0\.1 using console on \S+\n/);
    assertStringIncludes(
      bob.stdout,
      "aaa authentication users user alice\n uid 578\n gid 578\n local_ipc_access false\n",
    );

    assertEquals((await users("allow", "alice")).code, 0);
    assertEquals((await users("deny", "bob")).code, 0);
    assertStringIncludes((await fixture.connect(578)).stderr, "alice connected from 127.0.0.1");
    assertEquals((await fixture.connect(579)).code, 77);
  },
);

Deno.test(
  "root and the server's own user are always allowed, whatever is listed (needs root)",
  options,
  async () => {
    await using fixture = await openConsole(
      "users: [{ name: root, uid: 0, local_ipc_access: false }]\n",
    );
    assertStringIncludes((await fixture.connect(0)).stderr, "root connected from");
    const own = fixture.program.path("own");
    await Deno.mkdir(own);
    await Deno.chown(own, 600, 600);
    const path = `${own}/ipc.sock`;
    await using server = await fixture.program.serve([`--unix=${path}`], { uid: 600 });
    const connect = (uid: number) =>
      fixture.program.run(["connect", `--unix=${path}`, "--server-user", "600"], {
        uid,
        input: "",
      });
    assertEquals((await connect(600)).code, 0);
    assertEquals((await connect(0)).code, 0);
    assertEquals((await connect(579)).code, 77);
    assertEquals((await server.event("allow")).reason, "server-user");
    assertEquals((await server.event("deny")).reason, "unknown-uid");
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
  "a change by an administrator is in force at once, one by a user is refused (needs root)",
  options,
  async () => {
    await using fixture = await openConsole(
      USERS.replace("admin: false", "admin: true") +
        "  - { name: carol, uid: 580, local_ipc_access: true }\n",
    );
    const carol = await fixture.connect(580, "", "-c", "allow alice");
    assertEquals(carol.code, 77);
    assertEquals((await fixture.connect(578)).code, 77);
    const bob = await fixture.connect(
      579,
      "set aaa authentication users user alice local_ipc_access true\n",
    );
    assertEquals([bob.code, bob.stderr.split(" ")[0]], [0, "bob"]);
    assertEquals((await fixture.connect(578)).code, 0);
    // The spacing of the file is unchanged.
    assertStringIncludes(await Deno.readTextFile(fixture.file), "{ name: bob,   uid: 579,");
  },
);

Deno.test(
  "a change that would refuse an open session ends it within a second (needs root)",
  options,
  async () => {
    await using fixture = await openConsole();
    // One session that has sent data, and one that has not.
    let sessions = 0;
    for (const request of ['{"jsonrpc":"2.0","id":1,"method":"sessions.list"}', ""]) {
      // Another second is for the processes of the test.
      await requireWithin(2_000, async () => {
        // It reads to the end, which comes when the session is revoked.
        const child = fixture.program.command(["python3", "-c", CLIENT, fixture.socket, request], {
          uid: 579,
        })
          .spawn();
        const of = async (kind: string) =>
          (await fixture.server.events(kind, sessions))[sessions - 1]!;
        sessions++;
        await of("allow");
        const before = performance.now();
        assertEquals(
          (await fixture.program.run(["users", "deny", "bob", "--config", fixture.file])).code,
          0,
        );
        assertEquals((await of("revoke")).reason, "user-denied");
        assertEquals((await of("close")).reason, "revoked");
        const took = performance.now() - before;
        const { code, stdout } = await child.output();
        assertEquals(code, 0);
        assertStringIncludes(new TextDecoder().decode(stdout), "welcome");
        assertEquals(
          (await fixture.program.run(["users", "allow", "bob", "--config", fixture.file])).code,
          0,
        );
        return took;
      });
    }
  },
);

Deno.test(
  "a plain client reads the greeting, and a denied one end-of-file without a byte (needs root)",
  options,
  async () => {
    await using fixture = await openConsole();
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
    const run = (uid: number) =>
      fixture.program.execute(["python3", "-c", read, fixture.socket], { uid });
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
    await using fixture = await openConsole();
    await fixture.connect(578);
    await fixture.connect(579, "", "-c", "who");
    const close = await fixture.server.event("close");
    const deny = await fixture.server.event("deny");
    const allow = await fixture.server.event("allow");
    const peer = (event: Record<string, unknown>) => event.peer as Record<string, unknown>;
    assertEquals([deny.user, deny.reason, peer(deny).uid, peer(deny).gid], [
      "alice",
      "user-denied",
      578,
      578,
    ]);
    assertEquals([allow.user, allow.reason, peer(allow).uid], ["bob", "user", 579]);
    assertEquals(allow.listener, `unix:${fixture.socket}`);
    assertEquals(allow.session, close.session);
    assertMatch(String(peer(deny).exe), /(deno|ipcauth)$/);
    assertEquals(typeof close.duration_ms, "number");
    assertEquals((close.bytes_in as number) > 0 && (close.bytes_out as number) > 100, true);
    assertMatch(String(close.time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  },
);

Deno.test(
  "SIGHUP is answered with a line of the log, changed or not (needs root)",
  options,
  async () => {
    await using fixture = await openConsole();
    fixture.server.child.kill("SIGHUP");
    assertEquals((await fixture.server.event("reload")).reason, "unchanged");
    await Deno.writeTextFile(fixture.file, "users: []\n");
    fixture.server.child.kill("SIGHUP");
    await fixture.server.event("reload", ({ reason }) => reason === "changed");
  },
);

Deno.test(
  "an administrator can close the session of another user (needs root)",
  options,
  async () => {
    await using fixture = await openConsole();
    const one = await openConnection(fixture.socket);
    const { session } = await fixture.server.event("allow");
    assertEquals((await fixture.connect(0, "", "-c", `close session ${session}`)).code, 0);
    assertEquals(await one.connection.read(new Uint8Array(10)), null);
    assertEquals(
      (await fixture.server.event("close", (event) => event.session === session)).reason,
      "closed",
    );
    assertEquals((await fixture.connect(579, "", "-c", "close session 1")).code, 77);
    one.connection.close();
  },
);
