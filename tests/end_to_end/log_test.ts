/** Where a server's log goes when nobody reads it: the server goes on, and what is missing is counted. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { drain } from "../support/keys.ts";
import { type AuditEvent, Lines, Program } from "../support/program.ts";

async function hear(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  return new TextDecoder().decode((await drain(connection)).bytes);
}

async function until(fits: () => Promise<boolean>): Promise<void> {
  while (!await fits()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function listens(path: string): Promise<boolean> {
  return hear(path).then(() => true, () => false);
}

function exists(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}

/** Asks the console something. */
async function ask(program: Program, path: string): Promise<void> {
  const { code, stdout } = await program.run(["connect", `--unix=${path}`, "-c", "who"]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "console");
}

/** Does something again and again until something else is done. */
async function drive(other: Promise<unknown>, action: () => Promise<unknown>): Promise<void> {
  let done = false;
  const mark = () => void (done = true);
  other.then(mark, mark);
  while (!done) await action();
}

/** A server whose standard error is whatever a shell makes of a redirection. */
class Redirected {
  readonly child: Deno.ChildProcess;

  constructor(program: Program, args: string, redirection: string) {
    this.child = program.command(["sh", "-c", `exec ipcauth serve ${args} ${redirection}`]).spawn();
    this.child.stdout.cancel().catch(() => {});
    this.child.stderr.cancel().catch(() => {});
  }

  async stop(): Promise<number> {
    this.child.kill("SIGTERM");
    return (await this.child.status).code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.child.status;
  }
}

/** A reader of a named pipe, in a process of its own: it reads ahead as little as a pipe holds. */
class Reader {
  readonly #child: Deno.ChildProcess;
  readonly #lines: Lines;

  constructor(program: Program, path: string) {
    this.#child = program.command(["cat", path]).spawn();
    this.#lines = new Lines(this.#child.stdout);
    this.#child.stderr.cancel().catch(() => {});
  }

  /** All events up to one that fits, or to the end. Half a line, or two glued together, are none. */
  async upTo(fits: (event: AuditEvent) => boolean): Promise<AuditEvent[]> {
    const events: AuditEvent[] = [];
    for (;;) {
      const line = await this.#lines.next();
      if (line === null) return events;
      const event: AuditEvent = JSON.parse(line);
      events.push(event);
      if (fits(event)) return events;
    }
  }

  /** Goes away. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended with the pipe.
    }
    await this.#child.status;
    await this.#lines.cancel();
  }
}

/** Fits the line that says that a listener is open, or what another one says of it. */
function of(event: string, path: string): (event: AuditEvent) => boolean {
  return (one) => one.event === event && one.listener === `unix:${path}`;
}

async function fifo(program: Program): Promise<string> {
  const path = program.path("log.fifo");
  assertEquals((await program.execute(["mkfifo", path])).code, 0);
  return path;
}

/** How many lines an event says were lost; 0 for any other event. */
function lostIn({ event, message }: AuditEvent): number {
  const told = event === "error" && /^(\d+) lines? of the log w(?:as|ere) lost$/.exec(`${message}`);
  return told ? Number(told[1]) : 0;
}

Deno.test("a server goes on where standard error is full", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  const args = `--unix=${path} --exec -- /bin/echo hi`;
  await using server = new Redirected(program, args, "2>/dev/full");
  await until(() => listens(path));
  for (let count = 0; count < 5; count++) assertEquals(await hear(path), "hi\n");
  assertEquals(await server.stop(), 0);
});

/** Becomes the server, with one end of a socket pair as standard error; the other end is gone then. */
const DESERTED = `
import os, socket, sys
ours, theirs = socket.socketpair()
os.dup2(ours.fileno(), 2)
os.execvp("ipcauth", ["ipcauth", "serve", *sys.argv[1:]])
`;

Deno.test("a server goes on where the other end of standard error is gone", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  const command = `--unix=${path} --exec -- /bin/echo hi`.split(" ");
  const server = program.command(["python3", "-c", DESERTED, ...command]).spawn();
  await Promise.all([server.stdout.cancel(), server.stderr.cancel()]);
  try {
    await until(() => listens(path));
    for (let count = 0; count < 5; count++) assertEquals(await hear(path), "hi\n");
  } finally {
    server.kill("SIGTERM");
  }
  assertEquals((await server.status).code, 0);
});

