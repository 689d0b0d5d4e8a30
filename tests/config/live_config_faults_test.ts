/**
 * A configuration that cannot be read, does not come to rest, or is read by another thread: what
 * was in force stays, a change that is not known refuses, and each problem is reported once. The
 * clock of the process is played.
 */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { ConfigReader, MAX_OWN_LENGTH, type ReaderPort } from "../../lib/config/config_reader.ts";
import { LiveConfig } from "../../lib/config/live_config.ts";
import { loadHostFacts } from "../../lib/config/load.ts";
import type { ReadRequest, ReadResult } from "../../lib/config/reading_messages.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { toSent } from "../../lib/config/sent_config.ts";
import type { Config } from "../../lib/config/types.ts";
import type { User } from "../../lib/policy/types.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { MAX_WAIT_MS, STILL_MS } from "../../lib/files/file_watch.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";

const HOST_FACTS = loadHostFacts(effectiveUid());
const RETRY_MS = 200;

/** The clock of the process, in milliseconds, and what is added at each look at it. */
let time = performance.now();
let step = 0;
const { now } = performance;

const users = (name: string) => `users: [{ name: ${name}, uid: 579 }]\n`;
const long = (name: string) => users(name) + "#".repeat(MAX_OWN_LENGTH);

/** A directory with a configuration, and what the running one and its clients do. */
class Place {
  readonly directory = Deno.makeTempDirSync();
  readonly path = join(this.directory, "config.yaml");
  /** Called when a file is read; it may throw. */
  onRead: () => void = () => {};
  /** Thrown when a configuration is put in force. */
  acceptFault: Error | null = null;
  accepted = 0;
  #next = 0;

  constructor(text: string) {
    performance.now = () => time += step;
    this.replace(text);
  }

  open(reader: ConfigReader | null = null, others: readonly string[] = []): LiveConfig {
    // deno-lint-ignore no-this-alias -- of the getter
    const place = this;
    const facts = {
      overflowUid: HOST_FACTS.overflowUid,
      get serverUid(): number {
        place.onRead();
        return HOST_FACTS.serverUid;
      },
    };
    const accept = () => {
      this.accepted++;
      if (this.acceptFault !== null) throw this.acceptFault;
    };
    const paths = [this.path, ...others];
    return new LiveConfig({ paths, explicit: others.length === 0 }, facts, accept, reader);
  }

  /** Another file under the name, which is at rest. */
  replace(text: string): void {
    const path = `${this.path}.${this.#next++}`;
    Deno.writeTextFileSync(path, text, { mode: 0o644 });
    Deno.renameSync(path, this.path);
  }

  [Symbol.dispose](): void {
    performance.now = now;
    step = 0;
    Deno.removeSync(this.directory, { recursive: true });
  }
}

function names({ config }: LiveConfig): string {
  return config.access.users.map(({ name }) => name).join();
}

function fail(error: Error): never {
  throw error;
}

/** Refreshes until nothing is to be waited for. */
function rest(live: LiveConfig): "same" | "changed" | Failure {
  for (;;) {
    const outcome = live.refresh();
    if (live.wait === 0) return outcome;
    time += live.wait;
  }
}

function failed(outcome: "same" | "changed" | Failure): Failure {
  if (outcome instanceof Failure) return outcome;
  throw new Error(`no failure but "${outcome}"`);
}

Deno.test("what is not known refuses until it is known, and is reported once", async () => {
  using place = new Place(users("bob"));
  const live = place.open();
  assertEquals([live.isUnreadable, live.problem, live.wait], [false, null, 0]);
  place.replace(users("eve"));
  place.onRead = () => fail(new SystemError("openat", Errno.EIO));
  const failure = failed(live.refresh());
  assertStringIncludes(failure.message, `Cannot read the configuration ${place.path}: `);
  assertEquals([live.isUnreadable, live.problem?.failure, names(live)], [true, failure, "bob"]);
  for (const _again of [1, 2]) {
    assertEquals([live.refresh(), live.isUnreadable, live.wait], ["same", true, 0]);
  }
  const thrown = await live.settle().then(() => null, (error) => error);
  assertEquals([thrown.exit, thrown.message, thrown.hint], [
    ExitCode.os,
    failure.message,
    failure.hint,
  ]);
  // Another reason is reported again, and each of them once.
  place.onRead = () => fail(new SystemError("openat", Errno.ENOMEM));
  assertEquals([failed(live.refresh()) === failure, live.refresh()], [false, "same"]);
  place.onRead = () => {};
  assertEquals([live.refresh(), live.isUnreadable, live.problem, names(live)], [
    ...["changed", false, null],
    "eve",
  ]);
  await live.settle();
});

