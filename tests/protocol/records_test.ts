import { assertEquals, assertThrows } from "@std/assert";
import { MAX_BODY, openRecord, RecordType, sealRecord } from "../../lib/protocol/records.ts";
import { CipherState } from "../../lib/noise/cipher_state.ts";

function cipher(): CipherState {
  const state = new CipherState();
  state.initializeKey(new Uint8Array(32).fill(8));
  return state;
}

Deno.test("a record is its length, big-endian, and a ciphertext of type and body", () => {
  const out = new Uint8Array(400);
  assertEquals(sealRecord(cipher(), RecordType.data, new Uint8Array(300).fill(5), out, 7), 319);
  assertEquals(out.subarray(7, 9), Uint8Array.of(317 >> 8, 317 & 255));
  const { type, body } = openRecord(cipher(), out.subarray(9, 9 + 317));
  assertEquals([type, new Uint8Array(body)], [RecordType.data, new Uint8Array(300).fill(5)]);
});

Deno.test("the longest record is 65,537 bytes, and there is no longer one", () => {
  const out = new Uint8Array(70_000);
  assertEquals(sealRecord(cipher(), RecordType.data, new Uint8Array(MAX_BODY), out, 0), 65537);
  assertEquals(out.subarray(0, 2), Uint8Array.of(255, 255));
  const longer = new Uint8Array(MAX_BODY + 1);
  assertThrows(
    () => sealRecord(cipher(), RecordType.data, longer, out, 0),
    RangeError,
    "a record's body has at most",
  );
});

Deno.test("a record without room for it is a mistake of the caller", () => {
  const body = new Uint8Array(4);
  const told = "23 bytes of room";
  assertThrows(() => sealRecord(cipher(), 0, body, new Uint8Array(22), 0), RangeError, told);
  assertThrows(() => sealRecord(cipher(), 0, body, new Uint8Array(23), 1), RangeError, told);
});
