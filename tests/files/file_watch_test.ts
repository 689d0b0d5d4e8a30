import { assertEquals, assertThrows } from "@std/assert";
import {
  FileWatch,
  MAX_WAIT_MS,
  STILL_MS,
  type WatchedStatus,
} from "../../lib/files/file_watch.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";

/** A file with time stamps of a granularity, and a watch of it whose clock stands still. */
class Model {
  content: string | null = "one";
  inode = 1;
  now = 1_000;
  reads = 0;
  readonly discarded: string[] = [];
  /** Runs in the middle of the next read. */
  during: (() => void) | null = null;
  isBroken = false;
  isOpen = false;
  /** Why its stat cannot be taken at the moment. */
  failure: SystemError | null = null;
  readonly #granularity: number;
  #changedAt = 0;
  readonly watch: FileWatch<string | null>;

  /** @param granularity In milliseconds, of the file's clock, which is another machine's. */
  constructor(granularity: number) {
    this.#granularity = granularity;
    const stat = this.#stat();
    this.watch = new FileWatch<string | null>(
      [stat],
      {
        read: () => this.#read(),
        isSame: (one, other) => one === other,
        discard: (content) => this.discarded.push(String(content)),
      },
      () => this.now,
    );
  }

  /** Changes the file in place. */
  write(content: string | null): void {
    this.content = content;
    this.#changedAt = this.#stamp();
  }

  /** Renames another file over it, which was finished now. */
  replace(content: string): void {
    this.inode++;
    this.write(content);
  }

  poll(force?: boolean): string {
    const result = this.watch.poll(force);
    switch (result.kind) {
      case "read":
        return `read ${result.content}`;
      case "unsettled":
        return `wait ${result.wait}`;
      default:
        return result.kind;
    }
  }

  /** Polls until the content is taken; the clock goes on. */
  settle(): string {
    for (;;) {
      const result = this.watch.poll();
      if (result.kind !== "unsettled") return this.poll();
      this.now += result.wait;
    }
  }

  #stamp(): number {
    // An hour behind, so that a comparison of the clocks would show.
    return Math.floor((this.now - 3_600_000) / this.#granularity);
  }

  #read(): string | null {
    this.reads++;
    if (this.isBroken) throw new Error("broken");
    const { content } = this;
    this.during?.();
    this.during = null;
    return content;
  }

  #stat(): WatchedStatus {
    let last = "";
    let inode = 0;
    // deno-lint-ignore no-this-alias -- the stat is another object
    const model = this;
    return {
      exists: true,
      get failure() {
        return model.failure;
      },
      isReplaced: false,
      get isBeingWritten() {
        return model.isOpen;
      },
      granularity: Math.max(20, model.#granularity),
      update() {
        const state = model.failure?.code ?? JSON.stringify([
          ...[model.inode, model.content?.length ?? null, model.#changedAt],
        ]);
        const differs = state !== last;
        const hadFile = last !== "" && this.exists;
        last = state;
        const exists = model.content !== null && model.failure === null;
        const isReplaced = differs && hadFile && exists && inode !== model.inode;
        inode = model.inode;
        return Object.assign(this, { exists, isReplaced }) && differs;
      },
    };
  }
}

Deno.test("FileWatch.poll() reads the file first, and trusts its stat in time", () => {
  const model = new Model(1);
  assertEquals([model.poll(), model.reads], ["read one", 1]);
  assertEquals([model.poll(), model.reads], ["same", 2]);
  model.now += 20;
  assertEquals([model.poll(), model.reads], ["same", 3]);
  for (let round = 0; round < 9; round++) assertEquals(model.poll(), "same");
  assertEquals(model.reads, 3);
});