Deno.test("a file that may not be read is a bad one, and what is in force decides", () => {
  using place = new Place(users("bob"));
  const live = place.open();
  place.replace(users("eve"));
  place.onRead = () => fail(new SystemError("openat", Errno.EACCES));
  failed(live.refresh());
  assertEquals([live.isUnreadable, live.refresh(), names(live)], [false, "same", "bob"]);
  place.onRead = () => {};
  assertEquals([rest(live), live.problem, names(live)], ["changed", null, "eve"]);
});

Deno.test("what cannot be put in force at the moment refuses, and is tried again each 200 ms", () => {
  using place = new Place(users("bob"));
  const live = place.open();
  assertEquals(place.accepted, 1);
  for (
    const [fault, isUnreadable] of [
      [new SystemError("socket", Errno.EMFILE), true],
      [new Failure("this may not be", { exit: ExitCode.config }), false],
      [new TypeError("a bug"), false],
    ] as const
  ) {
    place.accepted = 0;
    place.acceptFault = fault;
    place.replace(users("eve"));
    const { exit, message } = failed(live.refresh());
    assertEquals(exit, fault instanceof Failure ? ExitCode.config : exit);
    if (fault instanceof Failure) assertEquals(message, fault.message);
    const tried = place.accepted;
    assertEquals([live.isUnreadable, names(live)], [isUnreadable, "bob"]);
    time += RETRY_MS - 1;
    assertEquals([live.refresh(), live.isUnreadable, place.accepted], [
      "same",
      isUnreadable,
      tried,
    ]);
    time += 1;
    assertEquals([live.refresh(), live.isUnreadable, place.accepted > tried], [
      "same",
      isUnreadable,
      true,
    ]);
    // Another text is tried at once.
    const before = place.accepted;
    place.replace(users("mallory"));
    // Of what is not known, nothing is said about a text.
    assertEquals(live.refresh() instanceof Failure, !isUnreadable);
    assertEquals([place.accepted > before, names(live)], [true, "bob"]);
    place.acceptFault = null;
    assertEquals([live.refresh(), names(live)], ["same", "bob"]);
    time += RETRY_MS;
    const start = Date.now();
    assertEquals([live.refresh(), live.isUnreadable, live.problem], ["changed", false, null]);
    assertEquals([names(live), live.since >= start], ["mallory", true]);
    place.replace(users("bob"));
    assertEquals([live.refresh(), names(live)], ["changed", "bob"]);
  }
});

Deno.test("a problem is reported for each content, and for each reason of one", () => {
  using place = new Place(users("bob"));
  const live = place.open();
  const outcome = (text: string) => {
    place.replace(text);
    const first = live.refresh();
    assertEquals(live.refresh(), "same");
    return first instanceof Failure ? "reported" : first;
  };
  const before = live.since;
  assertEquals(outcome(users("bob")), "same");
  // The running configuration is not put in force again.
  assertEquals(place.accepted, 1);
  assertEquals(outcome("typo: 1\n"), "reported");
  assertEquals(outcome("typo: 1\n"), "same");
  assertEquals(outcome("typo: 2\n"), "reported");
  assertEquals(outcome("typo: [2]\n"), "reported");
  assertEquals([live.since, names(live)], [before, "bob"]);
  // Not UTF-8: there is no text to compare.
  const bytes = (last: number) => {
    Deno.writeFileSync(`${place.path}.x`, new Uint8Array([0x23, last, 0x0a]), { mode: 0o644 });
    Deno.renameSync(`${place.path}.x`, place.path);
  };
  bytes(0xff);
  const failure = failed(live.refresh());
  assertEquals(live.problem?.failure, failure);
  bytes(0xfe);
  assertEquals([live.refresh(), live.problem?.failure], ["same", failure]);
  Deno.chmodSync(place.path, 0o666);
  assertStringIncludes(failed(rest(live)).message, "is writable by others");
  Deno.removeSync(place.path);
  failed(rest(live));
  const { message, exit } = live.problem!.failure;
  assertEquals([message, exit, live.editPath], [
    `There is no configuration ${place.path}`,
    ExitCode.config,
    place.path,
  ]);
  // The same text as before, when it is back.
  place.replace(users("bob"));
  assertEquals([rest(live), live.problem, place.accepted], ["changed", null, 1]);
});

