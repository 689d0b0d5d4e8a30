import { assertEquals, assertThrows } from "@std/assert";
import { addressOf, cString, pointersTo, stringAt } from "../../lib/libc/memory.ts";

Deno.test("cString() appends a NUL, and throws for a text that holds one", () => {
  assertEquals([...cString("aü")], [0x61, 0xc3, 0xbc, 0]);
  assertEquals([...cString("")], [0]);
  assertThrows(() => cString("/etc/passwd\0.txt"), TypeError, "NUL");
});

Deno.test("stringAt() reads up to the NUL or its limit", () => {
  const text = cString("abc");
  assertEquals(stringAt(addressOf(text)), "abc");
  assertEquals(stringAt(addressOf(text), 2), "ab");
});

Deno.test("pointersTo() ends in NULL", () => {
  const strings = ["x", "yz"].map(cString);
  const pointers = new BigUint64Array(pointersTo(strings).buffer);
  assertEquals(pointers.length, 3);
  assertEquals([pointers[0]!, pointers[1]!].map((address) => stringAt(address)), ["x", "yz"]);
  assertEquals(pointers[2], 0n);
  assertEquals(new BigUint64Array(pointersTo([]).buffer), new BigUint64Array(1));
});

Deno.test("a buffer keeps its address during garbage collection", () => {
  // The collector moves small objects. A buffer that moved would make its address invalid.
  const buffers = Array.from({ length: 500 }, (_, index) => {
    const buffer = index % 2 === 0 ? cString(`s${index}`) : new Uint8Array(4);
    return { buffer, address: addressOf(buffer) };
  });
  let garbage: unknown[] = [];
  for (let index = 0; index < 1_000_000; index++) {
    garbage.push({ index });
    if (garbage.length > 50_000) garbage = [];
  }
  for (const { buffer, address } of buffers) assertEquals(addressOf(buffer), address);
});
