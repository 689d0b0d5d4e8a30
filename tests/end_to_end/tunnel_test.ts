/** `connect --listen`: clients without support for keys reach a service behind a keyed listener. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  Backend,
  echo,
  forwardServer,
  RunningTunnel,
  Wiretap,
  writeAll,
} from "../support/backend.ts";
import { drain } from "../support/connections.ts";
import { childrenOf } from "../support/exec_server.ts";
import { freePort, type KeyedServer, writeKey } from "../support/keys.ts";
import { isRoot } from "../support/program.ts";

const PAGE = "<h1>a page</h1>\n";

/** A server of one page, as far as curl needs one. */
async function page(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  let request = "";
  while (!request.includes("\r\n\r\n")) {
    const count = await connection.read(buffer);
    if (count === null) return;
    request += new TextDecoder().decode(buffer.subarray(0, count));
  }
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${PAGE.length}\r\nConnection: close\r\n\r\n`;
  await writeAll(connection, new TextEncoder().encode(head + PAGE));
}

function open(fixture: KeyedServer, address: string, key = "bob.key"): Promise<RunningTunnel> {
  const { program, port } = fixture;
  return RunningTunnel.open(program, { port, key: program.path(key), address });
}

function openConnection(path: string): Promise<Deno.UnixConn> {
  return Deno.connect({ transport: "unix", path });
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("curl reaches a service behind a keyed listener, over Unix and TCP", async () => {
  await using fixture = await forwardServer();
  const { program } = fixture;
  using _backend = new Backend(program.path("backend.sock"), page);
  const path = program.path("tunnel.sock");
  const port = freePort();
  await using _unix = await open(fixture, `unix:${path}`);
  await using _tcp = await open(fixture, `tcp:127.0.0.1:${port}`);
  for (const where of [["--unix-socket", path, "http://any/"], [`http://127.0.0.1:${port}/`]]) {
    const { code, stdout, stderr } = await program.execute(["curl", "-sS", ...where]);
    assertEquals([code, stdout, stderr], [0, PAGE, ""]);
  }
});

Deno.test("the socket of a tunnel has mode 0600, and is removed at its end", async () => {
  await using fixture = await forwardServer();
  const { program } = fixture;
  const path = program.path("tunnel.sock");
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    await using tunnel = await open(fixture, `unix:${path}`);
    assertEquals(Deno.lstatSync(path).mode! & 0o777, 0o600);
    assertEquals([await tunnel.stop(signal), exists(path)], [0, false]);
  }
});

Deno.test("a tunnel replaces the socket of a dead tunnel, and not that of a live one", async () => {
  await using fixture = await forwardServer();
  const { program } = fixture;
  using _backend = new Backend(program.path("backend.sock"), echo);
  const path = program.path("tunnel.sock");
  const tunnel = await open(fixture, `unix:${path}`);
  const second = await program.run([
    "connect",
    `--tcp=${fixture.address}`,
    `--key=${program.path("bob.key")}`,
    `--listen=unix:${path}`,
  ]);
  assertEquals(second.code, 69, second.stderr);
  using _open = await openConnection(path);
  await tunnel.stop("SIGKILL");
  assertEquals(exists(path), true);
  await using third = await open(fixture, `unix:${path}`);
  using again = await openConnection(path);
  await again.closeWrite();
  assertEquals((await drain(again)).bytes.length, 0);
  assertEquals(await third.stop(), 0);
});

Deno.test("concurrent connections through one tunnel keep bytes and ends apart", async () => {
  await using fixture = await forwardServer();
  const { program } = fixture;
  // The backend answers only when the client has ended its side.
  using _backend = new Backend(program.path("backend.sock"), async (connection) => {
    const { bytes } = await drain(connection);
    await writeAll(connection, bytes);
  });
  const path = program.path("tunnel.sock");
  await using _tunnel = await open(fixture, `unix:${path}`);
  await Promise.all(Array.from({ length: 60 }, async (_, number) => {
    using connection = await openConnection(path);
    const bytes = new Uint8Array(50_000 + 997 * number).fill(number);
    await writeAll(connection, bytes);
    await connection.closeWrite();
    assertEquals((await drain(connection)).bytes, bytes);
  }));
  const closes = await fixture.server.events("close", 60);
  assertEquals(new Set(closes.map(({ reason }) => reason)), new Set(["end"]));
  const sum = closes.reduce((all, { bytes_in }) => all + Number(bytes_in), 0);
  assertEquals(sum, 60 * 50_000 + 997 * (60 * 59) / 2);
});

Deno.test("a wrong key is reported each time, and a right one needs no restart", async () => {
  await using fixture = await forwardServer();
  const { program } = fixture;
  using _backend = new Backend(program.path("backend.sock"), echo);
  const path = program.path("tunnel.sock");
  await writeKey(program, "own.key");
  await using tunnel = await open(fixture, `unix:${path}`, "own.key");
  using first = await openConnection(path);
  assertEquals((await drain(first)).bytes.length, 0);
  assertStringIncludes(
    await tunnel.line("Failed to connect"),
    `Failed to connect to server: ${fixture.address} does not know this key`,
  );
  assertEquals((await fixture.server.event("deny")).reason, "bad-key");
  // As gen-key does it: another file is renamed into place.
  await Deno.copyFile(program.path("bob.key"), program.path("new.key"));
  await Deno.chmod(program.path("new.key"), 0o600);
  await Deno.rename(program.path("new.key"), program.path("own.key"));
  using second = await openConnection(path);
  await writeAll(second, new TextEncoder().encode("hello"));
  await second.closeWrite();
  assertEquals(new TextDecoder().decode((await drain(second)).bytes), "hello");
});

