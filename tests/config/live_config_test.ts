import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { loadHostFacts } from "../../lib/config/load.ts";
import { LiveConfig } from "../../lib/config/live_config.ts";
import { Failure } from "../../lib/errors.ts";
import { MAX_WAIT_MS, STILL_MS } from "../../lib/files/file_watch.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";

const HOST_FACTS = loadHostFacts(effectiveUid());

/** A configuration of bob with or without access; both texts have the same length. */
function bob(access: boolean): string {
  return `users: [{ name: bob, uid: 579, local_ipc_access: ${access ? "true " : "false"} }]\n`;
}

/** A directory for the configuration of one test. */
class Place {
  readonly directory = Deno.makeTempDirSync();
  readonly path = join(this.directory, "config.yaml");

  constructor(text: string | null = bob(true)) {
    if (text !== null) this.write(text);
  }

  open(): LiveConfig {
    return new LiveConfig({ paths: [this.path], explicit: true }, HOST_FACTS);
  }

  /** Writes in place: the inode stays. */
  write(text: string, path: string = this.path): void {
    Deno.writeTextFileSync(path, text, { mode: 0o644 });
  }

  /** Replaces: another inode. */
  replace(text: string): void {
    this.write(text, `${this.path}.new`);
    Deno.renameSync(`${this.path}.new`, this.path);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

function allowed(liveConfig: LiveConfig): boolean | undefined {
  return liveConfig.config.access.usersByName.get("bob")?.localIpcAccess;
}

function failed(outcome: "same" | "changed" | Failure): Failure {
  if (outcome instanceof Failure) return outcome;
  throw new Error(`no failure but "${outcome}"`);
}

/** Refreshes until the stat of the file is trusted. */
function settle(liveConfig: LiveConfig): void {
  const deadline = performance.now() + 60;
  while (performance.now() < deadline) liveConfig.refresh();
}

/** Refreshes until nothing is to be waited for. @returns The last outcome. */
function rest(liveConfig: LiveConfig): "same" | "changed" | Failure {
  for (;;) {
    const outcome = liveConfig.refresh();
    if (liveConfig.wait === 0) return outcome;
    assert(liveConfig.wait <= STILL_MS);
    assertEquals(outcome, "same");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, liveConfig.wait);
  }
}

Deno.test("LiveConfig.refresh() answers same for an unchanged file", () => {
  using place = new Place();
  const liveConfig = place.open();
  const { config } = liveConfig;
  for (let round = 0; round < 100; round++) assertEquals(liveConfig.refresh(), "same");
  assertEquals(liveConfig.config, config);
});

Deno.test("LiveConfig.refresh() loads a renamed file at once, and a written one at rest", () => {
  using place = new Place();
  const liveConfig = place.open();
  for (let round = 0; round < 20; round++) {
    const access = round % 2 === 1;
    if (round % 3 === 0) {
      place.write(bob(access));
      assertEquals([liveConfig.refresh(), liveConfig.wait > 0], ["same", true]);
      assertEquals(allowed(liveConfig), !access);
      assertEquals(rest(liveConfig), "changed");
    } else {
      place.replace(bob(access));
      assertEquals([liveConfig.refresh(), liveConfig.wait], ["changed", 0]);
    }
    assertEquals(allowed(liveConfig), access);
  }
});

Deno.test("LiveConfig.refresh() misses no replacement of 2,000", () => {
  using place = new Place();
  const liveConfig = place.open();
  for (let round = 0; round < 2_000; round++) {
    place.replace(bob(round % 2 === 1));
    liveConfig.refresh();
    assertEquals([allowed(liveConfig), liveConfig.wait], [round % 2 === 1, 0]);
  }
});

Deno.test("LiveConfig.refresh() decides by no other text than the last in one inode", () => {
  using place = new Place();
  const liveConfig = place.open();
  const bytes = [bob(false), bob(true)].map((text) => new TextEncoder().encode(text));
  using file = Deno.openSync(place.path, { write: true });
  let settled = 0;
  for (let round = 0; round < 5_000; round++) {
    file.seekSync(0, Deno.SeekMode.Start);
    file.writeSync(bytes[round % 2]!);
    liveConfig.refresh();
    // Either it waits, or it knows what was written last.
    if (liveConfig.wait > 0 || liveConfig.problem !== null) continue;
    settled++;
    assertEquals(allowed(liveConfig), round % 2 === 1);
  }
  assert(settled > 0);
  rest(liveConfig);
  assertEquals(allowed(liveConfig), true);
});

for (
  const [what, pieces] of [
    ["truncated and written", ["", bob(true)]],
    ["written in pieces", ["", "users:\n", "users:\n- { name: bob, uid: 579,", bob(true)]],
    ["made anew", [null, "", bob(true)]],
  ] as [string, (string | null)[]][]
) {
  Deno.test(`a file that is ${what} with the same text changes nothing`, () => {
    using place = new Place();
    const liveConfig = place.open();
    const { config } = liveConfig;
    for (const piece of pieces) {
      if (piece === null) Deno.removeSync(place.path);
      else place.write(piece);
      const outcome = liveConfig.refresh();
      assertEquals([outcome, liveConfig.problem, liveConfig.config === config], [
        "same",
        null,
        true,
      ]);
      assertEquals(liveConfig.wait > 0, piece !== bob(true));
    }
  });
}

Deno.test("a half that was renamed into place by its writer is waited for", () => {
  using place = new Place();
  const liveConfig = place.open();
  using file = Deno.openSync(`${place.path}.new`, { write: true, createNew: true, mode: 0o644 });
  const write = (text: string) => file.writeSync(new TextEncoder().encode(text));
  write("users: [] # half of the file\n");
  Deno.renameSync(`${place.path}.new`, place.path);
  assertEquals([liveConfig.refresh(), liveConfig.wait > 0], ["same", true]);
  assertEquals(allowed(liveConfig), true);
  write("groups: []\n");
  assertEquals([rest(liveConfig), allowed(liveConfig)], ["changed", undefined]);
});

Deno.test("an empty file is no configuration, and what is in force stays", () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write("");
  assertStringIncludes(failed(rest(liveConfig)).message, "the file is empty");
  assertEquals([liveConfig.refresh(), allowed(liveConfig)], ["same", true]);
});

