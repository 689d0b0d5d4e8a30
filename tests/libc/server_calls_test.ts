/** The numbers of the system calls that a server in its sandbox is refused. */
import { assert, assertEquals } from "@std/assert";
import { REFUSED } from "../../lib/libc/server_calls.ts";

/** The kernel's lists, of linux-libc-dev; where it is older, some calls are missing. */
const HEADERS = [
  ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"],
  ["/usr/include/asm-generic/unistd.h"],
] as const;

/** Reads the first file that exists. */
function readFirst(paths: readonly string[]): string | null {
  for (const path of paths) {
    try {
      return Deno.readTextFileSync(path);
    } catch {
      // The next one.
    }
  }
  return null;
}

const texts = HEADERS.map(readFirst);

Deno.test(
  "the refused calls have their numbers on x86-64 and arm64",
  { ignore: texts.every((text) => text === null) },
  () => {
    for (const [machine, text] of texts.entries()) {
      if (text === null) continue;
      const numbers = new Map(
        [...text.matchAll(/^#define __NR(?:3264)?_(\w+)\s+([0-9]+)$/gm)]
          .map(([, name, number]) => [name!, Number(number)]),
      );
      const known = Object.entries(REFUSED).filter(([name]) => numbers.has(name));
      assertEquals(
        known.map(([name, all]) => [name, all[machine]]),
        known.map(([name]) => [name, numbers.get(name)]),
      );
      assert(known.length > 50);
    }
  },
);
