/** `identity: proxy-v2`: a backend gets the identity in a PROXY protocol v2 header. */
import { assertEquals } from "@std/assert";
import { keyId } from "../../lib/keys/key_id.ts";
import { Backend, writeAll } from "../support/backend.ts";
import { drain } from "../support/connections.ts";
import { Forwarder } from "../support/forwarder.ts";
import { readKey } from "../support/keys.ts";
import { isRoot, Lines, Program } from "../support/program.ts";

const options = { ignore: !isRoot };

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
