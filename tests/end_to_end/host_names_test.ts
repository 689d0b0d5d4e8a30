/** Backends and servers that are named: their addresses may come late, change, and be several. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { echo, RunningTunnel, writeAll } from "../support/backend.ts";
import { numericAddress } from "../../lib/libc/inet_address.ts";
import { drain } from "../support/connections.ts";
import { DeadListener } from "../support/dead_listener.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { hasPrivateSystem } from "../support/private_system.ts";
import { Program } from "../support/program.ts";

const options = { ignore: !hasPrivateSystem };

/** A program on a machine whose hosts file is the test's own. */
class Hosts implements AsyncDisposable {
  readonly program: Program;
  readonly #listeners: Deno.Listener[] = [];

  private constructor(program: Program) {
    this.program = program;
  }

  static async open(...lines: string[]): Promise<Hosts> {
    const program = await Program.install({ privateSystem: true });
    const names = "passwd: files\ngroup: files\nhosts: files\n";
    await Deno.writeTextFile(program.path("system", "nsswitch.conf"), names);
    const hosts = new Hosts(program);
    await hosts.set(...lines);
    return hosts;
  }

  /** Writes the hosts file, in place: it is mounted. */
  async set(...lines: string[]): Promise<void> {
    const text = ["127.0.0.1 localhost", ...lines].map((line) => `${line}\n`).join("");
    await Deno.writeTextFile(this.program.path("system", "hosts"), text);
  }

  /** A backend that sends back what it gets. */
  listen(hostname: string, port: number): void {
    const listener = Deno.listen({ hostname, port });
    this.#listeners.push(listener);
    (async () => {
      for await (const connection of listener) {
        echo(connection).catch(() => {}).finally(() => connection.close());
      }
    })().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listeners.forEach((listener) => listener.close());
    await this.program.remove();
  }
}

/** Sends a word to a socket. @returns What comes back. */
async function answer(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  await writeAll(connection, new TextEncoder().encode("hello")).catch(() => {});
  await connection.closeWrite().catch(() => {});
  return new TextDecoder().decode((await drain(connection)).bytes);
}

/** Repeats until an answer comes. No event says that the addresses of a host are others. */
async function answered(path: string): Promise<void> {
  while (await answer(path) !== "hello") await new Promise((resolve) => setTimeout(resolve, 50));
}