for (const granularity of [1, 1_000, 2_000]) {
  Deno.test(`FileWatch.poll() misses no change of one size, with stamps of ${granularity} ms`, () => {
    for (let delay = 0; delay <= 4_100; delay += 50) {
      const model = new Model(granularity);
      model.poll();
      // Looked at often, as by connections, and then changed in the second of the last look.
      for (let passed = 0; passed < delay; passed += 50) {
        model.now += 50;
        assertEquals(model.poll(), "same");
      }
      model.write("two");
      assertEquals(model.poll(), `wait ${STILL_MS}`, `missed after ${delay} ms`);
      model.now += STILL_MS;
      assertEquals(model.poll(), "read two");
    }
  });

  Deno.test(`FileWatch.poll() misses no change after a pause, with ${granularity} ms`, () => {
    for (const pause of [0, 10, 500, 1_000, 1_999, 2_000, 5_000]) {
      const model = new Model(granularity);
      model.poll();
      model.now += pause;
      model.poll();
      model.write("two");
      model.poll();
      model.now += STILL_MS;
      assertEquals(model.poll(), "read two", `missed after ${pause} ms`);
      // Changed back in the same second.
      model.write("one");
      model.poll();
      model.now += STILL_MS;
      assertEquals(model.poll(), "read one", `missed after ${pause} ms and a change`);
    }
  });
}

Deno.test("FileWatch.poll() needs one call of statx(2) a path once the stat is trusted", () => {
  const model = new Model(1_000);
  model.poll();
  model.now += 999;
  model.poll();
  const { reads } = model;
  model.poll();
  assertEquals(model.reads, reads + 1);
  model.now += 1;
  model.poll();
  model.poll();
  assertEquals(model.reads, reads + 2);
});

Deno.test("FileWatch.poll() reads a replaced file at once", () => {
  const model = new Model(1);
  model.poll();
  model.replace("two");
  assertEquals(model.poll(), "read two");
});

Deno.test("FileWatch.poll() waits for a file that is made under the name, and open", () => {
  const model = new Model(1);
  model.poll();
  model.isOpen = true;
  model.replace("half");
  assertEquals(model.poll(), "wait 50");
  model.now += 10;
  model.write("two");
  assertEquals(model.poll(), "wait 50");
  model.isOpen = false;
  model.now += 50;
  assertEquals(model.poll(), "read two");
});

Deno.test("FileWatch.poll() reads no half while its writer pauses with the file open", () => {
  const model = new Model(1);
  model.poll();
  model.isOpen = true;
  model.write("half");
  assertEquals(model.poll(), "wait 50");
  for (let passed = 50; passed <= 600; passed += 50) {
    model.now += 50;
    assertEquals(model.poll(), "wait 50");
  }
  model.write("two");
  assertEquals(model.poll(), "wait 50");
  model.isOpen = false;
  model.now += 50;
  assertEquals(model.poll(), "read two");
});

Deno.test("FileWatch.poll() is restless while a writer goes on with long pauses", () => {
  const model = new Model(1);
  model.poll();
  model.isOpen = true;
  model.write("half");
  model.poll();
  model.now += 600;
  model.write("more");
  assertEquals(model.poll(), "wait 50");
  model.now += 400;
  assertEquals(model.poll(), "restless");
  model.now += 599;
  assertEquals(model.poll(), "restless");
  // A process that keeps a whole file open keeps nothing from being in force.
  model.now += 1;
  assertEquals(model.poll(), "read more");
});

Deno.test("FileWatch.poll() misses no store to a page that is mapped and dirty", () => {
  const model = new Model(1);
  model.poll();
  model.isOpen = true;
  model.write("two");
  assertEquals([model.settle(), model.poll()], ["same", "same"]);
  model.now += 5_000;
  assertEquals(model.poll(), "same");
  // The stamps stay as they are.
  model.content = "six";
  assertEquals(model.poll(), "wait 50");
  model.now += MAX_WAIT_MS;
  assertEquals(model.poll(), "read six");
});

Deno.test("FileWatch.poll() waits 1 s for a file that is kept open, and takes it", () => {
  const model = new Model(1);
  model.poll();
  model.isOpen = true;
  model.write("two");
  let polls = 0;
  for (;; polls++) {
    const result = model.watch.poll();
    if (result.kind !== "unsettled") break;
    model.now += result.wait;
  }
  assertEquals([polls, model.now, model.poll()], [20, 1_000 + MAX_WAIT_MS, "same"]);
  model.isOpen = false;
  model.write("one");
  model.poll();
  model.now += 50;
  assertEquals(model.poll(), "read one");
});

