/** What the examples print: text, and headings before the steps that they are about. */

/** Prints text unchanged. */
export function print(text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

/** Prints what the next steps show. */
export function printHeading(text: string): void {
  print(`\n# ${text}\n`);
}
