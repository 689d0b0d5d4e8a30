import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { loadHostFacts } from "../../lib/config/load.ts";
import { LiveConfig } from "../../lib/config/live_config.ts";
import { Failure } from "../../lib/errors.ts";
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

Deno.test("LiveConfig.refresh() answers same for an unchanged file", () => {
  using place = new Place();
  const liveConfig = place.open();
  const { config } = liveConfig;
  for (let round = 0; round < 100; round++) assertEquals(liveConfig.refresh(), "same");
  assertEquals(liveConfig.config, config);
});

Deno.test("LiveConfig.refresh() notices a write in place and a rename at once", () => {
  using place = new Place();
  const liveConfig = place.open();
  for (let round = 0; round < 50; round++) {
    const access = round % 2 === 1;
    if (round % 3 === 0) place.replace(bob(access));
    else place.write(bob(access));
    assertEquals(liveConfig.refresh(), "changed");
    assertEquals(allowed(liveConfig), access);
  }
});

Deno.test("LiveConfig.refresh() misses no change of 5,000 in one inode of one size", () => {
  using place = new Place();
  const liveConfig = place.open();
  const bytes = [bob(false), bob(true)].map((text) => new TextEncoder().encode(text));
  using file = Deno.openSync(place.path, { write: true });
  for (let round = 0; round < 5_000; round++) {
    file.seekSync(0, Deno.SeekMode.Start);
    file.writeSync(bytes[round % 2]!);
    liveConfig.refresh();
    assertEquals(allowed(liveConfig), round % 2 === 1);
  }
});

Deno.test("LiveConfig.refresh() notices a change once the stat is trusted", () => {
  using place = new Place();
  const liveConfig = place.open();
  settle(liveConfig);
  place.write(bob(false));
  assertEquals(liveConfig.refresh(), "changed");
  assertEquals(allowed(liveConfig), false);
});

Deno.test("LiveConfig.refresh() notices a change whose modification time is set back", () => {
  using place = new Place();
  Deno.utimeSync(place.path, 1_000, 1_000);
  const liveConfig = place.open();
  settle(liveConfig);
  place.write(bob(false));
  Deno.utimeSync(place.path, 1_000, 1_000);
  assertEquals(liveConfig.refresh(), "changed");
});

Deno.test("a bad file keeps the running configuration, and is reported once", () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write("typo: 1\n");
  const failure = failed(liveConfig.refresh());
  assertStringIncludes(failure.message, "config.yaml:1:1: typo: there is no key");
  assertEquals(liveConfig.problem?.failure, failure);
  assert(Math.abs(liveConfig.problem!.since - Date.now()) < 60_000);
  for (let round = 0; round < 5; round++) assertEquals(liveConfig.refresh(), "same");
  assertEquals(allowed(liveConfig), true);
});

Deno.test("another bad file is reported again, even with the same problem", () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write("typo: 1\n");
  failed(liveConfig.refresh());
  place.write("typo: 2\n");
  failed(liveConfig.refresh());
  assertEquals(liveConfig.refresh(), "same");
});

Deno.test("a corrected file ends the problem", () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write("typo: 1\n");
  failed(liveConfig.refresh());
  place.write(bob(false));
  assertEquals(liveConfig.refresh(), "changed");
  assertEquals([liveConfig.problem, allowed(liveConfig)], [null, false]);
});

Deno.test("the former file ends the problem, too", () => {
  using place = new Place();
  const liveConfig = place.open();
  place.write("typo: 1\n");
  failed(liveConfig.refresh());
  place.write(bob(true));
  assertEquals([liveConfig.refresh(), liveConfig.problem], ["changed", null]);
});

Deno.test("a file that is removed keeps the running configuration, named or not", () => {
  for (const explicit of [true, false]) {
    using place = new Place();
    const liveConfig = new LiveConfig({ paths: [place.path], explicit }, HOST_FACTS);
    Deno.removeSync(place.path);
    failed(liveConfig.refresh());
    assertEquals([liveConfig.refresh(), allowed(liveConfig)], ["same", true]);
    place.write(bob(false));
    assertEquals([liveConfig.refresh(), allowed(liveConfig)], ["changed", false]);
  }
});

Deno.test("a file that is removed is not replaced by the one of a later place", () => {
  using place = new Place();
  using machine = new Place("users: []\n");
  const paths = [place.path, machine.path];
  const liveConfig = new LiveConfig({ paths, explicit: false }, HOST_FACTS);
  Deno.removeSync(place.path);
  assertStringIncludes(failed(liveConfig.refresh()).message, `${place.path} is gone`);
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
  assertEquals([liveConfig.refresh(), allowed(liveConfig)], ["changed", true]);
  assertEquals(liveConfig.editPath, place.path);
});

Deno.test("a file that appears where no place had one is loaded", () => {
  using place = new Place(null);
  const liveConfig = new LiveConfig({ paths: [place.path], explicit: false }, HOST_FACTS);
  assertEquals([liveConfig.config.path, liveConfig.refresh()], [null, "same"]);
  place.write(bob(true));
  assertEquals([liveConfig.refresh(), allowed(liveConfig)], ["changed", true]);
});

Deno.test("a file that others may write now is not loaded", () => {
  using place = new Place();
  const liveConfig = place.open();
  settle(liveConfig);
  Deno.chmodSync(place.path, 0o666);
  assertStringIncludes(failed(liveConfig.refresh()).message, "is writable by others");
  Deno.writeTextFileSync(place.path, bob(false));
  assertEquals([liveConfig.refresh(), allowed(liveConfig)], ["same", true]);
  Deno.chmodSync(place.path, 0o644);
  assertEquals([liveConfig.refresh(), allowed(liveConfig)], ["changed", false]);
});

Deno.test("a correction outside the file is noticed without a change of the file", () => {
  using place = new Place();
  const liveConfig = place.open();
  Deno.chmodSync(place.directory, 0o777);
  place.write(bob(false));
  failed(liveConfig.refresh());
  settle(liveConfig);
  Deno.chmodSync(place.directory, 0o700);
  assertEquals([liveConfig.refresh(), allowed(liveConfig)], ["changed", false]);
});

Deno.test("a key file that is made ends the problem without a change of the file", () => {
  using place = new Place();
  const liveConfig = place.open();
  const key = join(place.directory, "ipc.key");
  place.write(`listeners: [{ tcp: "127.0.0.1:1", keys: [{ file: ${key} }] }]\n`);
  assertStringIncludes(failed(liveConfig.refresh()).message, "cannot use the key file");
  settle(liveConfig);
  Deno.writeTextFileSync(key, "", { mode: 0o600 });
  const deadline = performance.now() + 5_000;
  while (liveConfig.refresh() !== "changed") assert(performance.now() < deadline, "never noticed");
  assertEquals([liveConfig.problem, liveConfig.config.listeners?.length], [null, 1]);
});

Deno.test("LiveConfig does not start with a bad file", () => {
  using place = new Place("typo: 1\n");
  assertThrows(() => place.open(), Failure, "there is no key");
});
