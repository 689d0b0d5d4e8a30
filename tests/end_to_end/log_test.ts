/** A log on standard error that is not read: the server goes on, and lost lines are counted. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { receiveAll } from "../support/connections.ts";
import { type AuditEvent, Lines, Program } from "../support/program.ts";
import { exists } from "../support/temporary_directory.ts";

async function until(matches: () => Promise<boolean>): Promise<void> {
  while (!await matches()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function listens(path: string): Promise<boolean> {
  return receiveAll(path).then(() => true, () => false);
}

/** Runs one console command. */
async function ask(program: Program, path: string): Promise<void> {
  const { code, stdout } = await program.run(["connect", `--unix=${path}`, "-c", "who"]);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "console");
}

/** Repeats an action until a promise has settled. */
async function repeatUntil(other: Promise<unknown>, action: () => Promise<unknown>): Promise<void> {
  let done = false;
  const finish = () => void (done = true);
  other.then(finish, finish);
  while (!done) await action();
}

/** A server whose standard error is redirected by a shell. */
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
      // It has already ended.
    }
    await this.child.status;
  }
}

/** A reader of a named pipe, in a process of its own, which reads ahead one pipe buffer at most. */
class Reader {
  readonly #child: Deno.ChildProcess;
  readonly #lines: Lines;

  constructor(program: Program, path: string) {
    this.#child = program.command(["cat", path]).spawn();
    this.#lines = new Lines(this.#child.stdout);
    this.#child.stderr.cancel().catch(() => {});
  }

  /** All events up to one that matches, or to the end. A line that is no JSON object fails. */
  async upTo(matches: (event: AuditEvent) => boolean): Promise<AuditEvent[]> {
    const events: AuditEvent[] = [];
    for (;;) {
      const line = await this.#lines.next();
      if (line === null) return events;
      const event: AuditEvent = JSON.parse(line);
      events.push(event);
      if (matches(event)) return events;
    }
  }

  /** Ends the reader. */
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

/** Matches an event of a listener. */
function of(event: string, path: string): (event: AuditEvent) => boolean {
  return (one) => one.event === event && one.listener === `unix:${path}`;
}

async function fifo(program: Program): Promise<string> {
  const path = program.path("log.fifo");
  assertEquals((await program.execute(["mkfifo", path])).code, 0);
  return path;
}

/** The number of lines that an event reports as lost; 0 for any other event. */
function lostIn({ event, message }: AuditEvent): number {
  const match = event === "error" &&
    /^(\d+) lines? of the log w(?:as|ere) lost(?:, \d+ of them .*)?$/.exec(`${message}`);
  return match ? Number(match[1]) : 0;
}

Deno.test("a server goes on when standard error is full", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  const args = `--unix=${path} --exec -- /bin/echo hi`;
  await using server = new Redirected(program, args, "2>/dev/full");
  await until(() => listens(path));
  for (let count = 0; count < 5; count++) assertEquals(await receiveAll(path), "hi\n");
  assertEquals(await server.stop(), 0);
});

/** Becomes the server, with standard error on a socket pair whose other end is closed. */
const WITH_CLOSED_PEER = `
import os, socket, sys
kept, dropped = socket.socketpair()
os.dup2(kept.fileno(), 2)
os.execvp("ipcauth", ["ipcauth", "serve", *sys.argv[1:]])
`;

Deno.test("a server goes on when the other end of standard error is closed", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  const command = `--unix=${path} --exec -- /bin/echo hi`.split(" ");
  const server = program.command(["python3", "-c", WITH_CLOSED_PEER, ...command]).spawn();
  await Promise.all([server.stdout.cancel(), server.stderr.cancel()]);
  try {
    await until(() => listens(path));
    for (let count = 0; count < 5; count++) assertEquals(await receiveAll(path), "hi\n");
  } finally {
    server.kill("SIGTERM");
  }
  assertEquals((await server.status).code, 0);
});

Deno.test("lines without a reader are counted, and the next reader gets the count", async () => {
  await using program = await Program.install();
  const [path, consolePath] = [program.path("a.sock"), program.path("console.sock")];
  const pipe = await fifo(program);
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${path}, service: { exec: [/bin/true] } }, { unix: ${consolePath} }]\n`,
  );
  await using server = new Redirected(program, `--config ${config}`, `2>${pipe}`);
  {
    await using first = new Reader(program, pipe);
    await first.upTo(of("listen", consolePath));
  }
  // The main thread answers them, after it has written all earlier lines.
  for (let count = 0; count < 3; count++) await ask(program, consolePath);
  await using next = new Reader(program, pipe);
  const read = next.upTo(of("close", path));
  // The reader may open the pipe later; then these lines are counted as well.
  let connections = 3;
  await repeatUntil(read, async () => {
    connections++;
    await receiveAll(path);
  });
  const events = await read;
  const [first, ...others] = events;
  assert(lostIn(first!) >= 3, JSON.stringify(events));
  assertEquals(others.map(lostIn).filter((lost) => lost > 0), []);
  // Each connection has two lines; the last lines may come after those that were read.
  assert(lostIn(first!) + others.length <= 2 * connections);
  assertEquals(await server.stop(), 0);
});

Deno.test("a log that is read late delays no client, and has no gap", async (test) => {
  await using program = await Program.install();
  const [path, consolePath] = [program.path("a.sock"), program.path("console.sock")];
  const pipe = await fifo(program);
  // More than a pipe holds, and less than what one user may write at once.
  const lines = 3_000;
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${path}, service: { exec: [/bin/sh, -c, "seq 1 ${lines} >&2"] } }, ` +
      `{ unix: ${consolePath} }]\nlimits: { grace: 1m }\n`,
  );
  await using server = new Redirected(program, `--config ${config}`, `2>${pipe}`);
  await using reader = new Reader(program, pipe);
  await reader.upTo(of("listen", consolePath));
  await receiveAll(path);
  await test.step("the console answers", () => ask(program, consolePath));
  await test.step("SIGTERM ends the server after the log is written", async () => {
    server.child.kill("SIGTERM");
    await until(async () => !await exists(path));
    const events = await reader.upTo(() => false);
    const messages = events.filter(({ event }) => event === "stderr").map(({ message }) => message);
    assertEquals(messages, Array.from({ length: lines }, (_, index) => `${index + 1}`));
    assertEquals(events.filter(({ event }) => event === "error"), []);
    assertEquals(events.at(-1)!.event, "stop");
    assertEquals((await server.child.status).code, 0);
  });
});

