/**
 * Reading a long configuration in another thread: one file at a time, no answer but that to the
 * last question, and the plane reads itself where no answer comes. The thread is played here, and
 * the clock; the thread's own side runs as it is.
 */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ConfigReader, MAX_OWN_LENGTH, type ReaderPort } from "../../lib/config/config_reader.ts";
import { BUILT_IN } from "../../lib/config/load.ts";
import { ParsedFile } from "../../lib/config/parsed_file.ts";
import type { ReadRequest, ReadResult } from "../../lib/config/reading_messages.ts";
import { runReadingWorker } from "../../lib/config/reading_worker.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { sharedAccess, SharedUsers } from "../../lib/config/shared_users.ts";
import { Failure } from "../../lib/errors.ts";

const RESERVED = { overflowUid: 65534 };
const BOB = { path: "/c", text: "users: [{ name: bob, uid: 5 }]\n" };
const EVE = { path: "/c", text: "users: [{ name: eve, uid: 6, admin: true }]\n" };
const CURRENT = parseConfig("users: [{ name: alice, uid: 4 }]\n", "/c", RESERVED);

/** The thread's end of a channel. */
class FakePort implements ReaderPort {
  readonly requests: ReadRequest[] = [];
  readonly answers: ReadResult[] = [];
  closed = 0;
  readonly port = {
    postMessage: (request: ReadRequest) => void this.requests.push(structuredClone(request)),
    close: () => void this.closed++,
  };

  receive(): { readonly message: ReadResult } | undefined {
    const message = this.answers.shift();
    return message === undefined ? undefined : { message: structuredClone(message) };
  }

  /** Answers the request of an index as the thread does. */
  answer(index: number): void {
    const port: { onmessage?: (event: { data: ReadRequest }) => void; postMessage: unknown } = {
      postMessage: (result: ReadResult) => void this.answers.push(result),
    };
    scope.onmessage!({ ports: [port] });
    port.onmessage!({ data: this.requests[index]! });
  }
}

/** The global scope of the thread. */
type WorkerScope = { onmessage?: (event: { ports: unknown[] }) => void; postMessage?: unknown };
const scope = globalThis as unknown as WorkerScope;

/** Starts the thread's side. @returns What it has said. */
function startThread(): unknown[] {
  const said: unknown[] = [];
  delete scope.onmessage;
  scope.postMessage = (message: unknown) => void said.push(message);
  runReadingWorker();
  return said;
}

/** A reader with its clock and what it asks and reports. */
class Reader {
  time = 1_000;
  readonly asked: boolean[] = [];
  readonly reports: string[] = [];
  readonly reader = new ConfigReader({
    reserved: RESERVED,
    ask: (isLost) => void this.asked.push(isLost),
    report: (problem) => void this.reports.push(problem),
  }, () => this.time);
  readonly port = new FakePort();

  constructor() {
    startThread();
  }

  read(file = BOB): string {
    const found = this.reader.read(file, CURRENT);
    return typeof found === "string"
      ? found
      : found.config.access.users.map(({ name, uid }) => `${name} ${uid}`).join();
  }
}

Deno.test("the thread says when it is ready", () => {
  assertEquals(startThread(), ["ready"]);
});

Deno.test("a file is asked for once, and its answer is taken once", () => {
  const reader = new Reader();
  assertEquals(reader.reader.isReading, false);
  assertEquals([reader.read(), reader.asked, reader.reader.isReading], ["reading", [false], true]);
  reader.reader.connect(reader.port);
  for (const _again of [1, 2]) assertEquals(reader.read(), "reading");
  const { requests } = reader.port;
  assertEquals(requests.map(({ id, file, reserved }) => ({ id, file, reserved })), [
    { id: 1, file: BOB, reserved: RESERVED },
  ]);
  assertEquals(
    sharedAccess(requests[0]!.before, [], () => ({ line: 1, column: 1 })).users.at(0)?.name,
    "alice",
  );
  reader.port.answer(0);
  assertEquals([reader.reader.isReading, reader.reader.isReading], [false, false]);
  const found = reader.reader.read(BOB, CURRENT);
  if (typeof found === "string") throw new Error(found);
  assertEquals(found.changes, { named: ["user bob added", "user alice removed"], more: 0 });
  assertEquals([found.config.access.users instanceof SharedUsers, found.config.path], [true, "/c"]);
  assertEquals([found.config.access.users.at(0)?.at.column], [9]);
  // The next question is another one.
  assertEquals([reader.read(), reader.read(), requests.map(({ id }) => id)], [
    ...["reading", "reading"],
    [1, 2],
  ]);
  assertEquals([reader.asked, reader.reports, reader.port.closed], [[false], [], 0]);
});

