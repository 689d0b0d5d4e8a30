import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { loadHostFacts } from "../../lib/config/load.ts";
import { LiveConfig } from "../../lib/config/live_config.ts";
import { Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";

const GROUND = loadHostFacts(effectiveUid());

/** A configuration that says whether bob has access; both texts are of one length. */
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
    return new LiveConfig({ paths: [this.path], explicit: true }, GROUND);
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

function allowed(source: LiveConfig): boolean | undefined {
  return source.config.access.usersByName.get("bob")?.localIpcAccess;
}

function failed(outcome: "same" | "changed" | Failure): Failure {
  if (outcome instanceof Failure) return outcome;
  throw new Error(`no failure but "${outcome}"`);
}

/** Makes the file look as if it had not been changed for long, so that nothing but a look is done. */
function settle(source: LiveConfig): void {
  const deadline = performance.now() + 60;
  while (performance.now() < deadline) source.refresh();
}

Deno.test("an unchanged file is the same", () => {
  using place = new Place();
  const source = place.open();
  const { config } = source;
  for (let round = 0; round < 100; round++) assertEquals(source.refresh(), "same");
  assertEquals(source.config, config);
});

Deno.test("a change in place and a rename over it are seen at once", () => {
  using place = new Place();
  const source = place.open();
  for (let round = 0; round < 50; round++) {
    const access = round % 2 === 1;
    if (round % 3 === 0) place.replace(bob(access));
    else place.write(bob(access));
    assertEquals(source.refresh(), "changed");
    assertEquals(allowed(source), access);
  }
});

Deno.test("no change is missed, however fast one follows the other in one inode of one size", () => {
  using place = new Place();
  const source = place.open();
  const bytes = [bob(false), bob(true)].map((text) => new TextEncoder().encode(text));
  using file = Deno.openSync(place.path, { write: true });
  for (let round = 0; round < 5_000; round++) {
    file.seekSync(0, Deno.SeekMode.Start);
    file.writeSync(bytes[round % 2]!);
    source.refresh();
    assertEquals(allowed(source), round % 2 === 1);
  }
});

Deno.test("a change after a long rest is seen at once", () => {
  using place = new Place();
  const source = place.open();
  settle(source);
  place.write(bob(false));
  assertEquals(source.refresh(), "changed");
  assertEquals(allowed(source), false);
});

Deno.test("a file whose time stamps are forged back is still seen to change", () => {
  using place = new Place();
  Deno.utimeSync(place.path, 1_000, 1_000);
  const source = place.open();
  settle(source);
  place.write(bob(false));
  Deno.utimeSync(place.path, 1_000, 1_000);
  assertEquals(source.refresh(), "changed");
});

Deno.test("a bad file keeps the running configuration and is told once", () => {
  using place = new Place();
  const source = place.open();
  place.write("typo: 1\n");
  const failure = failed(source.refresh());
  assertStringIncludes(failure.message, "config.yaml:1:1: typo: there is no key");
  assertEquals(source.problem?.failure, failure);
  assert(Math.abs(source.problem!.since - Date.now()) < 60_000);
  for (let round = 0; round < 5; round++) assertEquals(source.refresh(), "same");
  assertEquals(allowed(source), true);
});

Deno.test("another bad file is told again, even if its problem reads the same", () => {
  using place = new Place();
  const source = place.open();
  place.write("typo: 1\n");
  failed(source.refresh());
  place.write("typo: 2\n");
  failed(source.refresh());
  assertEquals(source.refresh(), "same");
});

Deno.test("a mended file ends the problem", () => {
  using place = new Place();
  const source = place.open();
  place.write("typo: 1\n");
  failed(source.refresh());
  place.write(bob(false));
  assertEquals(source.refresh(), "changed");
  assertEquals([source.problem, allowed(source)], [null, false]);
});

Deno.test("a file that comes back as it was ends the problem, too", () => {
  using place = new Place();
  const source = place.open();
  place.write("typo: 1\n");
  failed(source.refresh());
  place.write(bob(true));
  assertEquals([source.refresh(), source.problem], ["changed", null]);
});

Deno.test("a file that vanishes keeps the running configuration, named or not", () => {
  for (const explicit of [true, false]) {
    using place = new Place();
    const source = new LiveConfig({ paths: [place.path], explicit }, GROUND);
    Deno.removeSync(place.path);
    failed(source.refresh());
    assertEquals([source.refresh(), allowed(source)], ["same", true]);
    place.write(bob(false));
    assertEquals([source.refresh(), allowed(source)], ["changed", false]);
  }
});

Deno.test("a file that vanishes is not replaced by the one of a lower place", () => {
  using place = new Place();
  using machine = new Place("users: []\n");
  const paths = [place.path, machine.path];
  const source = new LiveConfig({ paths, explicit: false }, GROUND);
  Deno.removeSync(place.path);
  assertStringIncludes(failed(source.refresh()).message, `${place.path} is gone`);
  assertEquals([allowed(source), source.editPath], [true, place.path]);
});

Deno.test("a file that appears in a higher place takes over", () => {
  using place = new Place(null);
  using machine = new Place("users: []\n");
  const paths = [place.path, machine.path];
  const source = new LiveConfig({ paths, explicit: false }, GROUND);
  settle(source);
  assertEquals(source.editPath, machine.path);
  place.write(bob(true));
  assertEquals([source.refresh(), allowed(source)], ["changed", true]);
  assertEquals(source.editPath, place.path);
});

Deno.test("a file that appears where there was none is loaded", () => {
  using place = new Place(null);
  const source = new LiveConfig({ paths: [place.path], explicit: false }, GROUND);
  assertEquals([source.config.path, source.refresh()], [null, "same"]);
  place.write(bob(true));
  assertEquals([source.refresh(), allowed(source)], ["changed", true]);
});

Deno.test("a file that others may write now is no longer believed", () => {
  using place = new Place();
  const source = place.open();
  settle(source);
  Deno.chmodSync(place.path, 0o666);
  assertStringIncludes(failed(source.refresh()).message, "is writable by others");
  Deno.writeTextFileSync(place.path, bob(false));
  assertEquals([source.refresh(), allowed(source)], ["same", true]);
  Deno.chmodSync(place.path, 0o644);
  assertEquals([source.refresh(), allowed(source)], ["changed", false]);
});

Deno.test("what is mended outside the file is noticed without touching the file", () => {
  using place = new Place();
  const source = place.open();
  Deno.chmodSync(place.directory, 0o777);
  place.write(bob(false));
  failed(source.refresh());
  settle(source);
  Deno.chmodSync(place.directory, 0o700);
  assertEquals([source.refresh(), allowed(source)], ["changed", false]);
});

Deno.test("a key file that is made later ends the problem without touching the configuration", () => {
  using place = new Place();
  const source = place.open();
  const key = join(place.directory, "ipc.key");
  place.write(`listeners: [{ tcp: "127.0.0.1:1", keys: [{ file: ${key} }] }]\n`);
  assertStringIncludes(failed(source.refresh()).message, "cannot stat the key file");
  settle(source);
  Deno.writeTextFileSync(key, "", { mode: 0o600 });
  const deadline = performance.now() + 5_000;
  while (source.refresh() !== "changed") assert(performance.now() < deadline, "never noticed");
  assertEquals([source.problem, source.config.listeners?.length], [null, 1]);
});

Deno.test("a source does not begin with a bad file", () => {
  using place = new Place("typo: 1\n");
  assertThrows(() => place.open(), Failure, "there is no key");
});
