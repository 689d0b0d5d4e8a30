import { assertEquals, assertThrows } from "@std/assert";
import { addressOf, cString, pointersTo, stringAt } from "../../lib/libc/memory.ts";

Deno.test("cString() ends in a NUL, and refuses a text that holds one", () => {
  assertEquals([...cString("aü")], [0x61, 0xc3, 0xbc, 0]);
  assertEquals([...cString("")], [0]);
  assertThrows(() => cString("/etc/passwd\0.txt"), TypeError, "NUL");
});

Deno.test("stringAt() reads up to the NUL, and no further than its limit", () => {
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

Deno.test("a buffer stays where it is while others come and go", () => {
  // The collector moves small objects; a buffer that moved would leave C with an address of nothing.
  const kept = Array.from({ length: 500 }, (_, index) => {
    const buffer = index % 2 === 0 ? cString(`s${index}`) : new Uint8Array(4);
    return { buffer, address: addressOf(buffer) };
  });
  let litter: unknown[] = [];
  for (let index = 0; index < 1_000_000; index++) {
    litter.push({ index });
    if (litter.length > 50_000) litter = [];
  }
  for (const { buffer, address } of kept) assertEquals(addressOf(buffer), address);
});
