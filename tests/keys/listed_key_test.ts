/** The keys of a listener, as `keys` lists them: which admit no one, and why. */
import { assertEquals, assertThrows } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import type { TcpListenerConfig } from "../../lib/config/types.ts";
import { Failure } from "../../lib/errors.ts";
import { formatKey } from "../../lib/keys/key_format.ts";
import { keyId } from "../../lib/keys/key_id.ts";
import { listListenerKeys } from "../../lib/keys/listed_key.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const OWN_UID = Deno.uid()!;
const KEY = new Uint8Array(32).fill(3);
const TEXT = new TextDecoder().decode(formatKey(KEY));
const ID = keyId(KEY);
const END = "2100-06-30T00:00:00Z";

class Place extends TemporaryDirectory {
  constructor() {
    super();
    Deno.mkdirSync(this.at("keys.d"), { mode: 0o700 });
  }

  /** Writes a key of the directory. */
  key(name: string, text = TEXT, mode = 0o600): void {
    this.write(`keys.d/${name}`, text, mode);
  }

  list(entries = "") {
    const text = `listeners: [{ tcp: "127.0.0.1:1", keys: [${entries}{ dir: ${
      this.at("keys.d")
    } }] }]\nusers: [{ name: bob, uid: 579 }]\n`;
    const config = parseConfig(text, "/c.yaml", { overflowUid: 65534 });
    const listener = config.listeners![0] as TcpListenerConfig;
    return listListenerKeys(listener, config, OWN_UID).map((key) => {
      const { file, user, notAfter, isInDirectory, id, problem, hint } = key;
      const name = file.slice(this.path.length + 1);
      return [name, user, notAfter, isInDirectory, id, problem, hint];
    });
  }
}

Deno.test("the keys of entries are listed before those of directories, each with its end", () => {
  using place = new Place();
  place.write("a.key", TEXT, 0o600);
  place.key("bob.key");
  place.key("bob+x.key");
  place.write("keys.d/bob.not-after", `${END}\n`);
  const entries = `{ file: ${place.at("a.key")}, user: bob, not_after: ${END} }, `;
  assertEquals(place.list(entries), [
    ["a.key", "bob", Date.parse(END), false, ID, null, undefined],
    ["keys.d/bob+x.key", "bob", null, true, ID, null, undefined],
    ["keys.d/bob.key", "bob", Date.parse(END), true, ID, null, undefined],
  ]);
});

Deno.test("a key that admits no one is listed with the reason, that of its file first", () => {
  using place = new Place();
  const at = (name: string) => place.at(`keys.d/${name}`);
  place.key("bob+open.key", TEXT, 0o644);
  place.key("bob+half.key", "half\n");
  place.key("bob+old.key");
  place.write("keys.d/bob+old.not-after", "June\n");
  place.key("dave.key");
  place.key("dave+half.key", "half\n");
  place.write("keys.d/dave+half.not-after", "June\n");
  place.key("dave+old.key");
  place.write("keys.d/dave+old.not-after", "June\n");
  const half = (name: string) => [
    `Cannot use key file "${at(name)}": line 1 has 4 characters; a key has 43`,
    "ipcauth gen-key FILE makes a key in a new file",
  ];
  const old = (name: string) => [
    `${at(name)} does not hold one time, so its key is expired`,
    `echo 2027-06-30T00:00:00Z > ${at(name)}`,
  ];
  assertEquals(place.list(), [
    ["keys.d/bob+half.key", "bob", null, true, null, ...half("bob+half.key")],
    ["keys.d/bob+old.key", "bob", 0, true, ID, ...old("bob+old.not-after")],
    [
      ...["keys.d/bob+open.key", "bob", null, true, null],
      `The key file ${at("bob+open.key")} is readable by others (mode 0644)`,
      `chmod o-rwx,g-w ${at("bob+open.key")}`,
    ],
    ["keys.d/dave+half.key", "dave", 0, true, null, ...half("dave+half.key")],
    ["keys.d/dave+old.key", "dave", 0, true, ID, ...old("dave+old.not-after")],
    [
      ...["keys.d/dave.key", "dave", null, true, ID],
      `The key file ${at("dave.key")} is refused: its name says "dave", and there is no such user`,
      `ipcauth users add dave --local-ipc-access --config /c.yaml, or rm ${at("dave.key")}`,
    ],
  ]);
});

Deno.test("a key without a hint is listed without one, and a directory that is refused with none", () => {
  using place = new Place();
  place.key("bob.key", TEXT + "#".repeat(65_536));
  assertEquals(place.list(), [
    [
      ...["keys.d/bob.key", "bob", null, true, null],
      ...[`${place.at("keys.d/bob.key")} is larger than a key file`, undefined],
    ],
  ]);
  Deno.chmodSync(place.at("keys.d"), 0o777);
  assertEquals(assertThrows(() => place.list(), Failure).exit, 78);
});
