import { assertEquals, assertThrows } from "@std/assert";
import {
  encodeAccept,
  encodeHello,
  encodeReject,
  parseAccept,
  parseHello,
  parseReject,
} from "../../lib/protocol/greetings.ts";
import { MAX_GREETING_BODY_BYTES } from "../../lib/protocol/records.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test("greetings are encoded as docs/protocol.md says", () => {
  assertEquals(decode(encodeHello({ client: "vector/1", user: null })), '{"client":"vector/1"}');
  assertEquals(decode(encodeHello({ client: "c", user: "bob" })), '{"client":"c","user":"bob"}');
  assertEquals(
    decode(encodeAccept({ user: "bob", service: "forward" })),
    '{"user":"bob","service":"forward"}',
  );
  assertEquals(decode(encodeReject("user-denied")), '{"reason":"user-denied"}');
});

Deno.test("an encoded greeting is parsed", () => {
  for (const user of [null, "bob", "böb", 'b"\\b', "x".repeat(255), "\u{1f511}".repeat(127)]) {
    assertEquals(parseHello(encodeHello({ client: "c", user })), { client: "c", user });
  }
  assertEquals(parseReject(encodeReject("over-limit")), "over-limit");
  const accept = { user: "bob", service: "console" };
  assertEquals(parseAccept(encodeAccept(accept)), accept);
});

Deno.test("the order of members and the blanks between them make no difference", () => {
  assertEquals(parseAccept(encode(' { "service" : "s",\n"user":"u" } ')), {
    user: "u",
    service: "s",
  });
});

for (
  const [what, text] of [
    ["nothing", ""],
    ["text that is not JSON", "client"],
    ["two values", '{"client":"a"}{}'],
    ["a list", '["client"]'],
    ["a text", '"client"'],
    ["a number", "1"],
    ["null", "null"],
    ["no client", '{"user":"bob"}'],
    ["a client that is not a text", '{"client":1}'],
    ["a client that is null", '{"client":null}'],
    ["an empty client", '{"client":""}'],
    ["a user that is null", '{"client":"a","user":null}'],
    ["an empty user", '{"client":"a","user":""}'],
    ["an unknown member", '{"client":"a","admin":"yes"}'],
    ["__proto__", '{"client":"a","__proto__":"b"}'],
    ["a client in the prototype", '{"__proto__":{"client":"a"}}'],
    ["a control character", '{"client":"a\\n"}'],
    ["an escape sequence", '{"client":"\\u001b[31m"}'],
    ["a C1 control character", '{"client":"\\u009b"}'],
    ["half of a surrogate pair", '{"client":"\\ud800"}'],
    ["a text that is too long", JSON.stringify({ client: "x".repeat(256) })],
    ["a byte order mark", '\ufeff{"client":"a"}'],
    ["arrays nested 4,000 deep", "[".repeat(4000)],
    ["more bytes than a greeting may have", `{"client":"a"}${" ".repeat(MAX_GREETING_BODY_BYTES)}`],
  ] as const
) {
  Deno.test(`parseHello() does not accept ${what}`, () => {
    assertEquals(parseHello(encode(text)), null);
  });
}

Deno.test("parseHello() does not accept bytes that are not UTF-8", () => {
  const body = encode('{"client":"a?"}');
  body[12] = 0xff;
  assertEquals(parseHello(body), null);
});

Deno.test("parseHello() accepts a body of the greatest length", () => {
  assertEquals(MAX_GREETING_BODY_BYTES, 4096 - 19);
  assertEquals(parseHello(encode('{"client":"a"}'.padEnd(MAX_GREETING_BODY_BYTES))), {
    client: "a",
    user: null,
  });
});

Deno.test("parseAccept() and parseReject() accept exactly their members", () => {
  for (
    const text of ["{}", '{"user":"a"}', '{"service":"a"}', '{"user":"a","service":"b","c":"d"}']
  ) {
    assertEquals(parseAccept(encode(text)), null);
  }
  for (const text of ["{}", '{"reason":1}', '{"reason":"a","more":"b"}', '{"reason":"\\u0000"}']) {
    assertEquals(parseReject(encode(text)), null);
  }
});

Deno.test("a text that may not be sent is not encoded", () => {
  assertThrows(() => encodeReject("a\nb"), RangeError);
  assertThrows(() => encodeAccept({ user: "", service: "s" }), RangeError);
  assertThrows(() => encodeHello({ client: "x".repeat(256), user: null }), RangeError);
});