Deno.test("a tunnel does not start without a key, or to a Unix socket", async () => {
  await using fixture = await forwardServer();
  const { program } = fixture;
  const listen = `--listen=unix:${program.path("tunnel.sock")}`;
  const none = `--key=${program.path("none.key")}`;
  const missing = await program.run(["connect", `--tcp=${fixture.address}`, none, listen]);
  assertEquals(missing.code, 78, missing.stderr);
  assertStringIncludes(missing.stderr, "There is no key file");
  const local = await program.run(["connect", `--unix=${program.path("x.sock")}`, listen]);
  assertEquals(local.code, 64, local.stderr);
  const abstract = await program.run(
    ["connect", `--tcp=${fixture.address}`, `--key=${program.path("bob.key")}`, "--listen=unix:@x"],
  );
  assert([64, 78].includes(abstract.code), abstract.stderr);
  assertEquals(exists(program.path("tunnel.sock")), false);
});

Deno.test("a missing server is reported each time, and used again when it is back", async () => {
  await using fixture = await forwardServer();
  const { program } = fixture;
  using _backend = new Backend(program.path("backend.sock"), echo);
  const path = program.path("tunnel.sock");
  await using tunnel = await open(fixture, `unix:${path}`);
  await fixture.server.stop();
  using first = await openConnection(path);
  assertEquals((await drain(first)).bytes.length, 0);
  await tunnel.line("Failed to connect to server: ");
  await using _back = await program.serve(["--config", fixture.config]);
  using second = await openConnection(path);
  await writeAll(second, new TextEncoder().encode("hello"));
  await second.closeWrite();
  assertEquals(new TextDecoder().decode((await drain(second)).bytes), "hello");
});

Deno.test("a truncated stream is a reset, and not an end, for a local TCP client", async () => {
  await using fixture = await forwardServer();
  const { program } = fixture;
  using _backend = new Backend(
    program.path("backend.sock"),
    (connection) => writeAll(connection, new Uint8Array(10_000_000)),
  );
  using wire = new Wiretap(fixture.port, (chunk, before) => before > 100_000 ? null : chunk);
  const port = freePort();
  await using tunnel = await RunningTunnel.open(program, {
    port: wire.port,
    key: program.path("bob.key"),
    address: `tcp:127.0.0.1:${port}`,
  });
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const { bytes, reset } = await drain(connection);
  assert(bytes.length < 10_000_000);
  assertEquals(reset, true);
  // A Unix client cannot be told so: the tunnel says it on standard error.
  assertStringIncludes(await tunnel.line("was cut"), "(truncated)");
});

Deno.test("a tunnel on TCP says who can use its key, and takes loopback addresses", async () => {
  await using fixture = await forwardServer();
  const { program } = fixture;
  const key = program.path("bob.key");
  const listen = (...args: string[]) =>
    program.run(["connect", `--tcp=${fixture.address}`, `--key=${key}`, "--listen", ...args]);
  const open = (...args: string[]) =>
    RunningTunnel.open(program, {
      port: fixture.port,
      key,
      address: args[0]!,
      more: args.slice(1),
    });
  for (const address of ["tcp:0.0.0.0:0", "tcp:[::]:0", "tcp:192.0.2.1:5432", "tcp:db.test:5432"]) {
    const { code, stderr } = await listen(address);
    assertEquals(code, 64, address);
    assertStringIncludes(stderr, `--listen ${address}: other machines may reach this address`);
    assertStringIncludes(stderr, "hint: --listen tcp:127.0.0.1:");
  }
  assertEquals((await listen("unix:/x", "--allow-remote")).code, 64);
  for (const address of ["tcp:127.0.0.1:0", "tcp:localhost:0"]) {
    await using tunnel = await open(address);
    assertStringIncludes(await tunnel.line("warning: "), "every user of this machine can use your");
  }
  await using remote = await open("tcp:0.0.0.0:0", "--allow-remote");
  assertStringIncludes(await remote.line("warning: "), "and of all that reach it");
  await using local = await open(`unix:${program.path("own.sock")}`);
  assertEquals(local.lines.filter((line) => line.includes("warning")), []);
});

Deno.test(
  "a tunnel reaps what others have left where it is process 1 (needs root)",
  { ignore: !isRoot },
  async () => {
    await using fixture = await forwardServer();
    const { program, port } = fixture;
    const fifo = program.path("fifo");
    await program.execute(["mkfifo", fifo]);
    const tunnel = new RunningTunnel(
      program.command([
        ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
        // `cat` is a child of the shell, and so of the tunnel that the shell becomes.
        ...["sh", "-c", 'cat "$0" & exec ipcauth "$@"', fifo, "connect"],
        ...[`--tcp=127.0.0.1:${port}`, `--key=${program.path("bob.key")}`],
        ...["--listen", `unix:${program.path("tunnel.sock")}`],
      ]).spawn(),
    );
    await using _tunnel = tunnel;
    await tunnel.line("listening on ");
    const [first] = childrenOf(tunnel.pid);
    assertEquals(childrenOf(Number(first)).length > 0, true);
    await Deno.writeTextFile(fifo, "");
    for (const until = Date.now() + 10_000; childrenOf(Number(first)).length > 0;) {
      assert(Date.now() < until, childrenOf(Number(first)).join(" "));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
);
