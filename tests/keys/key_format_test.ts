import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { formatKey, generateKey, parseKeyFile } from "../../lib/keys/key_format.ts";
import { Failure } from "../../lib/errors.ts";

const LINE = "2t2N-QAEpja4NcGIyrHBGHeMjkLIa1JNedwRM-Bquv8";
const KEY = "dadd8df90004a636b835c188cab1c118778c8e42c86b524d79dc1133e06abaff";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (text: string): string => parseKeyFile(encode(text), "/etc/x.key").toHex();

/** The failure of a text; no part of the text may be in it. */
function failure(text: string): Failure {
  const failure = assertThrows(() => parse(text), Failure);
  const report = `${failure.message} ${failure.hint}`;
  for (let at = 0; at + 6 <= LINE.length; at++) {
    assert(!report.includes(LINE.slice(at, at + 6)), "the key is in the message");
  }
  assertEquals(failure.exit, 65);
  return failure;
}

Deno.test("parseKeyFile() reads one line of 43 base64url characters", () => {
  assertEquals(parse(LINE), KEY);
  assertEquals(parse(`${LINE}\n`), KEY);
});

Deno.test("parseKeyFile() ignores comments, empty lines and CR before LF", () => {
  for (
    const text of [
      `# bob's key\n\n${LINE}\n\n# made today \u2014 keep it\n`,
      `${LINE}\r\n`,
      `${LINE}\r`,
      `# a\r\n\r\n${LINE}\r\n#${LINE}\r\n`,
      `#\n${LINE}`,
      `\n\n\n${LINE}\n\n\n`,
    ]
  ) assertEquals(parse(text), KEY);
});

Deno.test("formatKey() writes each key so that parseKeyFile() reads it", () => {
  for (let round = 0; round < 300; round++) {
    const key = round === 0 ? new Uint8Array(32).fill(255) : generateKey();
    const text = formatKey(key);
    assertEquals(text.length, 44);
    const written = new TextDecoder().decode(text);
    const options = { alphabet: "base64url", omitPadding: true } as const;
    assertEquals(written, `${key.toBase64(options)}\n`);
    assertEquals(parseKeyFile(text, "x"), key);
  }
  assertEquals(new TextDecoder().decode(formatKey(Uint8Array.fromHex(KEY))), `${LINE}\n`);
  assertThrows(() => formatKey(new Uint8Array(31)), RangeError);
});

Deno.test("generateKey() makes two different keys", () => {
  assertNotEquals(generateKey(), generateKey());
});

for (
  const [what, text, message] of [
    ["is empty", "", "there is no key in it"],
    ["holds comments alone", `# ${LINE}\n\n`, "there is no key in it"],
    ["holds a short key", `# a\n${LINE.slice(1)}\n`, "line 2 has 42 characters; a key has 43"],
    ["holds a long key", `${LINE}A`, "line 1 has 44 characters; a key has 43"],
    ["holds a very long line", "A".repeat(100_000), "line 1 has 100000 characters; a key has 43"],
    [
      "holds a key with padding",
      `${LINE}=\n`,
      'line 1 has "=" at column 44: a key is written without padding',
    ],
    [
      "holds the other base64",
      `\n${LINE.replace("-", "+")}`,
      "line 2 has a character at column 5 that is not one of base64url",
    ],
    ["holds a blank before the key", ` ${LINE}`, "at column 1 that is not one of base64url"],
    ["holds a blank after the key", `${LINE} \n`, "at column 44 that is not one of base64url"],
    ["holds a NUL", `${LINE}\0\n`, "at column 44 that is not one of base64url"],
    ["holds two byte order marks", `\ufeff\ufeff${LINE}\n`, "line 1 has a character at column 1"],
    [
      "holds a byte order mark in line 2",
      `\n\ufeff${LINE}\n`,
      "line 2 has a character at column 1",
    ],
    ["holds letters of another alphabet", `${LINE.slice(2)}\u0430`, "at column 42 that is not"],
    [
      "ends in bits that belong to no byte",
      `${LINE.slice(0, -1)}9`,
      "line 1 has a last character that cannot end a key of 32 bytes",
    ],
  ] as const
) {
  Deno.test(`parseKeyFile() refuses a file that ${what}`, () => {
    const { message: report, hint } = failure(text);
    assert(report.startsWith('Cannot use key file "/etc/x.key": '), report);
    assert(report.includes(message), report);
    assertEquals(hint, "ipcauth gen-key FILE makes a key in a new file");
  });
}

Deno.test("parseKeyFile() accepts 16 of the 64 characters at the end of a key", () => {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const good = [...alphabet].filter((last) => {
    try {
      parse(LINE.slice(0, -1) + last);
      return true;
    } catch (error) {
      assert(error instanceof Failure);
      return false;
    }
  });
  assertEquals(good.join(""), "AEIMQUYcgkosw048");
});

Deno.test("parseKeyFile() refuses two keys, with the command that comments one out", () => {
  const { message, hint } = failure(`# two\n${LINE}\n\n${LINE}\n`);
  assertEquals(
    message,
    'Cannot use key file "/etc/x.key": line 4 holds a second key; the first is on line 2',
  );
  assertEquals(hint, "sed -i '4s/^/# /' /etc/x.key");
});

Deno.test("parseKeyFile() skips a byte order mark, as the configuration has it", () => {
  assertEquals(parseKeyFile(encode(`\ufeff${LINE}\n`), "/x"), parseKeyFile(encode(LINE), "/x"));
  assertEquals(
    parseKeyFile(encode(`\ufeff# a comment\r\n${LINE}\r\n`), "/x"),
    parseKeyFile(encode(LINE), "/x"),
  );
});

Deno.test("parseKeyFile() skips no part of a byte order mark", () => {
  for (const mark of [[0xef], [0xef, 0xbb], [0xbb, 0xbf], [0xef, 65, 66], [65, 0xbb, 0xbf]]) {
    const text = Uint8Array.of(...mark, ...encode(LINE));
    assertEquals(assertThrows(() => parseKeyFile(text, "/x"), Failure).exit, 65);
  }
});

Deno.test("parseKeyFile() quotes the path in the message and in the command", () => {
  const text = `${LINE}\n${LINE}\n`;
  const failure = assertThrows(() => parseKeyFile(encode(text), "/tmp/a b\nc"), Failure);
  assert(failure.message.startsWith('Cannot use key file "/tmp/a b\\nc": '));
  assertEquals(failure.hint, `sed -i '2s/^/# /' "$(printf '/tmp/a b\\012c')"`);
});