Deno.test("another text, or the same at another path, is another question", () => {
  const reader = new Reader();
  reader.reader.connect(reader.port);
  const files = [BOB, EVE, { ...EVE, path: "/d" }];
  for (const file of files) assertEquals(reader.read(file), "reading");
  assertEquals(reader.port.requests.map(({ file }) => file), files);
  // The answers to the first ones come late, and say nothing about the last one.
  reader.port.answer(0);
  reader.port.answer(1);
  assertEquals(reader.read(files[2]), "reading");
  reader.port.answer(2);
  // What comes behind the answer is not waited for.
  reader.port.answer(0);
  assertEquals(reader.read(files[2]), "eve 6");
});

Deno.test("a bad text is a failure, and an error of the thread is an error", () => {
  const reader = new Reader();
  reader.reader.connect(reader.port);
  const bad = { path: "/c", text: "users: [{ name: bob, uid: x }]\n" };
  const expected = assertThrows(() => parseConfig(bad.text, bad.path, RESERVED)) as Failure;
  assertEquals(reader.read(bad), "reading");
  reader.port.answer(0);
  const failure = assertThrows(() => reader.read(bad), Failure) as Failure;
  assertEquals([failure.lines, failure.exit, failure.hint], [
    expected.lines,
    expected.exit,
    expected.hint,
  ]);
  assertEquals(reader.read(bad), "reading");
  reader.port.answers.push({ id: 2, kind: "failed", message: "a bug" });
  const error = assertThrows(() => reader.read(bad), Error, "a bug");
  assertEquals(error instanceof Failure, false);
  // A request that the thread cannot read at all is answered, too.
  const port = new FakePort();
  port.requests.push({ id: 7, file: null } as unknown as ReadRequest);
  port.answer(0);
  assertEquals(port.answers.map(({ id, kind }) => [id, kind]), [[7, "failed"]]);
  port.requests.push({ ...reader.port.requests[0]!, file: BOB, reserved: null! });
  port.answer(1);
  const [, failed] = port.answers;
  assertEquals(failed?.kind === "failed" && failed.message.includes("overflowUid"), true);
});

Deno.test("the thread parses a text once for all planes", () => {
  const port = new FakePort();
  const { requests } = port;
  const reader = new Reader();
  reader.reader.connect(port);
  const bad = { path: "/bad", text: "users: x\n" };
  for (const file of [BOB, EVE, bad]) reader.read(file);
  for (const index of [0, 0, 1, 0, 2, 2]) port.answer(index);
  const users = port.answers.map((result) => result.kind === "read" ? result.config.users : null);
  assertEquals(users.map((one) => one?.uids === users[0]!.uids), [
    ...[true, true, false, false, false, false],
  ]);
  assertEquals(port.answers.map(({ id }) => id), [1, 1, 2, 1, 3, 3]);
  const [first, second] = port.answers.slice(4);
  if (first?.kind !== "bad" || second?.kind !== "bad") throw new Error("a bad text is read");
  assertStrictEquals(first.lines, second.lines);
  // The same text at another path has other messages.
  requests.push({ ...requests[2]!, file: { ...bad, path: "/worse" } });
  port.answer(3);
  const [, last] = port.answers.slice(5);
  if (last?.kind !== "bad") throw new Error("a bad text is read");
  assertEquals(last.lines[0]?.split(":")[0], "/worse");
});

Deno.test("a thread that is not there within 2 s is done without, and asked for once", () => {
  const reader = new Reader();
  reader.reader.prepare();
  reader.reader.prepare();
  assertEquals([reader.read(), reader.asked], ["reading", [false]]);
  reader.time += 1_999;
  assertEquals([reader.read(), reader.reports], ["reading", []]);
  reader.time += 1;
  assertEquals([reader.reader.isReading, reader.read()], [false, "lost"]);
  assertEquals(reader.reports, [
    "The thread that reads /c does not answer: it is read without it",
  ]);
  // It may still come: another one is not asked for.
  assertEquals([reader.read(), reader.asked], ["reading", [false, false]]);
});