Deno.test("a file that is gone is no file of a later place, and one of an earlier place counts", () => {
  using first = new Place(users("bob"));
  using second = new Place(users("eve"));
  using third = new Place(users("mallory"));
  Deno.removeSync(first.path);
  const live = first.open(null, [second.path, third.path]);
  assertEquals([names(live), live.editPath], ["eve", second.path]);
  Deno.removeSync(second.path);
  const failure = failed(rest(live));
  assertEquals([failure.message, failure.exit], [
    `The configuration ${second.path} is gone`,
    ExitCode.config,
  ]);
  Deno.removeSync(third.path);
  rest(live);
  assertEquals([live.problem?.failure.message, names(live)], [failure.message, "eve"]);
  second.replace(users("eve2"));
  assertEquals([rest(live), names(live)], ["changed", "eve2"]);
  first.replace(users("bob"));
  assertEquals([rest(live), names(live), live.editPath], ["changed", "bob", first.path]);
  // The same text at another path is another configuration.
  assertEquals(live.config.path, first.path);
});

Deno.test("a file that appears where there was none, and the same text elsewhere, are changes", () => {
  using first = new Place(users("bob"));
  using second = new Place(users("bob"));
  Deno.removeSync(first.path);
  Deno.removeSync(second.path);
  const live = first.open(null, [second.path]);
  assertEquals([live.config.path, live.editPath, live.refresh()], [null, first.path, "same"]);
  second.replace(users("bob"));
  assertEquals([rest(live), live.config.path], ["changed", second.path]);
  first.replace(users("bob"));
  assertEquals([rest(live), live.config.path], ["changed", first.path]);
});

Deno.test("a start waits for a file that is being written, and not for ever", () => {
  using place = new Place(users("bob"));
  let reads = 0;
  place.onRead = () => Deno.writeTextFileSync(place.path, `${users("bob")}#${++reads}`);
  step = MAX_WAIT_MS / 4;
  const failure = assertThrows(() => place.open(), Failure) as Failure;
  step = 0;
  assertEquals([failure.message, failure.exit], [
    "The configuration has been changing for 1 s, so it is not whole",
    ExitCode.config,
  ]);
  // It is written while it is read, and not after that.
  place.onRead = () => {
    Deno.writeTextFileSync(place.path, users("eve"));
    place.onRead = () => {};
  };
  step = STILL_MS;
  // Between its looks the thread rests.
  const rests: string[] = [];
  const { wait } = Atomics;
  const resting = (...args: Parameters<typeof wait>) => {
    const end = wait(...args);
    rests.push(end);
    return end;
  };
  Object.defineProperty(Atomics, "wait", { value: resting });
  try {
    assertEquals(names(place.open()), "eve");
  } finally {
    Object.defineProperty(Atomics, "wait", { value: wait });
  }
  assertEquals([rests.length > 0, rests.every((end) => end === "timed-out")], [true, true]);
});

Deno.test("a running server refuses what does not come to rest, and decides by what it has", () => {
  using place = new Place(users("bob"));
  const live = place.open();
  let reads = 0;
  place.onRead = () => Deno.writeTextFileSync(place.path, `${users("eve")}#${++reads}`);
  Deno.writeTextFileSync(place.path, users("eve"));
  step = MAX_WAIT_MS / 4;
  const start = time;
  let outcome: "same" | "changed" | Failure = "same";
  while (outcome === "same" && time < start + 10 * MAX_WAIT_MS) outcome = live.refresh();
  step = 0;
  assertEquals(failed(outcome).message.split(" for ")[0], "The configuration has been changing");
  assertEquals([live.wait, live.isUnreadable, names(live)], [0, false, "bob"]);
});