Deno.test("lines that nobody was there to read are counted, and told to who comes next", async () => {
  await using program = await Program.install();
  const [path, room] = [program.path("a.sock"), program.path("room.sock")];
  const pipe = await fifo(program);
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${path}, service: { exec: [/bin/true] } }, { unix: ${room} }]\n`,
  );
  await using server = new Redirected(program, `--config ${config}`, `2>${pipe}`);
  {
    await using first = new Reader(program, pipe);
    await first.upTo(of("listen", room));
  }
  // They are answered by the plane that writes the log, and after everything before them was logged.
  for (let count = 0; count < 3; count++) await ask(program, room);
  await using next = new Reader(program, pipe);
  const read = next.upTo(of("close", path));
  // The reader may come a while after this; then these are counted as well.
  let connections = 3;
  await drive(read, async () => {
    connections++;
    await hear(path);
  });
  const events = await read;
  const [first, ...others] = events;
  assert(lostIn(first!) >= 3, JSON.stringify(events));
  assertEquals(others.map(lostIn).filter((lost) => lost > 0), []);
  // Each has a line when it comes and one when it goes, and the last ones may come after what was read.
  assert(lostIn(first!) + others.length <= 2 * connections);
  assertEquals(await server.stop(), 0);
});

Deno.test("a log that nobody reads yet holds up nobody, and is read late without a gap", async (test) => {
  await using program = await Program.install();
  const [path, room] = [program.path("a.sock"), program.path("room.sock")];
  const pipe = await fifo(program);
  // Far more than a pipe holds, and far less than may wait.
  const lines = 10_000;
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${path}, service: { exec: [/bin/sh, -c, "seq 1 ${lines} >&2"] } }, ` +
      `{ unix: ${room} }]\nlimits: { grace: 1m }\n`,
  );
  await using server = new Redirected(program, `--config ${config}`, `2>${pipe}`);
  await using reader = new Reader(program, pipe);
  await reader.upTo(of("listen", room));
  await hear(path);
  await test.step("the console answers", () => ask(program, room));
  await test.step("SIGTERM is obeyed, and the log is written to its end", async () => {
    server.child.kill("SIGTERM");
    await until(async () => !await exists(path));
    const events = await reader.upTo(() => false);
    const said = events.filter(({ event }) => event === "stderr").map(({ message }) => message);
    assertEquals(said, Array.from({ length: lines }, (_, index) => `${index + 1}`));
    assertEquals(events.filter(({ event }) => event === "error"), []);
    assertEquals(events.at(-1)!.event, "stop");
    assertEquals((await server.child.status).code, 0);
  });
});

Deno.test("a log that nobody reads is bounded, and says in its place how many lines are missing", async () => {
  await using program = await Program.install();
  const [noisy, quiet] = [program.path("noisy.sock"), program.path("quiet.sock")];
  const [pipe, room] = [await fifo(program), program.path("room.sock")];
  // As much as a program may say at once, in short lines: as JSON these are more than 4 MiB.
  const [sessions, lines] = [5, 11_000];
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${noisy}, service: { exec: [/bin/sh, -c, "seq 1 ${lines} >&2"] } }, ` +
      `{ unix: ${quiet}, service: { exec: [/bin/true] } }, { unix: ${room} }]\n`,
  );
  await using server = new Redirected(program, `--config ${config}`, `2>${pipe}`);
  await using reader = new Reader(program, pipe);
  await reader.upTo(of("listen", room));
  await Promise.all(Array.from({ length: sessions }, () => hear(noisy)));
  await ask(program, room);
  const read = reader.upTo(of("close", quiet));
  // One of them is logged when there is room again.
  await drive(read, () => hear(quiet));
  const events = await read;
  const lost = events.reduce((sum, event) => sum + lostIn(event), 0);
  assert(lost > 0);
  // What one program says stays in order, and lines are missing only where the log says so.
  const last = new Map<unknown, number>();
  let gap = false;
  for (const event of events) {
    gap ||= lostIn(event) > 0;
    if (event.event !== "stderr") continue;
    const [number, before] = [Number(event.message), last.get(event.session) ?? 0];
    assert(gap ? number > before : number === before + 1, `${before} is followed by ${number}`);
    last.set(event.session, number);
  }
  const told = events.filter((event) => lostIn(event) === 0).length;
  assert(told + lost >= sessions * (lines + 2), `${told} + ${lost}`);
  assertEquals(await server.stop(), 0);
});

for (
  const [what, grace, signals] of [
    ["waits for a log that nobody reads as long as for its peers", "200ms", 1],
    ["that is told twice to stop does not wait for a log that nobody reads", "1m", 2],
  ] as const
) {
  Deno.test(`a server ${what}`, async () => {
    await using program = await Program.install();
    const [path, pipe] = [program.path("a.sock"), await fifo(program)];
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: { exec: [/bin/sh, -c, "seq 1 9999 >&2"] } }]\n` +
        `limits: { grace: ${grace} }\n`,
    );
    await using server = new Redirected(program, `--config ${config}`, `2>${pipe}`);
    await using _reader = new Reader(program, pipe);
    await until(() => listens(path));
    await hear(path);
    // Far from a minute, and no measure of speed: one that hangs fails.
    const late = setTimeout(() => server.child.kill("SIGKILL"), 30_000);
    server.child.kill("SIGTERM");
    await until(async () => !await exists(path));
    if (signals === 2) server.child.kill("SIGTERM");
    const { code } = await server.child.status;
    clearTimeout(late);
    assertEquals(code, 0);
  });
}

Deno.test("a server that cannot start ends with its code, even where nobody can be told why", async () => {
  await using program = await Program.install();
  const [path, pipe] = [program.path("a.sock"), await fifo(program)];
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${path} }, { unix: ${program.path("config.yaml", "b.sock")} }]\n` +
      "limits: { grace: 200ms }\n",
  );
  const { code, stderr } = await program.run(["serve", "--config", config]);
  assertStringIncludes(stderr, "ipcauth: error: ");
  // Its only end to read from is held by who never does, and there is no room in it.
  using _holder = await Deno.open(pipe, { read: true, write: true });
  const fill = ["dd", "if=/dev/zero", `of=${pipe}`, "bs=4096", "count=1024", "oflag=nonblock"];
  assertStringIncludes((await program.execute(fill)).stderr, "temporarily unavailable");
  await using server = new Redirected(program, `--config ${config}`, `2>${pipe}`);
  assertEquals((await server.child.status).code, code);
});
