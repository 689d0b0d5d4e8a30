/** What a backend learns of the peer that is forwarded to it (`identity` of a forward service). */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Backend, writeAll } from "../support/backend.ts";
import { drain, freePort, readKey, writeKey } from "../support/keys.ts";
import { isRoot, Lines, Program } from "../support/program.ts";
import { keyId } from "../../lib/keys/key_id.ts";

const options = { ignore: !isRoot };
const USERS = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, local_ipc_access: true }
`;

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

/** A forward service for one backend, on a Unix socket and on TCP. */
class Forwarder implements AsyncDisposable {
  static async open(identity: string, program: Program) {
    const [unix, port] = [program.path("ipc.sock"), freePort()];
    const backend = program.path("backend.sock");
    const [bob, carol, root] = [
      await writeKey(program, "bob.key"),
      await writeKey(program, "carol.key"),
      await writeKey(program, "root.key"),
    ];
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${unix}, service: { forward: "unix:${backend}", identity: ${identity} } }
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${bob}, user: bob }, { file: ${carol}, user: carol }, { file: ${root} }]
    service: { forward: "unix:${backend}", identity: ${identity} }
${USERS}`,
    );
    const server = await program.serve(["--config", config]);
    return new Forwarder(program, server, unix, port);
  }

  constructor(
    readonly program: Program,
    readonly server: Awaited<ReturnType<Program["serve"]>>,
    readonly unix: string,
    readonly port: number,
  ) {}

  /** What a client on the Unix socket receives. */
  async local(uid: number, groups: number[] = [], gid = uid): Promise<string> {
    const { stdout } = await this.program.execute(
      ["socat", "-u", `UNIX:${this.unix}`, "-"],
      { uid, gid, groups },
    );
    return stdout;
  }

  /** What a client with a key receives. */
  async keyed(key: string, ...flags: string[]): Promise<string> {
    const path = `--key=${this.program.path(key)}`;
    const args = ["connect", `--tcp=127.0.0.1:${this.port}`, path, ...flags, "--pipe"];
    return (await this.program.run(args, { input: "" })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}

Deno.test(
  "impersonate: the backend's SO_PEERCRED names the peer, over TCP too (needs root)",
  options,
  async (test) => {
    await using program = await Program.install({ privateSystem: true });
    const backend = program.command(["python3", "-c", PEER_REPORTER, program.path("backend.sock")])
      .spawn();
    try {
      const lines = new Lines(backend.stdout);
      await lines.next();
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
      await lines.cancel();
    } finally {
      backend.kill();
      await backend.status;
      await backend.stderr.cancel();
    }
  },
);

Deno.test(
  "impersonate: concurrent connections each have their own identity (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    const backend = program.command(["python3", "-c", PEER_REPORTER, program.path("backend.sock")])
      .spawn();
    try {
      const lines = new Lines(backend.stdout);
      await lines.next();
      await using forwarder = await Forwarder.open("impersonate", program);
      const uids = Array.from({ length: 24 }, (_, number) => [579, 580, 0][number % 3]!);
      const answers = await Promise.all(uids.map((uid) => forwarder.local(uid)));
      assertEquals(answers.map((answer) => Number(answer.split(" ")[0])), uids);
      await lines.cancel();
    } finally {
      backend.kill();
      await backend.status;
      await backend.stderr.cancel();
    }
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

/** Reads a PROXY v2 header without code of ipcauth. */
function parse(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  assertEquals(bytes.subarray(0, 12).toHex(), "0d0a0d0a000d0a515549540a");
  const end = 16 + view.getUint16(14);
  const values: Record<string, string> = {};
  for (let at = 28; at < end;) {
    const length = view.getUint16(at + 1);
    const text = new TextDecoder().decode(bytes.subarray(at + 3, at + 3 + length));
    values[bytes[at]!.toString(16)] = text;
    at += 3 + length;
  }
  return {
    command: bytes[12],
    family: bytes[13],
    source: `${bytes.subarray(16, 20).join(".")}:${view.getUint16(24)}`,
    destination: `${bytes.subarray(20, 24).join(".")}:${view.getUint16(26)}`,
    values,
    rest: new TextDecoder().decode(bytes.subarray(end)),
  };
}

Deno.test(
  "proxy-v2: a header with the identity comes before the peer's first byte (needs root)",
  options,
  async (test) => {
    await using program = await Program.install();
    const headers: Uint8Array[] = [];
    using _backend = new Backend(program.path("backend.sock"), async (connection) => {
      headers.push((await drain(connection)).bytes);
      await writeAll(connection, new TextEncoder().encode("thanks"));
    });
    await Deno.chmod(program.path("backend.sock"), 0o666);
    await using forwarder = await Forwarder.open("proxy-v2", program);
    await test.step("on a Unix socket", async () => {
      const { stdout } = await program.execute(
        ["socat", "-t5", "-", `UNIX:${forwarder.unix}`],
        { uid: 579, gid: 1234, input: "hello" },
      );
      assertEquals(stdout, "thanks");
      const { values, ...header } = parse(headers.pop()!);
      const allow = await forwarder.server.event("allow");
      const { pid } = allow.peer as { pid: number };
      assertEquals(values, { e0: "bob", e1: "579", e2: "1234", e3: String(pid) });
      assertEquals(header, {
        command: 0x21,
        family: 0x11,
        source: "127.0.0.1:0",
        destination: "127.0.0.1:0",
        rest: "hello",
      });
    });
    await test.step("over TCP", async () => {
      assertEquals(await forwarder.keyed("bob.key"), "thanks");
      const { values, source, destination } = parse(headers.pop()!);
      const id = keyId(readKey(program.path("bob.key")));
      assertEquals(values, { e0: "bob", e1: "579", e2: "579", e4: id });
      const allow = await forwarder.server.event("allow", ({ key }) => key === id);
      assertEquals([source, destination], [allow.remote, `127.0.0.1:${forwarder.port}`]);
    });
  },
);

const haproxy = new Deno.Command("sh", { args: ["-c", "command -v haproxy"], stdout: "null" })
  .outputSync().success;

Deno.test("proxy-v2: HAProxy accepts the header (needs root and haproxy)", {
  ignore: !isRoot || !haproxy,
}, async () => {
  await using program = await Program.install();
  const config = await program.write(
    "haproxy.cfg",
    `defaults
  mode http
  timeout client 20s
frontend front
  bind unix@${program.path("backend.sock")} mode 666 accept-proxy
  http-request return status 200 content-type text/plain lf-string "from %[src]"
`,
  );
  const proxy = program.command(["haproxy", "-db", "-f", config]).spawn();
  try {
    const lines = new Lines(proxy.stderr);
    await using forwarder = await Forwarder.open("proxy-v2", program);
    // HAProxy reports nothing when it is ready, so curl retries until it answers.
    const { stdout } = await program.execute([
      ...["curl", "-sS", "--retry", "50", "--retry-delay", "0", "--retry-all-errors"],
      ...["--retry-max-time", "20", "--unix-socket", forwarder.unix, "http://any/"],
    ]);
    assertEquals(stdout, "from 127.0.0.1");
    await lines.cancel();
  } finally {
    proxy.kill();
    await proxy.status;
    await proxy.stdout.cancel();
  }
});

const nginx = new Deno.Command("sh", { args: ["-c", "command -v nginx"], stdout: "null" })
  .outputSync().success;

Deno.test(
  "proxy-v2: nginx accepts the header, on Unix and TCP (needs root and nginx)",
  {
    ignore: !isRoot || !nginx,
  },
  async () => {
    await using program = await Program.install();
    const config = await program.write(
      "nginx.conf",
      `daemon off; master_process off; pid ${program.path("nginx.pid")}; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${program.path("body")}; proxy_temp_path ${program.path("proxy")};
  fastcgi_temp_path ${program.path("fastcgi")}; uwsgi_temp_path ${program.path("uwsgi")};
  scgi_temp_path ${program.path("scgi")};
  server {
    listen unix:${program.path("backend.sock")} proxy_protocol;
    return 200 "from $proxy_protocol_addr to $proxy_protocol_server_port";
  }
}
`,
    );
    const proxy = program.command(["nginx", "-c", config]).spawn();
    try {
      await using forwarder = await Forwarder.open("proxy-v2", program);
      const ask = async (path: string) =>
        (await program.execute([
          ...["curl", "-sS", "--retry", "50", "--retry-delay", "0", "--retry-all-errors"],
          ...["--retry-max-time", "20", "--unix-socket", path, "http://any/"],
        ])).stdout;
      // nginx reports nothing when it is ready, so curl retries until it answers.
      assertEquals(await ask(forwarder.unix), "from 127.0.0.1 to ");
      const tunnel = program.path("tunnel.sock");
      const where = [`--tcp=127.0.0.1:${forwarder.port}`, `--key=${program.path("bob.key")}`];
      const client = program.command(["ipcauth", "connect", ...where, "--listen", `unix:${tunnel}`])
        .spawn();
      try {
        assertEquals(await ask(tunnel), `from 127.0.0.1 to ${forwarder.port}`);
      } finally {
        client.kill();
        await client.status;
        await client.stdout.cancel();
        await client.stderr.cancel();
      }
    } finally {
      proxy.kill();
      await proxy.status;
      await proxy.stdout.cancel();
      await proxy.stderr.cancel();
    }
  },
);