Deno.test("a log that is not read is bounded, and counts lost lines in their place", async () => {
  await using program = await Program.install();
  const [noisy, quiet] = [program.path("noisy.sock"), program.path("quiet.sock")];
  const [pipe, consolePath] = [await fifo(program), program.path("console.sock")];
  // What a pipe holds, in short lines: as JSON more than 1 MiB.
  const [sessions, lines] = [5, 11_000];
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${noisy}, service: { exec: [/bin/sh, -c, "seq 1 ${lines} >&2"] } }, ` +
      `{ unix: ${quiet}, service: { exec: [/bin/true] } }, { unix: ${consolePath} }]\n`,
  );
  await using server = new Redirected(program, `--config ${config}`, `2>${pipe}`);
  await using reader = new Reader(program, pipe);
  await reader.upTo(of("listen", consolePath));
  await Promise.all(Array.from({ length: sessions }, () => receiveAll(noisy)));
  // More than one user's lines may take of the buffer.
  const connections = 9_000;
  for (let count = 0; count < connections; count++) {
    const connection = await Deno.connect({ transport: "unix", path: consolePath });
    await connection.read(new Uint8Array(1));
    connection.close();
  }
  await ask(program, consolePath);
  const read = reader.upTo(of("close", quiet));
  // One of these sessions is logged when the buffer has space again.
  await repeatUntil(read, () => receiveAll(quiet));
  const events = await read;
  const lost = events.reduce((sum, event) => sum + lostIn(event), 0);
  assert(lost > 0);
  // The lines of one program stay in order, and are missing only where the log reports it.
  const last = new Map<unknown, number>();
  let gap = false;
  for (const event of events) {
    gap ||= lostIn(event) > 0;
    if (event.event !== "stderr" || event.message === undefined) continue;
    const [number, before] = [Number(event.message), last.get(event.session) ?? 0];
    assert(gap ? number > before : number === before + 1, `${before} is followed by ${number}`);
    last.set(event.session, number);
  }
  const written = events.filter((event) => lostIn(event) === 0).length;
  // Beyond the budget of a user, the lines that a program leaves behind are counted on their own.
  const leftOut = events.reduce((sum, { lost = 0 }) => sum + Number(lost), 0);
  assert(
    written + lost + leftOut >= sessions * (lines + 2) + 2 * connections,
    `${written} + ${lost} + ${leftOut}`,
  );
  assertEquals(await server.stop(), 0);
});

for (
  const [what, grace, signals] of [
    ["waits for a log that is not read for the grace time", "200ms", 1],
    ["that gets a second SIGTERM does not wait for a log that is not read", "1m", 2],
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
    await receiveAll(path);
    // Less than the grace time of a minute: a server that hangs is killed, and the test fails.
    const late = setTimeout(() => server.child.kill("SIGKILL"), 30_000);
    server.child.kill("SIGTERM");
    await until(async () => !await exists(path));
    if (signals === 2) server.child.kill("SIGTERM");
    const { code } = await server.child.status;
    clearTimeout(late);
    assertEquals(code, 0);
  });
}

Deno.test("a server that cannot start exits with its code, without standard error", async () => {
  await using program = await Program.install();
  const [path, pipe] = [program.path("a.sock"), await fifo(program)];
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${path} }, { unix: ${program.path("config.yaml", "b.sock")} }]\n` +
      "limits: { grace: 200ms }\n",
  );
  const { code, stderr } = await program.run(["serve", "--config", config]);
  assertStringIncludes(stderr, "ipcauth: error: ");
  // The only reader of the pipe never reads, and the pipe is full.
  using _holder = await Deno.open(pipe, { read: true, write: true });
  const fill = ["dd", "if=/dev/zero", `of=${pipe}`, "bs=4096", "count=1024", "oflag=nonblock"];
  assertStringIncludes((await program.execute(fill)).stderr, "temporarily unavailable");
  await using server = new Redirected(program, `--config ${config}`, `2>${pipe}`);
  assertEquals((await server.child.status).code, code);
});
