/** The client library, as a program imports it, against real servers. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  connect,
  connectConsole,
  ExitCode,
  Failure,
  RpcCode,
  RpcServerError,
  StreamError,
} from "../../lib/client/mod.ts";
import { bind, connect as connectSocket, listen, unixSocket } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { testAlone } from "../support/alone.ts";
import { freePort, readKey, writeKey } from "../support/keys.ts";
import { isRoot, Program, type RunningServer } from "../support/program.ts";

const USERS = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob,   uid: 579, gid: 579, local_ipc_access: true, admin: false }
`;

/** A server with a console and an echo on both transports. */
class Fixture implements AsyncDisposable {
  private constructor(
    readonly program: Program,
    readonly server: RunningServer,
    readonly port: number,
    readonly echoPort: number,
  ) {}

  static async open(): Promise<Fixture> {
    const program = await Program.install();
    const [port, echoPort] = [freePort(), freePort()];
    const key = await writeKey(program, "bob.key");
    const trusted = await writeKey(program, "trusted.key");
    const keys = `keys: [ { file: ${key}, user: bob }, { file: ${trusted} } ]`;
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${program.path("console.sock")}, service: console }
  - { unix: ${program.path("echo.sock")}, service: { exec: [/bin/cat] } }
  - { unix: ${program.path("sink.sock")}, service: { exec: [/bin/sh, -c, "cat >/dev/null"] } }
  - { tcp: "127.0.0.1:${port}", ${keys}, service: console }
  - { tcp: "127.0.0.1:${echoPort}", ${keys}, service: { exec: [/bin/cat] } }
${USERS}`,
    );
    const server = await program.serve(["--config", config]);
    await server.events("listen", 5);
    return new Fixture(program, server, port, echoPort);
  }

  get console(): string {
    return this.program.path("console.sock");
  }

  get echo(): string {
    return this.program.path("echo.sock");
  }

  get keyed(): { readonly tcp: string; readonly key: string } {
    return { tcp: `127.0.0.1:${this.port}`, key: this.program.path("bob.key") };
  }

  get keyedEcho(): { readonly tcp: string; readonly key: string } {
    return { ...this.keyed, tcp: `127.0.0.1:${this.echoPort}` };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** The failure that a call was rejected with. */
function rejection(outcome: PromiseSettledResult<unknown>): Failure {
  if (outcome.status === "fulfilled") throw new Error("a call was answered");
  if (!(outcome.reason instanceof Failure)) throw outcome.reason;
  return outcome.reason;
}

function failure(run: () => Promise<unknown>): Promise<Failure> {
  return assertRejects(run, Failure);
}

/** A listener of the test, and what it does with each connection. */
function hostile(behave: (connection: Deno.Conn) => unknown) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open: Deno.Conn[] = [];
  void (async () => {
    for await (const connection of listener) {
      open.push(connection);
      // The client may close first.
      void Promise.resolve(behave(connection)).catch(() => {});
    }
  })();
  return {
    tcp: `127.0.0.1:${listener.addr.port}`,
    key: new Uint8Array(32).fill(7),
    connections: open,
    [Symbol.dispose]() {
      listener.close();
      for (const connection of open) {
        try {
          connection.close();
        } catch { /* The test has closed it. */ }
      }
    },
  };
}

/** As {@link hostile}, on a Unix socket. */
function hostileUnix(path: string, behave: (connection: Deno.Conn) => unknown) {
  const listener = Deno.listen({ transport: "unix", path });
  const open: Deno.Conn[] = [];
  void (async () => {
    for await (const connection of listener) {
      open.push(connection);
      void Promise.resolve(behave(connection)).catch(() => {});
    }
  })();
  return {
    [Symbol.dispose]() {
      listener.close();
      for (const connection of open) {
        try {
          connection.close();
        } catch { /* The test has closed it. */ }
      }
    },
  };
}

const read = (connection: Deno.Conn) => connection.read(new Uint8Array(4096));

/**
 * The descriptors of this process, counted by another process: Deno does not let a program read its
 * own `/proc/self/fd`. Other tests have some in the same table, so a test that counts runs alone.
 */
function descriptors(): number {
  const { stdout } = new Deno.Command("ls", { args: [`/proc/${Deno.pid}/fd`] }).outputSync();
  return new TextDecoder().decode(stdout).split("\n").length;
}

/** Waits until no more descriptors are open: a wait in a thread ends a moment after its `close`. */
async function settled(most: number): Promise<void> {
  for (let attempt = 0; descriptors() > most; attempt++) {
    assert(attempt < 100, `${descriptors()} descriptors are open, and ${most} were`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A listener whose backlog is full. */
function busy(path: string): Disposable {
  const listener = unixSocket();
  bind(listener, unixAddress(path));
  listen(listener, 0);
  const waiting = [unixSocket(), unixSocket()];
  for (const socket of waiting) connectSocket(socket, unixAddress(path));
  return {
    [Symbol.dispose]() {
      for (const socket of [listener, ...waiting]) socket.close();
    },
  };
}

Deno.test("a stream carries both directions, and each ends by itself", async () => {
  await using fixture = await Fixture.open();
  for (const options of [{ unix: fixture.echo }, fixture.keyedEcho]) {
    using connection = await connect(options);
    const text = new Response(connection.readable).text();
    const writer = connection.writable.getWriter();
    await writer.write(bytes("one "));
    await writer.write(bytes("two"));
    await writer.close();
    assertEquals(await text, "one two");
    await assertRejects(() => writer.write(bytes("three")), TypeError);
    const expected = "unix" in options ? [null, null] : ["bob", "exec"];
    assertEquals([connection.user, connection.service], expected);
  }
  const closes = await fixture.server.events("close", 2);
  assertEquals(closes.map(({ reason }) => reason), ["end", "end"]);
});

Deno.test("a service that takes all input and answers nothing has not refused", async () => {
  await using fixture = await Fixture.open();
  using connection = await connect({ unix: fixture.program.path("sink.sock") });
  const text = new Response(connection.readable).text();
  const writer = connection.writable.getWriter();
  await writer.write(bytes("taken"));
  await writer.close();
  assertEquals(await text, "");
});

Deno.test("a reader that cancels leaves the writer its direction", async () => {
  await using fixture = await Fixture.open();
  for (const options of [{ unix: fixture.echo }, fixture.keyedEcho]) {
    using connection = await connect(options);
    const reader = connection.readable.getReader();
    const reading = reader.read();
    await reader.cancel();
    assertEquals((await reading).done, true);
    const writer = connection.writable.getWriter();
    await writer.write(bytes("one"));
    await writer.write(bytes("two"));
    await writer.close();
  }
  const closes = await fixture.server.events("close", 2);
  // A program on a Unix socket has the connection itself, and its bytes are not counted.
  assertEquals(closes.map(({ bytes_in }) => bytes_in).filter((count) => count !== undefined), [6]);
});

Deno.test("what is no chunk of bytes fails the writer, and not the reader", async () => {
  await using fixture = await Fixture.open();
  using connection = await connect({ unix: fixture.echo });
  const writer = connection.writable.getWriter();
  await writer.write(bytes("bytes"));
  await assertRejects(() => writer.write("text" as never), TypeError, "Uint8Array");
  const { value } = await connection.readable.getReader().read();
  assertEquals(new TextDecoder().decode(value), "bytes");
});

Deno.test("many bytes pass while few are held", async () => {
  await using fixture = await Fixture.open();
  const size = 64 << 20;
  for (const options of [{ unix: fixture.echo }, fixture.keyedEcho]) {
    using connection = await connect(options);
    const writer = connection.writable.getWriter();
    const chunk = new Uint8Array(256 << 10).map((_, index) => index);
    let sent = 0;
    let blocked = Promise.withResolvers<void>();
    const sending = (async () => {
      while (sent < size) {
        await writer.write(chunk);
        sent += chunk.length;
        blocked.resolve();
        blocked = Promise.withResolvers();
      }
      await writer.close();
    })();
    // Nothing is read: the writer stops when the buffers of the kernel and the program are full.
    const pause = () => new Promise((resolve) => setTimeout(() => resolve("blocked"), 300));
    while (await Promise.race([blocked.promise, pause()]) !== "blocked");
    assert(sent < 24 << 20, `${sent} bytes were taken, and none is read`);
    let received = 0;
    for await (const part of connection.readable) {
      for (let index = 0; index < part.length; index += 4099) {
        if (part[index] !== ((received + index) & 255)) throw new Error(`byte ${received + index}`);
      }
      received += part.length;
    }
    await sending;
    assertEquals(received, size);
  }
});

Deno.test("the console answers typed calls", { ignore: !isRoot }, async () => {
  await using fixture = await Fixture.open();
  await using one = await connectConsole({ unix: fixture.console });
  await using two = await connectConsole(fixture.keyed);
  assertEquals([one.welcome.user, one.welcome.trusted], ["root", true]);
  assertEquals([two.welcome.user, two.welcome.trusted], ["bob", false]);
  const [users, sessions] = await Promise.all([one.users.list(), two.sessions.list()]);
  assertEquals(users.map(({ name, uid }) => [name, uid]), [["alice", 578], ["bob", 579]]);
  assertEquals(sessions.map(({ user }) => user), ["root", "bob"]);
  const error = await assertRejects(
    () => two.users.set({ name: "bob", field: "admin", value: true }),
    RpcServerError,
  );
  assertEquals([error.code, error.exit], [RpcCode.permissionDenied, ExitCode.refused]);
  assertStringIncludes(error.message, "Permission denied");
  assert(error.hint !== undefined && error instanceof Failure);
  assertEquals((await one.login({ user: "bob" })).user, "bob");
  assertEquals(one.welcome.user, "bob");
  await assertRejects(() => one.call("nosuch"), RpcServerError, "There is no method");
});

Deno.test("a trusted client acts as another user from the start (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  const key = fixture.program.path("trusted.key");
  for (const options of [{ unix: fixture.console }, { ...fixture.keyed, key }]) {
    await using console = await connectConsole({ ...options, user: "bob" });
    assertEquals(console.welcome.user, "bob");
    const refused = await failure(() => connectConsole({ ...options, user: "nosuch" }));
    assertEquals(refused.exit, ExitCode.refused);
    assertStringIncludes(refused.message, "Failed to connect to server: ");
  }
});

Deno.test("refusals and absent servers are the failures of the command line", async () => {
  await using fixture = await Fixture.open();
  const { program } = fixture;
  const other = await writeKey(program, "other.key");
  const open = await program.write("open.key", Deno.readTextFileSync(other), 0o644);
  const bad = await program.write("bad.key", "no key\n", 0o600);
  const dead = `127.0.0.1:${freePort()}`;
  const cases: readonly [Parameters<typeof connect>[0], number, string][] = [
    [{ unix: program.path("nosuch") }, ExitCode.unavailable, "there is no socket"],
    [{ unix: program.path("config.yaml") }, ExitCode.data, "is not a socket"],
    [{ ...fixture.keyed, tcp: dead }, ExitCode.unavailable, "no server is listening"],
    [{ ...fixture.keyed, key: other }, ExitCode.refused, "does not know this key"],
    [{ ...fixture.keyed, key: readKey(other) }, ExitCode.refused, "does not know this key"],
    [{ ...fixture.keyed, key: open }, ExitCode.config, "is readable by others"],
    [{ ...fixture.keyed, key: bad }, ExitCode.data, "bad.key"],
    [{ ...fixture.keyed, key: program.path("no.key") }, ExitCode.config, "There is no key file"],
    [{ ...fixture.keyed, user: "alice" }, ExitCode.refused, "user-denied"],
  ];
  for (const [options, exit, part] of cases) {
    for (const open of [connect, connectConsole]) {
      const { message, exit: found } = await failure(() => open(options));
      assertEquals([found, message.slice(0, 29)], [exit, "Failed to connect to server: "]);
      assertStringIncludes(message, part);
    }
  }
  const { exit, message } = await failure(() => connectConsole(fixture.keyedEcho));
  assertEquals(exit, ExitCode.data);
  assertStringIncludes(message, "is not a console but the service exec");
});

Deno.test("options that are no server are refused with a sentence", async () => {
  const key = new Uint8Array(32);
  const cases: readonly [Record<string, unknown>, string][] = [
    [{}, "one of `unix` and `tcp`"],
    [{ unix: "/a", tcp: "b:1" }, "one of `unix` and `tcp`"],
    [{ unix: "a" }, "absolute path"],
    [{ unix: "@a" }, "absolute path"],
    [{ unix: "/a\0" }, "NUL"],
    [{ unix: `/${"a".repeat(200)}` }, "at most 107"],
    [{ unix: "/a", key: "/k" }, "`key` is for TCP"],
    [{ unix: "/a", socket: 1 }, "no option `socket`"],
    [{ unix: "/a", serverUser: "no such user" }, "there is no user"],
    [{ unix: "/a", user: "bob" }, "`user` goes with a console"],
    [{ unix: "/a", timeoutMs: 0 }, "milliseconds"],
    [{ unix: "/a", timeoutMs: Infinity }, "milliseconds"],
    [{ unix: "/a", signal: true }, "AbortSignal"],
    [{ tcp: "a:1" }, "needs a `key`"],
    [{ tcp: "a", key }, "HOST:PORT"],
    [{ tcp: 4569, key }, "HOST:PORT"],
    [{ tcp: "a:1", key: "k" }, "absolute path"],
    [{ tcp: "a:1", key: new Uint8Array(31) }, "31 bytes"],
    [{ tcp: "a:1", key, user: "a\n" }, "user"],
  ];
  for (const [options, part] of cases) {
    const { exit, message } = await failure(() => connect(options as never));
    assertEquals([exit, message.includes(part)], [ExitCode.usage, true], message);
  }
});

Deno.test("a server of another user is refused unless it is named (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const directory = program.path("theirs");
  await Deno.mkdir(directory);
  await Deno.chown(directory, 579, 579);
  const config = await program.write("config.yaml", USERS);
  const unix = `${directory}/ipc.sock`;
  await using _server = await program.serve([`--unix=${unix}`, "--config", config], { uid: 579 });
  const { exit, message } = await failure(() => connectConsole({ unix }));
  assertEquals(exit, ExitCode.refused);
  assertStringIncludes(message, "runs as uid 579, who is neither root nor you");
  await using console = await connectConsole({ unix, serverUser: 579 });
  assertEquals(console.welcome.user, "root");
});

Deno.test("a cut stream is an error to its reader, and to the server", async () => {
  await using fixture = await Fixture.open();
  const connection = await connect(fixture.keyedEcho);
  const writer = connection.writable.getWriter();
  await writer.write(bytes("half"));
  const reader = connection.readable.getReader();
  assertEquals(new TextDecoder().decode((await reader.read()).value), "half");
  const left = await connect(fixture.keyedEcho);
  left.close();
  const closed = await fixture.server.event("close");
  assertEquals(closed.reason, "truncated");
  await fixture.server.stop("SIGKILL");
  const error = await assertRejects(() => reader.read(), StreamError);
  assertEquals(error.exit, ExitCode.data);
  await assertRejects(() => writer.write(bytes("more")), StreamError);
  const failed = await failure(() => left.readable.getReader().read());
  assertEquals(failed.message, "The connection is closed");
});

Deno.test("calls in flight are rejected when the server dies", async () => {
  await using fixture = await Fixture.open();
  for (const options of [{ unix: fixture.console }, fixture.keyed]) {
    const consoles = await Promise.all([connectConsole(options), connectConsole(options)]);
    fixture.server.child.kill("SIGSTOP");
    const calls = consoles.flatMap((one) => Array.from({ length: 10 }, () => one.users.list()));
    const outcomes = Promise.allSettled(calls);
    await consoles[1]!.close();
    fixture.server.child.kill("SIGCONT");
    const settled = await outcomes;
    assertEquals(settled.slice(0, 10).map(({ status }) => status), Array(10).fill("fulfilled"));
    for (const one of settled.slice(10)) {
      assertEquals(rejection(one).message, "The session is closed");
    }
    await consoles[0]!.close();
  }
  const last = await Promise.all([
    connectConsole({ unix: fixture.console }),
    connectConsole(fixture.keyed),
  ]);
  fixture.server.child.kill("SIGSTOP");
  const calls = last.flatMap((one) => [one.stats(), one.users.list(), one.config.show()]);
  const outcomes = Promise.allSettled(calls);
  await fixture.server.stop("SIGKILL");
  for (const one of await outcomes) {
    const { exit } = rejection(one);
    assert(exit === ExitCode.unavailable || exit === ExitCode.data);
  }
  assertEquals((await last[0]!.lost).exit, ExitCode.unavailable);
  await assertRejects(() => last[0]!.stats(), Failure, "The server has closed the session");
});

testAlone(
  import.meta.url,
  "descriptors stay as many, however many connections there were",
  async () => {
    await using fixture = await Fixture.open();
    const once = async (options: Parameters<typeof connect>[0]) => {
      using connection = await connect(options);
      const writer = connection.writable.getWriter();
      await writer.write(bytes("x"));
      await writer.close();
      assertEquals(await new Response(connection.readable).text(), "x");
    };
    const console = async () =>
      void await (await connectConsole({ unix: fixture.console })).close();
    const refused = () => failure(() => connect({ unix: fixture.program.path("nosuch") }));
    await Promise.all([once({ unix: fixture.echo }), once(fixture.keyedEcho), console()]);
    const before = descriptors();
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        Array.from({ length: 5 }, () => [
          once({ unix: fixture.echo }),
          once(fixture.keyedEcho),
          console(),
          refused(),
        ]).flat(),
      );
    }
    await settled(before);
  },
);

Deno.test("a server that misbehaves in the access check is a failure in time", async () => {
  const cases: readonly [string, (connection: Deno.Conn) => unknown, number, RegExp][] = [
    ["closes at once", (one) => one.close(), ExitCode.refused, /overloaded|does not know this key/],
    ["is silent", () => {}, ExitCode.unavailable, /does not answer/],
    [
      "sends garbage",
      async (one) => void await one.write(bytes("220 mail.example ESMTP\r\n".repeat(9))),
      ExitCode.data,
      /is not an ipcauth server/,
    ],
    [
      "sends half an answer",
      async (one) => {
        await read(one);
        await one.write(Uint8Array.of(0, 48, 1, 2, 3));
      },
      ExitCode.unavailable,
      /does not answer/,
    ],
    [
      "ends in the middle",
      async (one) => {
        await read(one);
        await one.write(Uint8Array.of(0, 48, 1, 2, 3));
        await (one as Deno.TcpConn).closeWrite();
      },
      ExitCode.data,
      /ended in the middle of the access check/,
    ],
  ];
  for (const [what, behave, exit, message] of cases) {
    using server = hostile(behave);
    const { tcp, key } = server;
    // Short where it is waited for.
    const timeoutMs = exit === ExitCode.unavailable ? 500 : 20_000;
    const found = await failure(() => connect({ tcp, key, timeoutMs }));
    assertEquals([what, found.exit], [what, exit], found.message);
    assert(message.test(found.message), `${what}: ${found.message}`);
  }
});

Deno.test("a server that misbehaves as a console is a failure in time", async () => {
  await using program = await Program.install();
  const cases: readonly [string, (connection: Deno.Conn) => unknown, number, string][] = [
    ["closes", (one) => one.close(), ExitCode.refused, "has closed without sending data"],
    ["silent", () => {}, ExitCode.data, "it sends nothing"],
    [
      "endless",
      async (one) => {
        while (await one.write(new Uint8Array(65_536).fill(120)));
      },
      ExitCode.data,
      "is not an ipcauth console",
    ],
    [
      "garbage",
      async (one) => void await one.write(bytes("\xff\xfe\n")),
      ExitCode.data,
      "is not an ipcauth console",
    ],
  ];
  for (const [name, behave, exit, part] of cases) {
    const unix = program.path(name);
    using _server = hostileUnix(unix, behave);
    const timeoutMs = name === "silent" ? 300 : 20_000;
    const found = await failure(() => connectConsole({ unix, timeoutMs }));
    assertEquals([name, found.exit, found.message.includes(part)], [name, exit, true]);
  }
});

testAlone(import.meta.url, "a signal gives up in every phase, with its reason", async () => {
  await using program = await Program.install();
  await using fixture = await Fixture.open();
  const before = descriptors();
  const reason = new Error("enough");
  const abortsIn = async (run: (signal: AbortSignal) => Promise<unknown>) => {
    const controller = new AbortController();
    const running = assertRejects(() => run(controller.signal), Error, "enough");
    await new Promise((resolve) => setTimeout(resolve, 50));
    controller.abort(reason);
    assertEquals(await running, reason);
  };
  {
    const unix = program.path("busy");
    using _server = busy(unix);
    await abortsIn((signal) => connect({ unix, signal }));
    const { exit, message } = await failure(() => connect({ unix, timeoutMs: 50 }));
    assertEquals(exit, ExitCode.unavailable);
    assertStringIncludes(message, "is too busy");
  }
  await assertRejects(
    () => connect({ unix: fixture.echo, signal: AbortSignal.abort(reason) }),
    Error,
    "enough",
  );
  {
    using server = hostile(() => {});
    const { tcp, key } = server;
    // The access check.
    await abortsIn((signal) => connect({ tcp, key, signal }));
  }
  {
    const unix = program.path("silent");
    using _server = hostileUnix(unix, () => {});
    // The welcome, then a read and a write.
    await abortsIn((signal) => connectConsole({ unix, signal }));
    await abortsIn(async (signal) => {
      const connection = await connect({ unix, signal });
      await connection.readable.getReader().read();
    });
    await abortsIn(async (signal) => {
      const connection = await connect({ unix, signal });
      const writer = connection.writable.getWriter();
      for (;;) await writer.write(new Uint8Array(65_536));
    });
  }
  const controller = new AbortController();
  const console = await connectConsole({ unix: fixture.console, signal: controller.signal });
  fixture.server.child.kill("SIGSTOP");
  const call = console.users.list();
  controller.abort(reason);
  assertEquals(await assertRejects(() => call, Error, "enough"), reason);
  fixture.server.child.kill("SIGCONT");
  await settled(before);
});

Deno.test("every method of the console's page has its typed method", async () => {
  const page = Deno.readTextFileSync(new URL("../../docs/console-api.md", import.meta.url));
  const methods = [...page.matchAll(/^### `([a-z.]+)`$/gm)].map((match) => match[1]!);
  assert(methods.length > 12);
  await using fixture = await Fixture.open();
  await using console = await connectConsole({ unix: fixture.console });
  const missing = methods.filter((method) => {
    let value: unknown = console;
    for (const part of method.split(".")) value = (value as Record<string, unknown>)[part];
    return typeof value !== "function";
  });
  assertEquals(missing, []);
  // The answers of a real server have the shapes that the types promise.
  const { config, users } = console;
  assertEquals((await config.show()).users, 2);
  const draft = await config.entries();
  assertEquals(draft.users, await users.list());
  const changes = [{ user: "bob", set: { admin: true } }];
  assertEquals((await config.commit({ base: draft.base, changes, check: true })).changed, true);
  assertEquals((await config.reload()).path, fixture.program.path("config.yaml"));
  assertEquals((await console.listeners.list()).length, 5);
  assert((await console.log.list({ last: 1 })).lines.length === 1);
  assertEquals((await console.status()).config.good, true);
  assertEquals((await console.access.check({ uid: 578 })).allow, false);
  assertEquals((await console.stats()).sessions, 1);
});
