import { assertEquals, assertThrows } from "@std/assert";
import { MAX_BODY_BYTES, openRecord, RecordType, sealRecord } from "../../lib/protocol/records.ts";
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

Deno.test("the longest record has 65,537 bytes", () => {
  const out = new Uint8Array(70_000);
  assertEquals(
    sealRecord(cipher(), RecordType.data, new Uint8Array(MAX_BODY_BYTES), out, 0),
    65537,
  );
  assertEquals(out.subarray(0, 2), Uint8Array.of(255, 255));
  const longer = new Uint8Array(MAX_BODY_BYTES + 1);
  assertThrows(
    () => sealRecord(cipher(), RecordType.data, longer, out, 0),
    RangeError,
    "a record's body has at most",
  );
});

Deno.test("a ciphertext without a type is no record", () => {
  const sending = new CipherState();
  const receiving = new CipherState();
  for (const cipher of [sending, receiving]) cipher.initializeKey(new Uint8Array(32));
  const ciphertext = new Uint8Array(16);
  sending.encryptWithAd(new Uint8Array(0), new Uint8Array(0), ciphertext);
  assertThrows(() => openRecord(receiving, ciphertext), RangeError, "has a type");
});

Deno.test("sealRecord() throws when the buffer is too short", () => {
  const body = new Uint8Array(4);
  const message = "23 bytes of space";
  assertThrows(() => sealRecord(cipher(), 0, body, new Uint8Array(22), 0), RangeError, message);
  assertThrows(() => sealRecord(cipher(), 0, body, new Uint8Array(23), 1), RangeError, message);
});