Deno.test("a file that does not come to rest within a second is bad", () => {
  using place = new Place();
  const liveConfig = place.open();
  const start = performance.now();
  let outcome: "same" | "changed" | Failure = "same";
  for (let round = 0; outcome === "same"; round++) {
    place.write(bob(round % 2 === 1) + "#".repeat(round % 7 + 1));
    outcome = liveConfig.refresh();
    assert(performance.now() - start < 5_000, "it is waited for without end");
  }
  assert(performance.now() - start >= MAX_WAIT_MS);
  assertStringIncludes(failed(outcome).message, "has been changing for 1 s");
  assertEquals([liveConfig.wait, allowed(liveConfig)], [0, true]);
  // New connections do not wait again, and what is at rest counts.
  place.write(bob(false));
  assertEquals([liveConfig.refresh(), liveConfig.wait, allowed(liveConfig)], ["same", 0, true]);
  const deadline = performance.now() + 5_000;
  while (liveConfig.refresh() !== "changed") assert(performance.now() < deadline, "never noticed");
  assertEquals([liveConfig.problem, allowed(liveConfig)], [null, false]);
});

Deno.test("LiveConfig.settle() waits for a file that is being written", async () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write(bob(false));
  await liveConfig.settle();
  assertEquals([liveConfig.wait, allowed(liveConfig)], [0, false]);
});

Deno.test("LiveConfig.refresh() notices a change once the stat is trusted", () => {
  using place = new Place();
  const liveConfig = place.open();
  settle(liveConfig);
  place.write(bob(false));
  assertEquals(rest(liveConfig), "changed");
  assertEquals(allowed(liveConfig), false);
});

Deno.test("LiveConfig.refresh() notices a change whose modification time is set back", () => {
  using place = new Place();
  Deno.utimeSync(place.path, 1_000, 1_000);
  const liveConfig = place.open();
  settle(liveConfig);
  place.write(bob(false));
  Deno.utimeSync(place.path, 1_000, 1_000);
  assertEquals(rest(liveConfig), "changed");
});

Deno.test("a bad file keeps the running configuration, and is reported once", () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write("typo: 1\n");
  const failure = failed(rest(liveConfig));
  assertStringIncludes(failure.message, "config.yaml:1:1: typo: there is no key");
  assertEquals(liveConfig.problem?.failure, failure);
  assert(Math.abs(liveConfig.problem!.since - Date.now()) < 60_000);
  for (let round = 0; round < 5; round++) assertEquals(rest(liveConfig), "same");
  assertEquals(allowed(liveConfig), true);
});

Deno.test("another bad file is reported again, even with the same problem", () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write("typo: 1\n");
  failed(rest(liveConfig));
  place.write("typo: 2\n");
  failed(rest(liveConfig));
  assertEquals(rest(liveConfig), "same");
});