Deno.test("a server does not start with what it cannot read or may not use", () => {
  using place = new Place(users("bob"));
  place.onRead = () => fail(new SystemError("openat", Errno.EIO));
  assertThrows(() => place.open(), Failure, "Cannot read the configuration");
  place.onRead = () => fail(new SystemError("openat", Errno.EACCES));
  assertThrows(() => place.open(), Failure, "Cannot read the configuration");
  place.onRead = () => {};
  place.acceptFault = new Failure("this may not be", { exit: ExitCode.config });
  assertThrows(() => place.open(), Failure, "this may not be");
});

/** The thread that reads long files; it answers when it is told to. */
class Thread implements ReaderPort {
  readonly requests: ReadRequest[] = [];
  readonly answers: ReadResult[] = [];
  readonly reader = new ConfigReader({
    reserved: HOST_FACTS,
    ask: () => {},
    report: (problem) => {
      throw new Error(problem);
    },
  });
  readonly port = {
    postMessage: (request: ReadRequest) => void this.requests.push(request),
    close: () => {},
  };

  constructor() {
    this.reader.connect(this);
  }

  receive(): { readonly message: ReadResult } | undefined {
    const message = this.answers.shift();
    return message === undefined ? undefined : { message };
  }

  answer(): void {
    const { id, file } = this.requests.at(-1)!;
    const config: Config = parseConfig(file.text, file.path, HOST_FACTS);
    const changes = { named: ["user eve added"], more: 0 };
    this.answers.push({ id, kind: "read", config: toSent(config), changes });
  }
}

Deno.test("nothing is decided while a long file is read, and it counts before a later one", () => {
  using place = new Place(long("bob"));
  const thread = new Thread();
  const live = place.open(thread.reader);
  // The first file is waited for.
  assertEquals([names(live), live.isLong, thread.requests.length], ["bob", true, 0]);
  assertEquals([live.refresh(), live.wait, live.userChanges], ["same", 0, undefined]);
  place.replace(long("eve"));
  for (const _again of [1, 2]) {
    assertEquals([live.refresh(), live.wait, names(live)], ["same", 5, "bob"]);
  }
  assertEquals(thread.requests.map(({ file }) => file.text), [long("eve")]);
  // Another file comes before the answer.
  place.replace("typo: 1\n");
  assertEquals([live.refresh(), live.wait], ["same", 5]);
  thread.answer();
  assertEquals([live.refresh(), live.wait, names(live)], ["changed", 1, "eve"]);
  assertEquals(live.userChanges?.named, ["user eve added"]);
  failed(live.refresh());
  assertEquals([live.wait, live.isUnreadable, names(live), live.isLong], [0, false, "eve", true]);
  place.replace(users("bob"));
  assertEquals([live.refresh(), live.isLong, live.userChanges], ["changed", false, undefined]);
  place.replace(users("bob").padEnd(MAX_OWN_LENGTH, "#"));
  assertEquals([live.refresh(), live.isLong], ["changed", false]);
  Deno.removeSync(place.path);
  assertEquals(place.open(null, [`${place.path}.none`]).isLong, false);
});

Deno.test("a user keeps no text of a file that is no longer in force", () => {
  const name = (index: number) => `user${index}`;
  const text = (first: number) =>
    "users:\n" +
    Array.from({ length: 1_000 }, (_, at) => `  - { name: ${name(at)}, uid: ${first + at} }\n`)
      .join("");
  using place = new Place(text(1_000));
  const thread = new Thread();
  const live = place.open(thread.reader);
  const lines = (users: readonly User[]) => users.map(({ at }) => at.line);
  const of = ({ access }: Config) => [access.users.at(0)!, access.usersByName.get(name(500))!];
  const before = of(live.config);
  assertEquals(lines(before), [2, 502]);
  place.replace(text(2_000));
  assertEquals(live.refresh(), "same");
  // It is in force until the next one is.
  assertEquals(lines(before), [2, 502]);
  thread.answer();
  assertEquals(live.refresh(), "changed");
  assertEquals([lines(before), lines(of(live.config))], [[1, 1], [2, 502]]);
});

Deno.test("settle() waits until a long file has been read", async () => {
  using place = new Place(long("bob"));
  const thread = new Thread();
  const live = place.open(thread.reader);
  place.replace(long("eve"));
  assertEquals(live.refresh(), "same");
  const settled = live.settle();
  thread.answer();
  await settled;
  assertEquals([names(live), live.wait], ["eve", 0]);
});
