/** Edits of the keys of TCP listeners: one entry changes, and every refusal leaves the file. */
import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { addKey, removeKeys, tcpListeners } from "../../lib/config/edit_keys.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";

const AT = { path: "/c", reserved: { overflowUid: 65534 } };
const END = Date.UTC(2027, 5, 30);

const ONE = `users: [{ name: bob, uid: 579 }] # all
listeners:
  - { unix: /a }
  - tcp: "127.0.0.1:4569" # here
    keys:
      - { file: /k, user: bob } # bob's
      - { dir: /d }
      - { file: /l, not_after: 2027-06-30T00:00:00Z }
`;
const TWO = `${ONE}  - { tcp: "[::1]:5", keys: [{ file: /k }, { file: /m }] }\n`;

const key = (file: string, user: string | null = null, notAfter: number | null = null) => ({
  file,
  user,
  notAfter,
});

function refused(edit: () => unknown, exit: number, message: string, hint: string): void {
  const failure = assertThrows(edit, Failure) as Failure;
  assertEquals([failure.exit, failure.message, failure.hint], [exit, message, hint]);
}

Deno.test("addKey() adds an entry behind the others, with the fields that it has", () => {
  const line = "      - { file: /l, not_after: 2027-06-30T00:00:00Z }\n";
  for (
    const [added, entry] of [
      [key("/n"), "{ file: /n }"],
      [key("/n", "bob"), "{ file: /n, user: bob }"],
      [key("/n", null, END), "{ file: /n, not_after: 2027-06-30T00:00:00Z }"],
      [
        key("/n n", "bob", END + 5),
        '{ file: "/n n", user: bob, not_after: 2027-06-30T00:00:00.005Z }',
      ],
    ] as const
  ) {
    const text = ONE.replace(line, `${line}      - ${entry}\n`);
    assertEquals(addKey(ONE, null, added, AT), text);
    assertEquals(addKey(ONE, "tcp:127.0.0.1", added, AT), text);
    assertEquals(addKey(ONE, "127.0.0.1:4569", added, AT), text);
  }
  assertEquals(
    addKey(TWO, "tcp:[::1]:5", key("/n"), AT),
    TWO.replace("{ file: /m }]", "{ file: /m }, { file: /n }]"),
  );
});

Deno.test("addKey() changes nothing where the entry is there, and refuses another one", () => {
  assertStrictEquals(addKey(ONE, null, key("/k", "bob"), AT), ONE);
  assertStrictEquals(addKey(ONE, null, key("/x/../k", "bob"), AT), ONE);
  assertStrictEquals(addKey(ONE, null, key("/l", null, END), AT), ONE);
  const stands = (added: ReturnType<typeof key>, line: number, user: string, flags?: string) =>
    refused(
      () => addKey(ONE, null, added, { ...AT, ...flags === undefined ? {} : { flags } }),
      ExitCode.exists,
      `The key file ${added.file} stands in line ${line} of /c already, for ${user}`,
      `ipcauth keys list${flags ?? ""}`,
    );
  stands(key("/k"), 6, "bob");
  stands(key("/k", "bob", END), 6, "bob", " --config /c");
  stands(key("/l"), 8, "a trusted client");
  stands(key("/l", "bob", END), 8, "a trusted client");
  stands(key("/l", null, END + 1), 8, "a trusted client");
});