Deno.test("FileWatch.poll() waits at the first call for a file that is open for writing", () => {
  const model = new Model(1);
  model.isOpen = true;
  assertEquals(model.poll(), "wait 50");
  model.write("two");
  assertEquals(model.poll(), "wait 50");
  model.isOpen = false;
  model.now += 50;
  assertEquals(model.poll(), "read two");
});

Deno.test("FileWatch.isTrusted says whether the stats alone show the next change", () => {
  const model = new Model(1);
  const { watch } = model;
  assertEquals([watch.isTrusted, model.poll(), watch.isTrusted], [false, "read one", false]);
  model.now += 19;
  assertEquals([model.poll(), watch.isTrusted], ["same", false]);
  model.now += 1;
  assertEquals([model.poll(), watch.isTrusted], ["same", true]);
  // What has changed and cannot be read is not known.
  model.write("two");
  model.isBroken = true;
  assertThrows(() => model.poll(), Error, "broken");
  assertEquals(watch.isTrusted, false);
  model.isBroken = false;
  assertEquals([model.poll(), watch.isTrusted], ["wait 50", false]);
  model.now += 50;
  assertEquals([model.poll(), watch.isTrusted], ["read two", true]);
  // What is waited for is not in force yet.
  model.write("three");
  assertEquals([model.poll(), watch.isTrusted], ["wait 50", false]);
  model.now += 10;
  assertEquals([model.poll(), watch.isTrusted], ["wait 40", false]);
  model.isOpen = true;
  model.now += 90;
  assertEquals([model.poll(), watch.isTrusted], ["wait 50", false]);
});

Deno.test("FileWatch.poll() reads a file that was changed in place when it was still", () => {
  const model = new Model(1);
  model.poll();
  model.write("");
  assertEquals(model.poll(), "wait 50");
  const { reads } = model;
  model.now += 30;
  // It is not even read before.
  assertEquals([model.poll(), model.reads], ["wait 20", reads]);
  model.write("half");
  assertEquals(model.poll(), "wait 50");
  model.now += 49;
  assertEquals(model.poll(), "wait 1");
  model.now += 1;
  assertEquals(model.poll(), "read half");
});

Deno.test("FileWatch.poll() waits for a file that is gone or appears", () => {
  const model = new Model(1);
  model.poll();
  model.write(null);
  assertEquals(model.poll(), "wait 50");
  model.write("two");
  model.inode++;
  assertEquals(model.poll(), "wait 50");
  model.now += 50;
  assertEquals(model.poll(), "read two");
});

Deno.test("FileWatch.poll() compares the content where stamps cannot show a movement", () => {
  const model = new Model(2_000);
  model.poll();
  model.write("two");
  assertEquals(model.poll(), "wait 50");
  model.now += 50;
  // The same stat as 50 ms ago.
  model.write("six");
  assertEquals(model.poll(), "wait 50");
  model.now += 50;
  assertEquals(model.poll(), "read six");
});

Deno.test("FileWatch.poll() does not wait for a file that holds what it held", () => {
  const model = new Model(1);
  model.poll();
  model.now += 1;
  model.write("one");
  assertEquals(model.poll(), "same");
  model.write("");
  assertEquals(model.poll(), "wait 50");
  model.write("one");
  assertEquals(model.poll(), "same");
});

Deno.test("FileWatch.poll() ends a wait when another file is renamed into place", () => {
  const model = new Model(1);
  model.poll();
  model.write("half");
  assertEquals(model.poll(), "wait 50");
  model.replace("two");
  assertEquals(model.poll(), "read two");
});

