/** A file that is written in place decides by its whole content: nothing is decided by a half. */
import { assert, assertEquals } from "@std/assert";
import { freePort, readKey, writeKey } from "../support/keys.ts";
import { isRoot, Lines, Program, type RunningServer } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

/**
 * Connects again and again until its input ends. Prints a line when it has begun, and at the end
 * how often it was let in and how often refused. A socket that is not there counts as `gone`.
 */
const FLOOD = `
import socket, sys, threading
counts = {"in": 0, "out": 0, "gone": 0}
going = True
def flood():
    while going:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(10)
        try:
            s.connect(sys.argv[1])
            counts["in" if s.recv(1) else "out"] += 1
        except (FileNotFoundError, ConnectionRefusedError):
            counts["gone"] += 1
        except (ConnectionResetError, BlockingIOError):
            pass
        s.close()
threads = [threading.Thread(target=flood) for _ in range(4)]
for one in threads: one.start()
while counts["out"] == 0: pass
print("begun", flush=True)
sys.stdin.read()
going = False
for one in threads: one.join()
print(counts["in"], counts["out"], counts["gone"], flush=True)
`;

/** Waits between two pieces of a file, as a slow writer does; less than the server waits. */
const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** A server waits for 1 s, from some time after the begin of a save. */
const LONG_SAVE_MS = 900;

interface Fixture extends AsyncDisposable {
  readonly program: Program;
  readonly server: RunningServer;
  readonly socket: string;
  readonly port: number;
  readonly config: string;
  /** The text of a configuration in which bob has access, or has none, and alice has none. */
  text(bob?: boolean): string;
}

async function serve(): Promise<Fixture> {
  const program = await Program.install();
  const [socket, port] = [program.path("ipc.sock"), freePort()];
  await writeKey(program, "bob.key");
  const text = (bob = true) =>
    `# ${"a long comment ".repeat(100)}
listeners:
  - { unix: ${socket}, allow: [bob] }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${program.path("bob.key")}, user: bob }] }
users:
  - { name: bob, uid: 579, local_ipc_access: ${bob} }
  - { name: alice, uid: 578, local_ipc_access: false }
`;
  const config = await program.write("config.yaml", text());
  const server = await program.serve(["--config", config]);
  await server.events("listen", 2);
  return {
    ...{ program, server, socket, port, config, text },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await program.remove();
    },
  };
}

async function asks(client: TestClient): Promise<boolean> {
  client.send('{"jsonrpc":"2.0","id":1,"method":"stats"}\n');
  return (await client.line())?.includes('"result"') ?? false;
}

/**
 * Writes a file again and again, and keeps it open, so that it is never still for as long as a
 * server waits, even where this process does not run for a while.
 */
class RestlessWriter implements AsyncDisposable {
  #isGoing = true;
  readonly #writing: Promise<void>;

  constructor(path: string, text: string) {
    this.#writing = this.#write(path, text);
  }

  async stop(): Promise<void> {
    this.#isGoing = false;
    await this.#writing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #write(path: string, text: string): Promise<void> {
    using file = Deno.openSync(path, { write: true });
    for (let round = 0; this.#isGoing; round++) {
      const bytes = new TextEncoder().encode(text + "#".repeat(round % 5 + 1));
      file.seekSync(0, Deno.SeekMode.Start);
      file.writeSync(bytes);
      file.truncateSync(bytes.length);
      await pause(10);
    }
  }
}

/**
 * Saves in less time than a server waits. Where the machine has held the save up, it is done again:
 * a server may have called the file bad meanwhile, and what was in force decides until it rests.
 */
async function saveInTime(save: () => Promise<void>): Promise<void> {
  for (;;) {
    const began = performance.now();
    await save();
    if (performance.now() - began < LONG_SAVE_MS) return;
    await pause(LONG_SAVE_MS);
  }
}

/** The ways in which programs save a file in place. */
const SAVES: Readonly<Record<string, (fixture: Fixture, text: string) => Promise<void>>> = {
  "cp": async ({ program, config }, text) => {
    const same = await program.write("same.yaml", text);
    assertEquals((await program.execute(["cp", same, config])).code, 0);
  },
  "truncate and write in pieces": async ({ config }, text) => {
    const bytes = new TextEncoder().encode(text);
    using file = Deno.openSync(config, { write: true, truncate: true });
    for (let at = 0; at < bytes.length; at += 300) {
      await pause(5);
      file.writeSync(bytes.subarray(at, at + 300));
    }
  },
  "truncate, and pause for long with the file open": async ({ config }, text) => {
    const bytes = new TextEncoder().encode(text);
    using file = Deno.openSync(config, { write: true, truncate: true });
    // Up to the end of the listeners: a configuration without users, which would be valid.
    const half = bytes.length - text.slice(text.indexOf("users:")).length;
    for (const part of [bytes.subarray(0, half), bytes.subarray(half)]) {
      await pause(200);
      file.writeSync(part);
    }
    await pause(200);
  },
  "write another file under the name": async ({ config }, text) => {
    const bytes = new TextEncoder().encode(text);
    Deno.removeSync(config);
    using file = Deno.openSync(config, { write: true, createNew: true, mode: 0o644 });
    for (let at = 0; at < bytes.length; at += 300) {
      file.writeSync(bytes.subarray(at, at + 300));
      await pause(5);
    }
  },
  "remove and write anew": async ({ config }, text) => {
    Deno.removeSync(config);
    await pause(20);
    Deno.writeTextFileSync(config, "", { mode: 0o644 });
    await pause(20);
    Deno.writeTextFileSync(config, text);
  },
};

