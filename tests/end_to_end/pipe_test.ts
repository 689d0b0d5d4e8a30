/** `connect --pipe` carries any bytes in both directions to their end. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Backend, echo, forwardServer, Wiretap, writeAll } from "../support/backend.ts";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { KeyedServer } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

/** A gigabyte of reproducible text, in which no block repeats. */
const GIGABYTE = "seq 1 120000000 | head -c 1073741824";

function pipe(fixture: KeyedServer, port = fixture.port): Deno.ChildProcess {
  const { program } = fixture;
  const key = `--key=${program.path("bob.key")}`;
  const line = ["ipcauth", "connect", `--tcp=127.0.0.1:${port}`, key, "--pipe"];
  return program.command(line, { input: "" }).spawn();
}

async function all(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array>).arrayBuffer());
}

/** Pseudo-random bytes; every value occurs. */
function bytes(length: number): Uint8Array {
  let state = 0x2545f491;
  return Uint8Array.from({ length }, () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state >>> 24;
  });
}

Deno.test("a gigabyte comes back through the pipe unchanged", async () => {
  await using fixture = await forwardServer();
  using _backend = new Backend(fixture.program.path("backend.sock"), echo);
  const { program, address } = fixture;
  const connect = `ipcauth connect --tcp=${address} --key=${program.path("bob.key")} --pipe`;
  const { code, stdout, stderr } = await program.execute([
    "bash",
    "-c",
    `set -o pipefail; ${GIGABYTE} | sha256sum; ${GIGABYTE} | ${connect} | sha256sum`,
  ]);
  // seq ends by SIGPIPE, which pipefail reports as a failure: only the two sums are compared.
  const [sent, received] = stdout.trim().split("\n");
  assertEquals([received, stderr], [sent, ""], `code ${code}`);
  assertMatch(sent!, /^[0-9a-f]{64} /);
  const close = await fixture.server.event("close");
  assertEquals([close.reason, close.bytes_in, close.bytes_out], ["end", 1 << 30, 1 << 30]);
});

/** Reads to the end of a connection. @returns The SHA-256 of all bytes. */
async function sumOf(connection: Deno.Conn): Promise<string> {
  const hash = createHash("sha256");
  const buffer = new Uint8Array(64 * 1024);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return hash.digest("hex");
    hash.update(buffer.subarray(0, count));
  }
}

Deno.test("the end of the client's data reaches the backend, which then answers", async () => {
  await using fixture = await forwardServer();
  using _backend = new Backend(fixture.program.path("backend.sock"), async (connection) => {
    await writeAll(connection, new TextEncoder().encode(await sumOf(connection)));
  });
  const data = bytes(1_000_000);
  const child = pipe(fixture);
  const output = child.output();
  await send(child, data);
  const { code, stdout } = await output;
  assertEquals(code, 0);
  assertEquals(new TextDecoder().decode(stdout), createHash("sha256").update(data).digest("hex"));
});

Deno.test("the end of the backend's data reaches the client, which goes on sending", async () => {
  await using fixture = await forwardServer();
  const received = Promise.withResolvers<string>();
  using _backend = new Backend(fixture.program.path("backend.sock"), async (connection) => {
    await writeAll(connection, new TextEncoder().encode("all there is"));
    await connection.closeWrite();
    received.resolve(await sumOf(connection));
  });
  const data = bytes(1_000_000);
  const child = pipe(fixture);
  const output = new TextDecoder().decode(await all(child.stdout));
  await send(child, data);
  assertEquals(output, "all there is");
  assertEquals(await received.promise, createHash("sha256").update(data).digest("hex"));
  assertEquals((await child.status).code, 0);
  await child.stderr.cancel();
});

Deno.test("a slow reader holds the sender back, and loses nothing", async () => {
  await using fixture = await forwardServer();
  const total = 256 << 20;
  let sent = 0;
  using _backend = new Backend(fixture.program.path("backend.sock"), async (connection) => {
    const chunk = new Uint8Array(1 << 20);
    for (; sent < total; sent += chunk.length) {
      chunk.fill(sent >>> 20);
      await writeAll(connection, chunk);
    }
  });
  const child = pipe(fixture);
  const reader = child.stdout.getReader();
  let received = 0;
  let most = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    for (let at = 0; at < value.length; at += 4096) {
      assertEquals(value[at], ((received + at) >>> 20) & 255, `at byte ${received + at}`);
    }
    received += value.length;
    most = Math.max(most, sent - received);
    // Slower than the sender: data that is not held back would pile up in a buffer.
    await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals(received, total);
  assert(most < 32 << 20, `${most} bytes were on their way at once`);
  await child.stdin.close();
  assertEquals((await child.status).code, 0);
  await child.stderr.cancel();
});