Deno.test({
  name: "a backend that is unknown at the start is served as soon as it is known (needs root)",
  ...options,
  async fn() {
    await using hosts = await Hosts.open();
    const { program } = hosts;
    const port = freePort("127.54.1.1");
    hosts.listen("127.54.1.1", port);
    const path = program.path("ipc.sock");
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: { forward: "tcp:late.test:${port}" } }]
directory: { refresh: 1s }
`,
    );
    await using server = await program.serve(["--config", config]);
    const warning = await server.event("error");
    assertStringIncludes(String(warning.message), 'the name service knows no host "late.test"');
    assertEquals(await answer(path), "");
    assertEquals((await server.event("close")).reason, "backend-error");
    await hosts.set("127.54.1.1 late.test");
    await answered(path);
    // A name that goes is not used any more.
    await hosts.set();
    while (await answer(path) === "hello") await new Promise((resolve) => setTimeout(resolve, 50));
  },
});

Deno.test({
  name: "a backend that moves is found again when connecting to it fails (needs root)",
  ...options,
  async fn() {
    const port = freePort("127.54.2.2");
    await using hosts = await Hosts.open("127.54.2.1 moving.test");
    const { program } = hosts;
    hosts.listen("127.54.2.2", port);
    const path = program.path("ipc.sock");
    // The addresses are not asked for again by themselves within the time of this test.
    await using server = await program.serve([
      `--unix=${path}`,
      "--forward",
      `tcp:moving.test:${port}`,
    ]);
    assertEquals(await answer(path), "");
    assertEquals((await server.event("close")).reason, "backend-refused");
    await hosts.set("127.54.2.2 moving.test");
    await answered(path);
  },
});

Deno.test({
  name: "a service that is added with a new name waits for its addresses (needs root)",
  ...options,
  async fn() {
    await using hosts = await Hosts.open("127.54.3.1 added.test");
    const { program } = hosts;
    const [port, own] = [freePort("127.54.3.1"), freePort("127.54.3.1")];
    hosts.listen("127.54.3.1", port);
    const [path, next] = [program.path("ipc.sock"), program.path("next.sock")];
    const key = await writeKey(program, "any.key");
    const console = `listeners:\n  - { unix: ${path} }\n`;
    const config = await program.write("config.yaml", console);
    await using server = await program.serve(["--config", config]);
    await program.write(
      "config.yaml",
      `${console}  - { unix: ${next}, service: { forward: "tcp:added.test:${port}" } }
  - { tcp: "added.test:${own}", keys: [{ file: ${key} }] }
`,
    );
    await server.event("listen", ({ listener }) => listener === `unix:${next}`);
    // The first connection waits for the answer of the name service.
    assertEquals(await answer(next), "hello");
    await server.event("listen", ({ listener }) => listener === `tcp:127.54.3.1:${own}`);
    assertEquals(server.of("error"), []);
  },
});

Deno.test({
  name: "a tunnel follows its server to another address (needs root)",
  ...options,
  async fn() {
    const port = freePort("127.54.4.2");
    await using hosts = await Hosts.open("127.54.4.1 keyed.test");
    const { program } = hosts;
    const backend = freePort("127.54.4.2");
    hosts.listen("127.54.4.2", backend);
    const key = await writeKey(program, "bob.key");
    const config = await program.write(
      "config.yaml",
      `listeners:
  - tcp: 127.54.4.2:${port}
    keys: [{ file: ${key} }]
    service: { forward: "tcp:127.54.4.2:${backend}" }
`,
    );
    await using _server = await program.serve(["--config", config]);
    const path = program.path("tunnel.sock");
    await using tunnel = await RunningTunnel.open(program, {
      host: "keyed.test",
      port,
      key,
      address: `unix:${path}`,
    });
    assertEquals(await answer(path), "");
    await tunnel.line("no server is listening on keyed.test");
    await hosts.set("127.54.4.2 keyed.test");
    await answered(path);
  },
});

Deno.test({
  name:
    "of two addresses of which one is dead, each client and the server use the other (needs root)",
  ...options,
  async fn() {
    await using hosts = await Hosts.open("127.54.5.1 two.test", "127.54.5.2 two.test");
    const { program } = hosts;
    const [port, backend] = [freePort("127.54.5.2"), freePort("127.54.5.2")];
    using _deadServer = new DeadListener(numericAddress("127.54.5.1", port)!);
    using _deadBackend = new DeadListener(numericAddress("127.54.5.1", backend)!);
    hosts.listen("127.54.5.2", backend);
    const key = await writeKey(program, "bob.key");
    const path = program.path("ipc.sock");
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${path}, service: { forward: "tcp:two.test:${backend}" } }
  - tcp: 127.54.5.2:${port}
    keys: [{ file: ${key} }]
    service: { forward: "tcp:127.54.5.2:${backend}" }
`,
    );
    await using _server = await program.serve(["--config", config]);
    const local = program.path("tunnel.sock");
    await using _tunnel = await RunningTunnel.open(program, {
      host: "two.test",
      port,
      key,
      address: `unix:${local}`,
    });
    const pipe = ["connect", `--tcp=two.test:${port}`, `--key=${key}`, "--pipe"];
    const [forwarded, tunnelled, piped] = await Promise.all([
      answer(path),
      answer(local),
      program.run(pipe, { input: "hello" }),
    ]);
    assertEquals([forwarded, tunnelled, piped.stdout], ["hello", "hello", "hello"], piped.stderr);
  },
});