Deno.test("addKey() refuses a user or a listener that there is not", () => {
  for (const flags of [undefined, " --config /c"]) {
    refused(
      () => addKey(ONE, null, key("/n", "eve"), { ...AT, ...flags ? { flags } : {} }),
      ExitCode.data,
      'Cannot add the key: there is no user "eve" in users',
      `ipcauth users add eve --local-ipc-access${flags ?? ""}`,
    );
  }
  refused(
    () => addKey(TWO, null, key("/n"), AT),
    ExitCode.usage,
    "There are 2 TCP listeners: which one is meant?",
    "--listener 127.0.0.1:4569 or --listener '[::1]:5'",
  );
  const hint = "add to listeners: - { tcp: HOST:PORT, keys: [{ file: FILE, user: NAME }] }";
  const absent = (text: string, address: string | null, what: string) =>
    refused(() => addKey(text, address, key("/n"), AT), ExitCode.data, `There is ${what}`, hint);
  absent(ONE, "[::1]:5", "no TCP listener [::1]:5 in /c");
  absent(ONE, "x y:z", "no TCP listener x y:z in /c");
  absent(
    ONE,
    "tcp:127.0.0.1:4568",
    'no TCP listener tcp:127.0.0.1:4568 in /c; did you mean "127.0.0.1:4569"?',
  );
  absent("users: []\n", null, "no TCP listener in /c");
  absent("", null, "no TCP listener in /c");
  absent("listeners: [{ unix: /a }]\n", null, "no TCP listener in /c");
});

Deno.test("removeKeys() removes the entries of the files, at one listener or at all", () => {
  const bobs = "      - { file: /k, user: bob } # bob's\n";
  const last = "      - { file: /l, not_after: 2027-06-30T00:00:00Z }\n";
  const remove = (text: string, address: string | null, ...files: string[]) =>
    removeKeys(text, address, new Set(files), AT);
  assertStrictEquals(remove(TWO, null, "/none"), TWO);
  assertEquals(remove(ONE, null, "/k"), ONE.replace(bobs, ""));
  assertEquals(remove(ONE, null, "/l"), ONE.replace(last, ""));
  // The directory stays, so the listener has keys.
  assertEquals(remove(ONE, null, "/l", "/k"), ONE.replace(bobs, "").replace(last, ""));
  assertEquals(remove(TWO, null, "/k"), TWO.replace(bobs, "").replace("{ file: /k }, ", ""));
  assertEquals(remove(TWO, "[::1]:5", "/k"), TWO.replace("{ file: /k }, ", ""));
  assertEquals(remove(TWO, "127.0.0.1", "/k"), TWO.replace(bobs, ""));
  assertStrictEquals(remove(TWO, "127.0.0.2", "/k"), TWO);
  refused(
    () => remove(TWO, "[::1]:5", "/k", "/m"),
    ExitCode.config,
    "Cannot remove the last key of tcp:[::1]:5: a tcp listener without keys is refused",
    "add another key first, or take the listener in line 9 out",
  );
});

Deno.test("a key is found among entries of one line, with directories before and behind it", () => {
  const flow =
    'listeners: [{ tcp: "h:1", keys: [{ dir: /d }, { file: /a }, { dir: /e }, { file: /b }] }]\n';
  const remove = (file: string) => removeKeys(flow, null, new Set([file]), AT);
  assertEquals(remove("/a"), flow.replace("{ file: /a }, ", ""));
  assertEquals(remove("/b"), flow.replace(", { file: /b }", ""));
  // An entry of a later line stands further left.
  const lines = flow.replace("{ dir: /e }", "\n  { dir: /e }");
  assertEquals(removeKeys(lines, null, new Set(["/a"]), AT).includes("/a"), false);
  assertEquals(removeKeys("", null, new Set(["/a"]), AT), "");
});

Deno.test("tcpListeners() finds a listener by its address in any spelling", () => {
  const config = parseConfig(TWO, "/c", AT.reserved);
  const indexes = (address: string | null) =>
    tcpListeners(config, address).map(({ index }) => index);
  for (
    const [address, found] of [
      [null, [1, 2]],
      ["127.0.0.1:4569", [1]],
      ["tcp:127.0.0.1:4569", [1]],
      ["127.0.0.1", [1]],
      [":4569", [1]],
      ["[::1]:5", [2]],
      ["[0:0::1]:5", [2]],
      ["[::1]", []],
      ["127.0.0.1:5", []],
      ["xtcp:127.0.0.1:4569", []],
      ["127.0.0.1tcp::4569", []],
      ["", []],
    ] as const
  ) assertEquals(indexes(address), found, `${address}`);
  assertEquals(tcpListeners(parseConfig("users: []\n", "/c", AT.reserved), null), []);
});