for (const [how, save] of Object.entries(SAVES)) {
  Deno.test({
    name: `saving the same file by ${how} changes nothing, under a flood (needs root)`,
    ignore: !isRoot,
    async fn() {
      await using fixture = await serve();
      const { program, server, socket, port, text } = fixture;
      using unix = TestClient.unix(socket, 579);
      using tcp = await TestClient.tcp(port, readKey(program.path("bob.key")));
      for (const client of [unix, tcp]) assert((await client.line())?.includes("welcome"));
      const { ino } = Deno.statSync(socket);
      const options = { uid: 578, input: "" };
      const flood = program.command(["python3", "-u", "-c", FLOOD, socket], options).spawn();
      const lines = new Lines(flood.stdout);
      assertEquals(await lines.next(), "begun");
      let longest = 0;
      for (let round = 0; round < 5; round++) {
        const began = performance.now();
        await save(fixture, text());
        longest = Math.max(longest, performance.now() - began);
        // Requests of an open session wait for the file as well, and are answered.
        assert(await asks(unix));
        assert(await asks(tcp));
      }
      await flood.stdin.close();
      const [allowed, refused, gone] = (await lines.next())!.split(" ").map(Number);
      assertEquals([allowed, gone, refused! > 0], [0, 0, true]);
      await Promise.all([lines.cancel(), flood.stderr.cancel(), flood.status]);
      assertEquals(Deno.statSync(socket).ino, ino);
      assertEquals((await server.events("allow", 2)).length, 2);
      for (const kind of ["revoke", "stop", "close", "error"]) assertEquals(server.of(kind), []);
      // A save that took longer than a server waits, on a machine with other work, was bad.
      const reasons = server.of("reload").map(({ reason }) => reason);
      assertEquals(reasons.slice(0, longest < LONG_SAVE_MS ? undefined : 0), []);
      assertEquals(await server.stop(), 0);
    },
  });

  Deno.test({
    name: `a change that is saved by ${how} decides the next connection (needs root)`,
    ignore: !isRoot,
    async fn() {
      await using fixture = await serve();
      const { server, socket, port, text, program } = fixture;
      using open = TestClient.unix(socket, 579);
      assert((await open.line())?.includes("welcome"));
      const change = (bob: boolean) => saveInTime(() => save(fixture, text(bob)));
      for (let round = 0; round < 3; round++) {
        await change(false);
        // It connects while the file is not at rest yet.
        using unix = TestClient.unix(socket, 579);
        assertEquals(await unix.line(), null);
        assertEquals((await server.events("deny", 2 * round + 1)).at(-1)!.reason, "user-denied");
        await change(true);
        await change(false);
        let refused = "";
        try {
          (await TestClient.tcp(port, readKey(program.path("bob.key")))).send("");
        } catch (error) {
          refused = String(error);
        }
        assert(refused.includes("user-denied"), refused);
        await change(true);
        using again = await TestClient.tcp(port, readKey(program.path("bob.key")));
        assert((await again.line())?.includes("welcome"));
      }
      assertEquals(await open.line(), null);
      await server.event("revoke");
    },
  });
}

Deno.test("a file that does not come to rest is bad, and what is in force decides", async () => {
  await using fixture = await serve();
  const { server, socket, config, text } = fixture;
  const own = isRoot ? 579 : Deno.uid()!;
  await using writer = new RestlessWriter(config, text(false));
  // Waits for a second, and is decided by what was in force.
  using first = TestClient.unix(socket, own);
  assert((await first.line())?.includes("welcome"));
  const reload = await server.event("reload");
  assertEquals(reload.reason, "bad-config");
  assert(String(reload.message).includes("has been changing for 1 s"), String(reload.message));
  using second = TestClient.unix(socket, own);
  assert((await second.line())?.includes("welcome"));
  await writer.stop();
  await server.event("reload", ({ reason }) => reason === "changed");
  if (!isRoot) return;
  assertEquals([await first.line(), await second.line()], [null, null]);
  using third = TestClient.unix(socket, 579);
  assertEquals(await third.line(), null);
});

/** Maps a file, and stores each line of its input at the place of its second argument. */
const MAPPING = `
import mmap, sys
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as content:
    at = content.find(sys.argv[2].encode())
    for line in sys.stdin:
        content[at:at + 5] = line.rstrip("\\n").encode()
        print(line, end="", flush=True)
`;

