/**
 * The terminal as a stream of keys.
 *
 * `process.stdin` opens the terminal's file a second time. A user who was given the terminal by
 * another one (`su`, `sudo`, `run-as`) lacks permission for that, and Deno 2.9.6 then reads
 * nothing. Reading the inherited descriptor works, so this module does that.
 *
 * @module
 */
import { Readable } from "node:stream";

/** Standard input for `node:readline`, which switches it to raw mode and reads single keys. */
export function terminalInput(): Readable {
  const keys = Readable.fromWeb(
    // Deno and node declare the same web stream with types that differ in a detail not used here.
    Deno.stdin.readable as unknown as Parameters<typeof Readable.fromWeb>[0],
  );
  return Object.assign(keys, {
    isTTY: true,
    setRawMode(raw: boolean): void {
      Deno.stdin.setRaw(raw);
    },
  });
}