Deno.test("FileWatch.poll() waits a second at most, and takes the file when it is at rest", () => {
  const model = new Model(1);
  model.poll();
  let waited = 0;
  for (let round = 0;; round++) {
    model.write(`part ${round}`);
    const result = model.watch.poll();
    if (result.kind !== "unsettled") break;
    // Written again before it was still.
    const passed = Math.max(1, result.wait - 1);
    model.now += passed;
    waited += passed;
  }
  assertEquals(waited >= MAX_WAIT_MS - STILL_MS && waited <= MAX_WAIT_MS, true);
  assertEquals(model.poll(), "restless");
  model.now += STILL_MS - 1;
  assertEquals(model.poll(), "restless");
  model.now += 1;
  assertEquals(model.poll().startsWith("read part"), true);
  assertEquals(model.poll(), "same");
});

Deno.test("FileWatch.poll() says so when a restless file rests with the content it had", () => {
  const model = new Model(1);
  model.poll();
  for (let round = 0; model.poll() !== "restless"; round++) {
    model.write(`part ${round}`);
    model.now += 40;
  }
  model.write("one");
  assertEquals([model.poll(), model.poll()], ["read one", "same"]);
});

Deno.test("FileWatch.poll() takes no content between two stats", () => {
  const model = new Model(1);
  model.poll();
  model.now += 100;
  model.replace("two");
  model.during = () => model.write("half");
  assertEquals(model.poll(), "wait 50");
  model.now += 50;
  // What was seen first has to be still, too.
  assertEquals(model.settle(), "same");
  const other = new Model(1);
  other.poll();
  other.replace("two");
  other.during = () => other.replace("six");
  assertEquals(other.poll(), "read six");
});

Deno.test("FileWatch.poll() reads again after a read that failed", () => {
  const model = new Model(1);
  model.poll();
  model.replace("two");
  model.isBroken = true;
  for (let round = 0; round < 3; round++) assertThrows(() => model.poll(), Error, "broken");
  model.isBroken = false;
  assertEquals(model.poll(), "read two");
});

for (const state of ["trusted", "changed"]) {
  Deno.test(`FileWatch.poll() knows nothing of a ${state} file that cannot be looked at`, () => {
    const model = new Model(1);
    model.poll();
    model.now += 20;
    model.poll();
    if (state === "changed") {
      model.write("half");
      assertEquals(model.poll(), "wait 50");
    }
    const { reads } = model;
    model.failure = new SystemError("statx", Errno.EIO);
    for (let round = 0; round < 3; round++) {
      assertThrows(() => model.poll(), SystemError, "statx");
      model.now += 100;
    }
    assertEquals(model.reads, reads);
    // Changed meanwhile, with the stamps that it had.
    model.content = "two";
    model.failure = null;
    assertEquals(model.poll(), "wait 50");
    model.now += 50;
    assertEquals(model.poll(), "read two");
  });
}

Deno.test("FileWatch.poll() reads a file that the system says may not be looked at", () => {
  for (const errno of [Errno.ENOENT, Errno.ENOTDIR, Errno.ELOOP, Errno.EACCES]) {
    const model = new Model(1);
    model.failure = new SystemError("statx", errno);
    assertEquals(model.poll(), "read one");
  }
});

Deno.test("FileWatch.poll() reads a trusted file again where it is forced to", () => {
  const model = new Model(1);
  model.poll();
  model.now += 20;
  model.poll();
  const { reads } = model;
  assertEquals([model.poll(true), model.reads], ["same", reads + 1]);
});

Deno.test("FileWatch.poll() discards each content that nothing refers to", () => {
  const model = new Model(1);
  model.poll();
  model.poll();
  model.write("half");
  model.poll();
  model.write("two");
  model.poll();
  model.now += 50;
  assertEquals(model.poll(), "read two");
  // "one" is the caller's to discard, and so is "two".
  assertEquals(model.discarded, ["one", "half", "two"]);
});

Deno.test("FileWatch.poll() asks for no longer wait than the file has to be still", () => {
  for (let fraction = 0; fraction < 1_000; fraction++) {
    const model = new Model(1);
    // 50 more than such a time, less the time, may be more than 50.
    model.now = 123_456.789 + fraction / 7;
    model.poll();
    model.write("two");
    assertEquals(model.poll(), `wait ${STILL_MS}`);
  }
});
