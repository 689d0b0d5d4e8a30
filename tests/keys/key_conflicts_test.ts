/** A key that several files hold. */
import { assertEquals } from "@std/assert";
import type { LiveConfig } from "../../lib/config/live_config.ts";
import { BUILT_IN } from "../../lib/config/load.ts";
import type { Config, TcpListenerConfig } from "../../lib/config/types.ts";
import { DescriptorReserve } from "../../lib/files/descriptor_reserve.ts";
import { formatKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { KeyRing } from "../../lib/keys/key_ring.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const KEY = new Uint8Array(32).fill(5);
const ID = keyId(KEY);

interface Entry {
  readonly user: string | null;
  readonly notAfter: number | null;
}

/** What is said of a key that each of some entries names in a file of its own. */
function ringOf(place: TemporaryDirectory, entries: readonly Entry[]) {
  const text = new TextDecoder().decode(formatKey(KEY));
  const keys = entries.map((entry, index) => ({
    file: place.write(`${index}.key`, text, 0o600),
    at: { line: index + 1, column: 1 },
    ...entry,
  }));
  const listener: TcpListenerConfig = {
    kind: "tcp",
    host: "127.0.0.1",
    port: 1,
    keys,
    keyDirectories: [],
    allow: null,
    service: { kind: "console" },
    at: { line: 1, column: 1 },
  };
  const config: Config = { ...BUILT_IN, listeners: [listener] };
  const live = { config, reserve: new DescriptorReserve() } as unknown as LiveConfig;
  const ring = new KeyRing(live, listener, Deno.uid()!);
  const failures = ring.refresh().map(({ message, hint }) => {
    assertEquals(hint, "ipcauth gen-key FILE, and name that file in one of the two entries");
    return message;
  });
  const found = { grant: ring.grant(ID), key: ring.key(ID), failures };
  ring.wipe();
  return { ...found, afterWipe: ring.key(ID) };
}

const BOB = { user: "bob", notAfter: null };

Deno.test("a key that two files hold for one user, with one end, is that user's", () => {
  using place = new TemporaryDirectory();
  const { grant, key, failures, afterWipe } = ringOf(place, [BOB, BOB]);
  assertEquals(grant, { ...BOB, at: { line: 1, column: 1 } });
  assertEquals([key?.length, failures, afterWipe], [32, [], null]);
});

for (
  const [other, first, what] of [
    [{ ...BOB, user: "alice" }, BOB, "of bob"],
    [BOB, { ...BOB, user: null }, "of a trusted client"],
    [{ ...BOB, user: null }, BOB, "of bob"],
    [{ ...BOB, notAfter: 5 }, BOB, "with another end"],
    [BOB, { ...BOB, notAfter: 5 }, "with another end"],
  ] as const
) {
  Deno.test(`a key that two files hold is refused: ${JSON.stringify([first, other])}`, () => {
    for (const entries of [[first, other], [first, first, other], [first, other, first]]) {
      using place = new TemporaryDirectory();
      const { grant, key, failures } = ringOf(place, entries);
      assertEquals([grant, key], [null, null]);
      const at = entries.indexOf(other);
      assertEquals(failures, [
        `The key ${ID} in ${place.at(`${at}.key`)} is also in ${place.at("0.key")}, ${what}, ` +
        "so it is refused",
      ]);
    }
  });
}