Deno.test("a store to a mapped file is noticed, though it changes no time stamp (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await serve();
  const { program, server, socket, config, text } = fixture;
  await Deno.writeTextFile(config, text().replace("access: true", "access: true "));
  // The wait for this change must not be added to the wait for the first store.
  await server.event("reload");
  const before = Deno.readTextFileSync(config);
  const python = program.command(
    ["python3", "-c", MAPPING, config, "true "],
    { input: "" },
  ).spawn();
  const writer = python.stdin.getWriter();
  const lines = new Lines(python.stdout);
  const store = async (word: string) => {
    await writer.write(new TextEncoder().encode(`${word}\n`));
    assertEquals(await lines.next(), word);
  };
  const isAllowed = async () => {
    using client = TestClient.unix(socket, 579);
    return await client.line() !== null;
  };
  try {
    await store("false");
    assertEquals(await isAllowed(), false);
    // Longer than the stamps of the file system can be the same.
    await pause(100);
    assertEquals(await isAllowed(), false);
    await store("true ");
    // The stamps are the same, unless the page was written back just now.
    assertEquals(Deno.readTextFileSync(config), before);
    assertEquals(await isAllowed(), true);
    await store("false");
    assertEquals(await isAllowed(), false);
  } finally {
    await writer.close();
    await python.status;
  }
  assertEquals(await server.stop(), 0);
});

Deno.test("an empty file is bad, and closes neither a session nor a listener", async () => {
  await using fixture = await serve();
  const { server, socket, config, text } = fixture;
  const own = isRoot ? 579 : Deno.uid()!;
  using client = TestClient.unix(socket, own);
  assert((await client.line())?.includes("welcome"));
  for (const [count, content] of ["", "# users\n", "%YAML 1.2\n", "users: []\n"].entries()) {
    Deno.writeTextFileSync(config, content);
    const reload = (await server.events("reload", count + 1))[count]!;
    assertEquals(reload.reason, "bad-config", JSON.stringify(content));
    using other = TestClient.unix(socket, own);
    assert((await other.line())?.includes("welcome"));
  }
  assertEquals(server.of("listen").length, 2);
  assertEquals([server.of("stop"), server.of("revoke")], [[], []]);
  Deno.writeTextFileSync(config, text());
  await server.event("reload", ({ reason }) => reason === "changed");
  assert(await asks(client));
});

Deno.test("a key file that is saved in place by its own content ends no session", async () => {
  await using fixture = await serve();
  const { server, port, program } = fixture;
  const path = program.path("bob.key");
  const [key, content] = [readKey(path), Deno.readTextFileSync(path)];
  using client = await TestClient.tcp(port, key);
  assert((await client.line())?.includes("welcome"));
  for (let round = 0; round < 3; round++) {
    Deno.writeTextFileSync(path, "");
    await pause(20);
    Deno.writeTextFileSync(path, content.slice(0, 20));
    // A request looks at the key file, which is half written.
    const answered = asks(client);
    await pause(20);
    Deno.writeTextFileSync(path, content);
    assert(await answered);
    using other = await TestClient.tcp(port, key);
    assert((await other.line())?.includes("welcome"));
  }
  assertEquals([server.of("revoke"), server.of("reload")], [[], []]);
  const next = Deno.readTextFileSync(await writeKey(program, "next.key"));
  Deno.writeTextFileSync(path, next);
  // The access check waits for the file: the old key is refused, the new one is known.
  let refused = "";
  try {
    (await TestClient.tcp(port, key)).send("");
  } catch (error) {
    refused = String(error);
  }
  assert(refused.includes("does not know this key"), refused);
  using renewed = await TestClient.tcp(port, readKey(path));
  assert((await renewed.line())?.includes("welcome"));
  assertEquals(await client.line(), null);
});

/** Sends a first message for an unknown key when it is told to, and resets the connection. */
const RESET = `
import socket, struct, sys, time
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print("connected", flush=True)
sys.stdin.readline()
s.sendall(b"IPCAUTH1" + bytes(8) + struct.pack(">H", 48) + bytes(48))
time.sleep(0.1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
s.close()
`;

Deno.test("a client that is gone while its access check waits is forgotten at once", async () => {
  await using fixture = await serve();
  const { server, port, program, config, text } = fixture;
  const argv = ["python3", "-u", "-c", RESET, String(port)];
  const client = program.command(argv, { input: "" }).spawn();
  const lines = new Lines(client.stdout);
  assertEquals(await lines.next(), "connected");
  await using _writer = new RestlessWriter(config, text(false));
  const input = client.stdin.getWriter();
  await input.write(new TextEncoder().encode("\n"));
  const deny = await server.event("deny");
  // The file has not been still since, so nothing was decided about the key.
  assertEquals([deny.reason, deny.message], ["bad-key", "truncated"]);
  assertEquals(server.of("reload"), []);
  await input.close().catch(() => {});
  await Promise.all([lines.cancel(), client.stderr.cancel(), client.status]);
});
