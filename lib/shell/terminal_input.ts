/**
 * The terminal as a stream of keys.
 *
 * `process.stdin` opens the terminal's file a second time, which a user who got the terminal from somebody
 * else (`su`, `sudo`, `run-as`) may not do; Deno 2.9.6 then reads nothing at all. The descriptor that was
 * handed down works, and is what is read here.
 *
 * @module
 */
import { Readable } from "node:stream";

/** Standard input for `node:readline`, which asks it for single keys. */
export function terminalInput(): Readable {
  const keys = Readable.fromWeb(
    // The two declarations of the same web stream differ in a detail that plays no part here.
    Deno.stdin.readable as unknown as Parameters<typeof Readable.fromWeb>[0],
  );
  return Object.assign(keys, {
    isTTY: true,
    setRawMode(raw: boolean): void {
      Deno.stdin.setRaw(raw);
    },
  });
}