Deno.test("a thread that does not answer within 30 s, and 30 s for each MiB, is lost", () => {
  for (const [length, limit] of [[0, 30_000], [1 << 20, 60_000], [2 << 20, 90_000]] as const) {
    const reader = new Reader();
    const file = { path: "/c", text: "#".repeat(length) };
    reader.reader.connect(reader.port);
    const lengthOfBefore = reader.read(file);
    assertEquals(lengthOfBefore, "reading");
    reader.time += limit - 1;
    assertEquals([reader.read(file), reader.port.closed], ["reading", 0]);
    reader.time += 1;
    assertEquals([reader.read(file), reader.port.closed, reader.reports.length], ["lost", 1, 1]);
    // Another thread is asked for, and it has no time to be there that has passed already.
    assertEquals([reader.read(file), reader.asked], ["reading", [true]]);
    const other = new FakePort();
    reader.reader.connect(other);
    assertEquals(other.requests.length, 1);
    reader.reader.prepare();
    reader.reader.disconnect();
    reader.reader.prepare();
    assertEquals([reader.asked, other.closed], [[true, false], 1]);
  }
});

Deno.test("an answer in time counts, though it is looked at late", () => {
  const reader = new Reader();
  reader.reader.connect(reader.port);
  assertEquals(reader.read(), "reading");
  reader.port.answer(0);
  reader.time += 1_000_000;
  assertEquals([reader.read(), reader.reports], ["bob 5", []]);
});

Deno.test("the end of the thread ends what it reads, and not what it has read", () => {
  const reader = new Reader();
  reader.reader.disconnect();
  reader.reader.connect(reader.port);
  assertEquals(reader.read(), "reading");
  reader.port.answer(0);
  assertEquals(reader.reader.isReading, false);
  reader.reader.disconnect();
  assertEquals([reader.read(), reader.port.closed], ["bob 5", 1]);
  assertEquals([reader.read(), reader.asked], ["reading", [false]]);
  reader.reader.disconnect();
  assertEquals([reader.reader.isReading, reader.read()], [false, "lost"]);
  // A port takes the place of the one before it.
  const [first, second] = [new FakePort(), new FakePort()];
  reader.reader.connect(first);
  reader.reader.connect(second);
  assertEquals([first.closed, second.closed, second.requests.length], [1, 0, 0]);
  assertEquals([reader.read(), second.requests.length], ["reading", 1]);
  assertEquals(reader.asked, [false]);
});

Deno.test("ParsedFile asks the thread for a long text alone, and never for the first one", () => {
  const reader = new Reader();
  const parsed: string[] = [];
  const file = new ParsedFile(({ text, path }) => {
    parsed.push(path);
    return parseConfig(text, path, RESERVED);
  }, reader.reader);
  const long = (extra: number) => BOB.text + "#".repeat(MAX_OWN_LENGTH - BOB.text.length + extra);
  const of = (path: string, extra: number, current: typeof BUILT_IN | null) => {
    const found = file.of({ path, text: long(extra) }, current);
    return found && [found.config.access.users instanceof SharedUsers, found.changes?.named.length];
  };
  assertEquals(MAX_OWN_LENGTH, 16_384);
  // A command has no such thread, and waits.
  const alone = new ParsedFile(({ text, path }) => parseConfig(text, path, RESERVED));
  const waited = alone.of({ path: "/c", text: long(1) }, CURRENT)!.config.access.users;
  assertEquals([waited.length, waited instanceof SharedUsers], [1, false]);
  assertEquals([of("/own", 0, CURRENT), parsed], [[false, undefined], ["/own"]]);
  assertEquals([of("/first", 1, null), parsed], [[true, undefined], ["/own", "/first"]]);
  reader.reader.connect(reader.port);
  for (const _again of [1, 2]) assertEquals(of("/c", 1, CURRENT), null);
  reader.port.answer(0);
  assertEquals([of("/c", 1, CURRENT), of("/c", 1, CURRENT)], [[true, 2], [true, 2]]);
  assertEquals([of("/d", 1, CURRENT), parsed.length], [null, 2]);
  reader.reader.disconnect();
  assertEquals([of("/d", 1, CURRENT), parsed.slice(2)], [[true, undefined], ["/d"]]);
});
