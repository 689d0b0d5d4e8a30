/** `identity: impersonate`: a backend sees the uid, gid and groups of the peer. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Forwarder } from "../support/forwarder.ts";
import { isRoot, Lines, Program } from "../support/program.ts";

const options = { ignore: !isRoot };

/** A backend that knows nothing of ipcauth: it sends what the kernel reports of its peer. */
const PEER_REPORTER = `
import os, socket, struct, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
listener.listen(64)
print("ready", flush=True)
while True:
    peer, _ = listener.accept()
    pid, uid, gid = struct.unpack("iII", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    try:
        packed = peer.getsockopt(socket.SOL_SOCKET, 59, 4 * 64)
    except OSError:
        packed = b""
    groups = sorted(struct.unpack("%dI" % (len(packed) // 4), packed))
    peer.sendall(("%d %d %s" % (uid, gid, groups)).encode())
    peer.close()
`;

/** Starts the backend, and waits until it listens. */
async function startBackend(program: Program): Promise<AsyncDisposable> {
  const argv = ["python3", "-c", PEER_REPORTER, program.path("backend.sock")];
  const backend = program.command(argv).spawn();
  const lines = new Lines(backend.stdout);
  await lines.next();
  return {
    [Symbol.asyncDispose]: async () => {
      await lines.cancel();
      backend.kill();
      await backend.status;
      await backend.stderr.cancel();
    },
  };
}

Deno.test(
  "impersonate: the backend's SO_PEERCRED names the peer, over TCP too (needs root)",
  options,
  async (test) => {
    await using program = await Program.install({ privateSystem: true });
    await using _backend = await startBackend(program);
    await using forwarder = await Forwarder.open("impersonate", program);
    await test.step("uid, gid and groups of a Unix peer", async () => {
      assertEquals(await forwarder.local(579, [2000, 2001], 1234), "579 1234 [2000, 2001]");
      assertEquals(await forwarder.local(580), "580 580 []");
      assertMatch(await forwarder.local(0, [], 0), /^0 0 /);
    });
    await test.step("the user of a key", async () => {
      assertMatch(await forwarder.keyed("bob.key"), /^579 579 /);
      assertMatch(await forwarder.keyed("root.key"), /^0 0 /);
      assertMatch(await forwarder.keyed("root.key", "--user", "bob"), /^579 579 /);
    });
    await test.step("a user whose gid is unknown is not forwarded", async () => {
      assertEquals(await forwarder.keyed("carol.key"), "");
      const close = await forwarder.server.event("close", ({ user }) => user === "carol");
      assertEquals(close.user, "carol");
    });
    await test.step("a denied peer is not forwarded", async () => {
      assertEquals(await forwarder.local(578), "");
    });
    await test.step("a socket that the peer may not open is not opened", async () => {
      await Deno.chmod(program.path("backend.sock"), 0o600);
      assertEquals(await forwarder.local(579), "");
      assertMatch(await forwarder.local(0, [], 0), /^0 0 /);
    });
    await test.step("the server itself is root, in every thread", async () => {
      const { stdout } = await program.execute([
        "sh",
        "-c",
        `cat /proc/${forwarder.server.pid}/task/*/status | grep ^Uid: | sort -u`,
      ]);
      assertMatch(stdout, /^Uid:\s+0\s+0\s+0\s+0\n$/);
    });
  },
);

Deno.test(
  "impersonate: concurrent connections each have their own identity (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    await using _backend = await startBackend(program);
    await using forwarder = await Forwarder.open("impersonate", program);
    const uids = Array.from({ length: 24 }, (_, number) => [579, 580, 0][number % 3]!);
    const answers = await Promise.all(uids.map((uid) => forwarder.local(uid)));
    assertEquals(answers.map((answer) => Number(answer.split(" ")[0])), uids);
  },
);

Deno.test(
  "impersonate is refused at the start where the server is not root (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    await Deno.chmod(program.directory, 0o777);
    const { code, stderr } = await program.run(
      [
        "serve",
        `--unix=${program.path("x.sock")}`,
        "--forward=unix:/run/x.sock",
        "--identity=impersonate",
      ],
      { uid: 579 },
    );
    assertEquals(code, 78, stderr);
    assertStringIncludes(stderr, "impersonate needs a server that is root");
    const tcp = ["serve", "--unix", "--forward=tcp:127.0.0.1:1", "--identity=impersonate"];
    assertEquals((await program.run(tcp)).code, 64);
  },
);