Deno.test("a corrected file ends the problem", () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write("typo: 1\n");
  failed(rest(liveConfig));
  place.write(bob(false));
  assertEquals(rest(liveConfig), "changed");
  assertEquals([liveConfig.problem, allowed(liveConfig)], [null, false]);
});

Deno.test("the former file ends the problem, too", () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write("typo: 1\n");
  failed(rest(liveConfig));
  place.write(bob(true));
  assertEquals([rest(liveConfig), liveConfig.problem], ["changed", null]);
});

Deno.test("a file that is removed keeps the running configuration, named or not", () => {
  for (const explicit of [true, false]) {
    using place = new Place();
    const liveConfig = new LiveConfig({ paths: [place.path], explicit }, HOST_FACTS);
    Deno.removeSync(place.path);
    failed(rest(liveConfig));
    assertEquals([rest(liveConfig), allowed(liveConfig)], ["same", true]);
    place.write(bob(false));
    assertEquals([rest(liveConfig), allowed(liveConfig)], ["changed", false]);
  }
});

Deno.test("a file that is removed is not replaced by the one of a later place", () => {
  using place = new Place();
  using machine = new Place("users: []\n");
  const paths = [place.path, machine.path];
  const liveConfig = new LiveConfig({ paths, explicit: false }, HOST_FACTS);
  Deno.removeSync(place.path);
  assertStringIncludes(failed(rest(liveConfig)).message, `${place.path} is gone`);
  assertEquals([allowed(liveConfig), liveConfig.editPath], [true, place.path]);
});

Deno.test("a file that appears in an earlier place is loaded", () => {
  using place = new Place(null);
  using machine = new Place("users: []\n");
  const paths = [place.path, machine.path];
  const liveConfig = new LiveConfig({ paths, explicit: false }, HOST_FACTS);
  settle(liveConfig);
  assertEquals(liveConfig.editPath, machine.path);
  place.write(bob(true));
  assertEquals([rest(liveConfig), allowed(liveConfig)], ["changed", true]);
  assertEquals(liveConfig.editPath, place.path);
});

Deno.test("a file that appears where no place had one is loaded", () => {
  using place = new Place(null);
  const liveConfig = new LiveConfig({ paths: [place.path], explicit: false }, HOST_FACTS);
  assertEquals([liveConfig.config.path, rest(liveConfig)], [null, "same"]);
  place.write(bob(true));
  assertEquals([rest(liveConfig), allowed(liveConfig)], ["changed", true]);
});

Deno.test("a file that others may write now is not loaded", () => {
  using place = new Place();
  const liveConfig = place.open();
  settle(liveConfig);
  Deno.chmodSync(place.path, 0o666);
  assertStringIncludes(failed(rest(liveConfig)).message, "is writable by others");
  Deno.writeTextFileSync(place.path, bob(false));
  assertEquals([rest(liveConfig), allowed(liveConfig)], ["same", true]);
  Deno.chmodSync(place.path, 0o644);
  assertEquals([rest(liveConfig), allowed(liveConfig)], ["changed", false]);
});

Deno.test("a correction outside the file is noticed without a change of the file", () => {
  using place = new Place();
  const liveConfig = place.open();
  Deno.chmodSync(place.directory, 0o777);
  place.write(bob(false));
  failed(rest(liveConfig));
  settle(liveConfig);
  Deno.chmodSync(place.directory, 0o700);
  assertEquals([rest(liveConfig), allowed(liveConfig)], ["changed", false]);
});

Deno.test("a key file that is made ends the problem without a change of the file", () => {
  using place = new Place();
  const liveConfig = place.open();
  const key = join(place.directory, "ipc.key");
  place.write(`listeners: [{ tcp: "127.0.0.1:1", keys: [{ file: ${key} }] }]\n`);
  assertStringIncludes(failed(rest(liveConfig)).message, "cannot use the key file");
  settle(liveConfig);
  Deno.writeTextFileSync(key, "", { mode: 0o600 });
  const deadline = performance.now() + 5_000;
  while (rest(liveConfig) !== "changed") assert(performance.now() < deadline, "never noticed");
  assertEquals([liveConfig.problem, liveConfig.config.listeners?.length], [null, 1]);
});

Deno.test("LiveConfig does not start with a bad file", () => {
  using place = new Place("typo: 1\n");
  assertThrows(() => place.open(), Failure, "there is no key");
});
