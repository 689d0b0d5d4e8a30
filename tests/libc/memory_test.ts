import { assertEquals, assertThrows } from "@std/assert";
import { addressOf, cString, stringArray, stringAt } from "../../lib/libc/memory.ts";

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

Deno.test("stringArray() ends in NULL, and holds the strings it points to", () => {
  const array = stringArray(["x", "", "yz"].map(cString));
  const pointers = new BigUint64Array(array.buffer, 0, 4);
  assertEquals([...pointers.subarray(0, 3)].map((address) => stringAt(address)), ["x", "", "yz"]);
  assertEquals(pointers[3], 0n);
  // So they live as long as the array that a call was given.
  const offsets = [...pointers.subarray(0, 3)].map((address) => Number(address - addressOf(array)));
  assertEquals(offsets, [32, 34, 35]);
  assertEquals(array.length, 38);
  assertEquals(new BigUint64Array(stringArray([]).buffer), new BigUint64Array(1));
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
