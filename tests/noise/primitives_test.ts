import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { NoiseError } from "../../lib/noise/noise_error.ts";
import {
  hkdf,
  KeyPair,
  open,
  randomBytes,
  requireContributory,
  seal,
  sha256,
} from "../../lib/noise/primitives.ts";
import { NOTHING } from "../support/noise_vectors.ts";

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);

/** The public keys of low order, with values equal modulo 2^255-19: cr.yp.to/ecdh.html. */
const LOW_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

Deno.test("SHA-256 is that of FIPS 180-4, over two parts as over one", () => {
  const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const encode = (text: string) => new TextEncoder().encode(text);
  assertEquals(sha256(encode("abc")).toHex(), digest);
  assertEquals(sha256(encode("a"), encode("bc")).toHex(), digest);
});

Deno.test("HKDF is that of RFC 5869 with empty info (its test case 3, salt of zeros)", () => {
  const outputs = hkdf(new Uint8Array(32), hex("0b".repeat(22)), 2);
  assertEquals(
    outputs.subarray(0, 42).toHex(),
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
  );
  assertEquals(hkdf(new Uint8Array(32), NOTHING, 3).length, 96);
});

Deno.test("X25519 is that of RFC 7748, section 6.1", () => {
  const alice = KeyPair.fromPrivateKey(
    hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"),
  );
  assertEquals(
    alice.publicKey.toHex(),
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
  );
  const bob = hex("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  assertEquals(alice.agree(bob).toHex(), secret);
  // The unused top bit of a public key is ignored (section 5).
  bob[31]! |= 0x80;
  assertEquals(alice.agree(bob).toHex(), secret);
});

Deno.test("agree() fails for every public key of low order", () => {
  const pair = KeyPair.generate();
  for (const low of LOW_ORDER) {
    const point = hex(low);
    for (let bit = 0; bit < 2; bit++) {
      assertEquals(assertThrows(() => pair.agree(point), NoiseError).reason, "weak-key");
      point[31]! |= 0x80;
    }
  }
});

Deno.test("requireContributory() fails for the all-zero shared secret only", () => {
  const failure = assertThrows(() => requireContributory(new Uint8Array(32)), NoiseError);
  assertEquals(failure.reason, "weak-key");
  for (let position = 0; position < 32; position++) {
    const secret = new Uint8Array(32);
    secret[position] = 1;
    assertEquals(requireContributory(secret), secret);
  }
});

Deno.test("a key of another length than 32 bytes is a RangeError", () => {
  for (const length of [0, 31, 33]) {
    assertThrows(() => KeyPair.fromPrivateKey(new Uint8Array(length)), RangeError);
    assertThrows(() => KeyPair.generate().agree(new Uint8Array(length)), RangeError);
  }
});

Deno.test("ChaCha20-Poly1305 is that of RFC 8439, appendix A.5", () => {
  const key = hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
  const nonce = hex("000000000102030405060708");
  const ad = hex("f33388860000000000004e91");
  const out = new Uint8Array(400);
  const text = new TextEncoder().encode(
    "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, " +
      "replaced, or obsoleted by other documents at any time. It is inappropriate to use " +
      "Internet-Drafts as reference material or to cite them other than as " +
      "/\u201cwork in progress./\u201d",
  );
  const length = seal(key, nonce, ad, text, out, 1);
  assertEquals(out.subarray(1, 17).toHex(), "64a0861575861af460f062c79be643bd");
  assertEquals(
    out.subarray(1 + text.length, 1 + length).toHex(),
    "eead9d67890cbb22392336fea1851f38",
  );
  const plaintext = open(key, nonce, ad, out.subarray(1, 1 + length));
  assertEquals(plaintext === null ? null : new Uint8Array(plaintext), text);
});

Deno.test("randomBytes() returns different bytes each time", () => {
  assertEquals(randomBytes(32).length, 32);
  assertNotEquals(randomBytes(32), randomBytes(32));
});