Deno.test("a truncated stream is an error of the client", async (test) => {
  await test.step("the server is killed", async () => {
    await using fixture = await forwardServer();
    using _backend = new Backend(fixture.program.path("backend.sock"), echo);
    const child = pipe(fixture);
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("hello"));
    const reader = child.stdout.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "hello");
    await fixture.server.stop("SIGKILL");
    assertEquals((await reader.read()).done, true);
    await writer.close().catch(() => {});
    await assertCut(child);
  });
  for (
    const [what, change] of [
      [
        "the connection is closed",
        (chunk: Uint8Array, before: number) => before > 10_000 ? null : chunk,
      ],
      ["a bit is flipped", (chunk: Uint8Array, before: number) => {
        if (before > 10_000) chunk[chunk.length >> 1]! ^= 1;
        return chunk;
      }],
    ] as const
  ) {
    await test.step(what, async () => {
      await using fixture = await forwardServer();
      const data = bytes(10_000_000);
      using _backend = new Backend(
        fixture.program.path("backend.sock"),
        (connection) => writeAll(connection, data),
      );
      using wire = new Wiretap(fixture.port, change);
      const child = pipe(fixture, wire.port);
      const output = await all(child.stdout);
      await child.stdin.close().catch(() => {});
      await assertCut(child);
      // What was received is genuine, and nothing after the change was passed on.
      assert(output.length < data.length);
      assertEquals(Buffer.compare(output, data.subarray(0, output.length)), 0);
    });
  }
});

async function assertCut(child: Deno.ChildProcess): Promise<void> {
  const stderr = new TextDecoder().decode(await all(child.stderr));
  assertMatch(stderr, /^ipcauth: error: [^\n]+\n/);
  assertEquals((await child.status).code, 65, stderr);
}

async function send(child: Deno.ChildProcess, data: Uint8Array): Promise<void> {
  const writer = child.stdin.getWriter();
  await writer.write(data as Uint8Array<ArrayBuffer>);
  await writer.close();
}

Deno.test("no part of a session is sent unencrypted", async () => {
  await using fixture = await forwardServer();
  const secret = "the treasure is under the old oak";
  const answer = "and no one shall ever know of it";
  using _backend = new Backend(fixture.program.path("backend.sock"), async (connection) => {
    await sumOf(connection);
    await writeAll(connection, new TextEncoder().encode(answer.repeat(1_000)));
  });
  using wire = new Wiretap(fixture.port);
  const child = pipe(fixture, wire.port);
  const output = child.output();
  await send(child, new TextEncoder().encode(secret.repeat(1_000)));
  const { code, stdout } = await output;
  assertEquals([code, new TextDecoder().decode(stdout)], [0, answer.repeat(1_000)]);
  const text = wire.text();
  assert(
    text.length > 1_000 * (secret.length + answer.length),
    "the wiretap has not seen everything",
  );
  // Neither the data, nor the user, nor the key: only the preamble with the id of the key.
  const key = (await Deno.readTextFile(fixture.program.path("bob.key"))).trim();
  const raw = String.fromCharCode(...Uint8Array.fromBase64(key, { alphabet: "base64url" }));
  // Three letters alone stand in so many random bytes once in 250 runs.
  for (const part of ["treasure", "shall ever", '"bob"', "user", "client", "forward", key, raw]) {
    assertEquals(text.includes(part), false, part);
  }
  assertStringIncludes(text, "IPCAUTH1");
});

Deno.test("a backend that is not there ends the session, and the log has the reason", async () => {
  await using fixture = await forwardServer();
  const child = pipe(fixture);
  await child.stdin.close();
  await child.output();
  const close = await fixture.server.event("close");
  assertEquals(close.reason, "backend-refused");
});

Deno.test({
  name: "on a Unix socket a denied client fails with an error, whatever it sends (needs root)",
  ignore: !isRoot,
  async fn(test) {
    await using program = await Program.install();
    const backend = program.path("backend.sock");
    const path = program.path("ipc.sock");
    const config = await program.write(
      "config.yaml",
      `users:
  - { name: alice, uid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, local_ipc_access: true }
`,
    );
    await using _server = await program.serve([
      `--unix=${path}`,
      "--forward",
      `unix:${backend}`,
      "--config",
      config,
    ]);
    using _backend = new Backend(backend, async (connection) => {
      const sum = await sumOf(connection);
      // One request gets no answer.
      if (sum !== createHash("sha256").update("quiet").digest("hex")) {
        await writeAll(connection, new TextEncoder().encode(sum));
      }
    });
    const pipe = (uid: number, input: string) =>
      program.run(["connect", `--unix=${path}`, "--pipe"], { uid, input });
    await test.step("bob", async () => {
      const { code, stdout } = await pipe(579, "hello");
      assertEquals([code, stdout], [0, createHash("sha256").update("hello").digest("hex")]);
      assertEquals(await pipe(579, "quiet"), { code: 0, stdout: "", stderr: "" });
    });
    await test.step("alice, with 1 MB, five bytes, and no input", async () => {
      for (const input of ["x".repeat(1_000_000), "hello", ""]) {
        const { code, stdout, stderr } = await pipe(578, input);
        assertEquals([code, stdout], [77, ""]);
        assertStringIncludes(stderr, `Failed to connect to server: ${path} refuses uid 578`);
      }
    });
  },
});
