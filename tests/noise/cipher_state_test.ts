import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { CipherState } from "../../lib/noise/cipher_state.ts";
import { Nonce } from "../../lib/noise/nonce.ts";
import { NoiseError, type NoiseErrorReason } from "../../lib/noise/noise_error.ts";
import { decrypt, encrypt, NOTHING } from "../support/noise_vectors.ts";

const KEY = new Uint8Array(32).fill(5);
const LAST = 2n ** 64n - 2n;

function cipher(nonce = new Nonce()): CipherState {
  const state = new CipherState();
  state.initializeKey(KEY, nonce);
  return state;
}

function assertFails(reason: NoiseErrorReason, action: () => unknown): void {
  assertEquals(assertThrows(action, NoiseError).reason, reason);
}

Deno.test("the same plaintext never gives the same ciphertext twice", () => {
  const state = cipher();
  const seen = new Set<string>();
  for (let count = 0; count < 1000; count++) seen.add(encrypt(state, NOTHING).toHex());
  assertEquals(seen.size, 1000);
});

Deno.test("a nonce counts in 64 bits, little-endian after four zeros", () => {
  for (
    const [first, bytes] of [
      [0n, "000000000000000000000000"],
      [1n, "000000000100000000000000"],
      [0xffff_ffffn, "00000000ffffffff00000000"],
      [2n ** 53n - 1n, "00000000ffffffffffff1f00"],
      [2n ** 53n + 1n, "000000000100000000002000"],
      [LAST, "00000000feffffffffffffff"],
    ] as const
  ) {
    assertEquals(new Nonce(first).claim().toHex(), bytes);
  }
});

Deno.test("a nonce neither skips nor repeats where 32 and 53 bits end", () => {
  for (const edge of [2n ** 32n, 2n ** 53n, 2n ** 63n]) {
    const nonce = new Nonce(edge - 3n);
    for (let expected = edge - 3n; expected < edge + 3n; expected++) {
      const value = new DataView(new Uint8Array(nonce.claim()).buffer).getBigUint64(4, true);
      assertEquals(value, expected);
    }
  }
});

Deno.test("a nonce that has reached 2^64-1 stays exhausted", () => {
  const nonce = new Nonce(LAST);
  nonce.claim();
  assertFails("exhausted", () => nonce.claim());
  assertFails("exhausted", () => nonce.claim());
  assertThrows(() => new Nonce(2n ** 64n), RangeError);
  assertThrows(() => new Nonce(-1n), RangeError);
});

Deno.test("a cipher state wipes its key when the nonces are used, in both directions", () => {
  const sender = cipher(new Nonce(LAST));
  const receiver = cipher(new Nonce(LAST));
  assertEquals(decrypt(receiver, encrypt(sender, KEY)), KEY);
  assertFails("exhausted", () => encrypt(sender, KEY));
  assertFails("exhausted", () => decrypt(receiver, new Uint8Array(16)));
  assertThrows(() => encrypt(sender, KEY), Error, "without a key");
  assertThrows(() => decrypt(receiver, new Uint8Array(16)), Error, "without a key");
});

Deno.test("a ciphertext with any bit flipped is unauthentic, and the key is wiped", () => {
  const sealed = encrypt(cipher(), Uint8Array.of(1, 2, 3));
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const forged = new Uint8Array(sealed);
    forged[bit >> 3]! ^= 1 << (bit & 7);
    const receiver = cipher();
    assertFails("unauthentic", () => decrypt(receiver, forged));
    assertThrows(() => decrypt(receiver, sealed), Error, "without a key");
  }
});

Deno.test("a ciphertext out of order or with other associated data is unauthentic", () => {
  const sender = cipher();
  const [one, two] = [encrypt(sender, KEY), encrypt(sender, KEY)];
  assertFails("unauthentic", () => decrypt(cipher(), two));
  const receiver = cipher();
  decrypt(receiver, one);
  assertFails("unauthentic", () => decrypt(receiver, one));
  assertFails("unauthentic", () => decrypt(cipher(), one, Uint8Array.of(1)));
  const bound = encrypt(cipher(), KEY, Uint8Array.of(1));
  assertFails("unauthentic", () => decrypt(cipher(), bound));
  assertEquals(decrypt(cipher(), bound, Uint8Array.of(1)), KEY);
});

Deno.test("a ciphertext shorter than its tag or longer than a message is malformed", () => {
  for (let length = 0; length < 16; length++) {
    assertFails("malformed", () => decrypt(cipher(), new Uint8Array(length)));
  }
  assertFails("malformed", () => decrypt(cipher(), new Uint8Array(65536)));
  assertThrows(() => encrypt(cipher(), new Uint8Array(65520)), RangeError);
  assertEquals(encrypt(cipher(), new Uint8Array(65519)).length, 65535);
});

Deno.test("encryption works in place", () => {
  const text = new TextEncoder().encode("in place");
  const buffer = new Uint8Array(40);
  buffer.set(text, 5);
  const length = cipher().encryptWithAd(NOTHING, buffer.subarray(5, 5 + text.length), buffer, 5);
  assertNotEquals(buffer.subarray(5, 5 + text.length), text);
  assertEquals(decrypt(cipher(), buffer.subarray(5, 5 + length)), text);
});

Deno.test("a buffer that is too short costs no nonce", () => {
  const state = cipher();
  assertThrows(() => state.encryptWithAd(NOTHING, KEY, new Uint8Array(47)), RangeError);
  assertThrows(() => state.encryptWithAd(NOTHING, KEY, new Uint8Array(48), 1), RangeError);
  assertEquals(encrypt(state, KEY), encrypt(cipher(), KEY));
});

Deno.test("a cipher state without a key throws, and wiping keeps the caller's key", () => {
  const state = new CipherState();
  assertThrows(() => encrypt(state, KEY), Error, "without a key");
  assertThrows(() => state.initializeKey(new Uint8Array(31)), RangeError);
  const key = Buffer.alloc(32, 5);
  state.initializeKey(key);
  state.wipe();
  assertEquals(key, Buffer.alloc(32, 5));
  assertThrows(() => encrypt(state, KEY), Error, "without a key");
});
