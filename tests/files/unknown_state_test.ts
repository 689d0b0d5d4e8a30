/**
 * Paths whose state a file server does not say: `statx(2)` with `AT_STATX_FORCE_SYNC` fails, and
 * what the kernel has in its cache can be read as before. Nothing is decided by that.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { LiveConfig } from "../../lib/config/live_config.ts";
import { loadHostFacts } from "../../lib/config/load.ts";
import { Failure } from "../../lib/errors.ts";
import { formatKey, generateKey } from "../../lib/keys/key_format.ts";
import { KeyDirectories } from "../../lib/keys/key_directories.ts";
import { WatchedEnd } from "../../lib/keys/watched_end.ts";
import { WatchedKey } from "../../lib/keys/watched_key.ts";
import { WatchedKeyDirectory } from "../../lib/keys/watched_key_directory.ts";
import { Errno } from "../../lib/libc/errno.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { clockAhead } from "../support/clock_ahead.ts";
import { silentServer } from "../support/failing_call.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** More than the 2 s for which a state may hide a change whose stamps are not known. */
const COARSE_MS = 2_500;
const HOST_FACTS = loadHostFacts(effectiveUid());
const TEXT = "users: [{ name: bob, uid: 579 }]\n";

/** Looks at something until its state is trusted, and for longer than a time stamp is coarse. */
function rest(look: () => void): void {
  const start = performance.now();
  while (performance.now() - start < 60) look();
}

Deno.test("a configuration whose state is not known allows no one", () => {
  using place = new TemporaryDirectory();
  const path = place.write("config.yaml", TEXT);
  const places = { paths: [path], explicit: true };
  const config = new LiveConfig(places, HOST_FACTS);
  rest(() => config.refresh());
  assertEquals(config.isUnreadable, false);
  {
    using _server = silentServer(place.path, Errno.EIO);
    assert(config.refresh() instanceof Failure);
    rest(() => {
      assertEquals([config.refresh(), config.isUnreadable], ["same", true]);
    });
    const start = () => new LiveConfig(places, HOST_FACTS);
    assertThrows(start, Failure, "Cannot load the configuration");
    // The state of a place that is not used does not matter.
    using elsewhere = new TemporaryDirectory();
    const used = elsewhere.write("config.yaml", TEXT);
    const other = new LiveConfig({ paths: [used, path], explicit: false }, HOST_FACTS);
    rest(() => other.refresh());
    assertEquals([other.refresh(), other.isUnreadable], ["same", false]);
  }
  config.refresh();
  assertEquals([config.isUnreadable, config.problem], [false, null]);
});

Deno.test("keys, their ends and their directories whose state is not known are not relied on", () => {
  using place = new TemporaryDirectory();
  const text = new TextDecoder().decode(formatKey(generateKey()));
  const uid = effectiveUid();
  const key = new WatchedKey(place.write("bob.key", text, 0o600), uid);
  const end = new WatchedEnd(place.write("bob.end", "2099-06-30T00:00:00Z\n", 0o600), uid);
  const list = new WatchedKeyDirectory(place.path, uid);
  const watched = [key, end, list];
  const directories = new KeyDirectories();
  directories.set([key.path], [place.path]);
  try {
    const look = () => watched.map((one) => one.refresh());
    rest(look);
    rest(() => directories.hasChanged());
    assertEquals([...look(), directories.hasChanged()], [null, null, null, false]);
    assertEquals(watched.map((one) => one.isUnreadable), [false, false, false]);
    {
      using _server = silentServer(place.path, Errno.EIO);
      assertEquals(look().map((one) => one instanceof Failure), [true, true, true]);
      assertEquals(directories.hasChanged(), true);
      using _clock = clockAhead(COARSE_MS);
      rest(() => {
        assertEquals(look(), [null, null, null]);
        assertEquals(watched.map((one) => one.isUnreadable), [true, true, true]);
        assertEquals(directories.hasChanged(), true);
      });
    }
    rest(look);
    assertEquals(watched.map((one) => one.isUnreadable), [false, false, false]);
    assertEquals(list.keys.length, 1);
  } finally {
    directories.close();
  }
});
