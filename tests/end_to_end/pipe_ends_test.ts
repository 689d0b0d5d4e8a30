/** `connect --pipe` loses nothing and ends, whichever side ends first and however it does. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createServer, Socket } from "node:net";
import { Buffer } from "node:buffer";
import { Backend, forwardServer, writeAll } from "../support/backend.ts";
import { ExecServer } from "../support/exec_server.ts";
import { Program } from "../support/program.ts";

/** Bytes that differ from place to place. */
function bytes(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, at) => (at >>> 12) ^ at);
}

async function all(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** A socket with a program that answers without reading, and ends. */
function answering(): Promise<ExecServer> {
  return ExecServer.open({ hi: { script: "exec echo hi", tcp: true } });
}

/** The flags that lead to it. */
function ways({ program, ports }: ExecServer): [string, string[]][] {
  const tcp = [`--tcp=127.0.0.1:${ports.hi}`, `--key=${program.path("bob.key")}`];
  return [["Unix", [`--unix=${program.path("hi.sock")}`]], ["TCP", tcp]];
}

Deno.test("the answer of a program that does not read its input arrives, each time", async (test) => {
  await using fixture = await answering();
  const { program } = fixture;
  for (const [name, flags] of ways(fixture)) {
    await test.step(name, async () => {
      for (let round = 0; round < 20; round++) {
        // One line is in flight when the program ends, a megabyte is being sent.
        const input = round % 2 === 0 ? "x\n" : "x".repeat(1_000_000);
        const outcome = await program.run(["connect", ...flags, "--pipe"], { input });
        assertEquals(outcome, { code: 0, stdout: "hi\n", stderr: "" }, `round ${round}`);
      }
    });
  }
});

Deno.test("a slow reader gets every byte that came before a reset", async (test) => {
  const data = bytes(1_000_000);
  await test.step("Unix: the server closes and leaves input unread", async () => {
    await using program = await Program.install();
    using backend = new Backend(
      program.path("ipc.sock"),
      (connection) => writeAll(connection, data),
    );
    const line = ["ipcauth", "connect", `--unix=${backend.path}`, "--pipe"];
    const child = program.command(line, { input: "" }).spawn();
    await child.stdin.getWriter().write(new TextEncoder().encode("unread\n"));
    const received: Uint8Array[] = [];
    for await (const chunk of child.stdout) {
      received.push(chunk);
      // Slower than the server, which resets the connection while the buffers are full.
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assertEquals(Buffer.compare(Buffer.concat(received), data), 0);
    assertEquals(new TextDecoder().decode(await all(child.stderr)), "");
    assertEquals((await child.status).code, 0);
  });
  await test.step("TCP: the connection is reset on its way", async () => {
    await using fixture = await forwardServer();
    const { program, port, server } = fixture;
    const stopped = Promise.withResolvers<void>();
    // Less than the window of a new connection, so the kernel has received it before the reset.
    const sent = data.subarray(0, 50_000);
    using _backend = new Backend(program.path("backend.sock"), async (connection) => {
      await stopped.promise;
      await writeAll(connection, sent);
      await connection.read(new Uint8Array(1));
    });
    await using proxy = await ResettingProxy.open(port, sent.length);
    const address = `127.0.0.1:${proxy.port}`;
    const line = ["ipcauth", "connect", `--tcp=${address}`, `--key=${program.path("bob.key")}`];
    const child = program.command([...line, "--pipe"], { input: "" }).spawn();
    await server.event("allow");
    child.kill("SIGSTOP");
    stopped.resolve();
    await proxy.reset;
    child.kill("SIGCONT");
    assertEquals(Buffer.compare(await all(child.stdout), sent), 0);
    const stderr = new TextDecoder().decode(await all(child.stderr));
    assertEquals(stderr, "ipcauth: error: The stream is incomplete: the connection was cut\n");
    assertEquals((await child.status).code, 65);
    await child.stdin.close().catch(() => {});
  });
});

/** Passes bytes on, and resets the client's connection after at least so many bytes for it. */
class ResettingProxy implements AsyncDisposable {
  readonly port: number;
  /** The connection was reset. */
  readonly reset: Promise<void>;
  readonly #server;

  private constructor(server: ReturnType<typeof createServer>, reset: Promise<void>) {
    this.#server = server;
    this.reset = reset;
    this.port = (server.address() as { port: number }).port;
  }

  static async open(to: number, limit: number): Promise<ResettingProxy> {
    const reset = Promise.withResolvers<void>();
    const server = createServer((client) => {
      const backend = new Socket();
      client.on("error", () => {}).pipe(backend);
      let left = limit;
      backend.on("error", () => {}).on("data", (chunk) => {
        left -= chunk.length;
        client.write(chunk, () => {
          if (left > 0) return;
          client.resetAndDestroy();
          backend.destroy();
          reset.resolve();
        });
      }).connect(to, "127.0.0.1");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    return new ResettingProxy(server, reset.promise);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

Deno.test("a service that has ended ends the pipe, and the input is not waited for", async (test) => {
  await using fixture = await answering();
  for (const [name, flags] of ways(fixture)) {
    await test.step(name, async () => {
      const line = ["ipcauth", "connect", ...flags, "--pipe"];
      // Standard input stays open, as a terminal does.
      const child = fixture.program.command(line, { input: "" }).spawn();
      const [output, { code }] = await Promise.all([all(child.stdout), child.status]);
      assertEquals([code, new TextDecoder().decode(output)], [0, "hi\n"]);
      assertEquals(new TextDecoder().decode(await all(child.stderr)), "");
      await child.stdin.close().catch(() => {});
    });
  }
});

Deno.test("what fails on this side is said of this side", async (test) => {
  await using fixture = await answering();
  const { program } = fixture;
  const shell = (script: string) => program.execute(["bash", "-c", script]);
  for (const [name, flags] of ways(fixture)) {
    const connect = `ipcauth connect ${flags.join(" ")} --pipe`;
    await test.step(`${name}: a full device`, async () => {
      const { code, stderr } = await shell(`echo x | ${connect} >/dev/full`);
      assertEquals(code, 71);
      assertMatch(stderr, /^ipcauth: error: Cannot write standard output: no space left[^\n]*\n$/);
    });
    await test.step(`${name}: a reader that has gone`, async () => {
      const script = `echo x | ${connect} | exec 0<&-; echo "\${PIPESTATUS[1]}"`;
      const { stdout, stderr } = await shell(script);
      // 141: what a shell says of a program that SIGPIPE has ended. Nothing is printed.
      assertEquals([stdout, stderr], ["141\n", ""]);
    });
  }
  await test.step("a directory as standard input", async () => {
    await using idle = await ExecServer.open({ idle: { script: "exec sleep 60" } });
    const connect = `ipcauth connect --unix=${idle.program.path("idle.sock")} --pipe`;
    const { code, stderr } = await idle.program.execute(["bash", "-c", `${connect} </`]);
    assertEquals(code, 71);
    assertStringIncludes(stderr, "Cannot read standard input: it is a directory");
  });
});
