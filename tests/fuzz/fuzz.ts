/**
 * Properties that hold for any input. A run is bounded and reproducible: a failure prints the seed
 * and the shortest input, which then becomes a file of `corpus/`.
 *
 * `IPCAUTH_FUZZ_RUNS` is how many inputs a property gets (default 5,000), `IPCAUTH_FUZZ_SEED` the
 * seed of another run.
 */
import { fromFileUrl } from "@std/path";
import fc from "fast-check";

const CORPUS = fromFileUrl(new URL("corpus/", import.meta.url));

function numberOf(name: string): number | undefined {
  const text = Deno.env.get(name);
  return text === undefined ? undefined : Number(text);
}

const RUNS = numberOf("IPCAUTH_FUZZ_RUNS") ?? 5_000;
const SEED = numberOf("IPCAUTH_FUZZ_SEED");

/**
 * Checks a property for many inputs.
 *
 * @param share Of the runs: less than 1 where an input is costly.
 */
export function forAny<T>(input: fc.Arbitrary<T>, holds: (input: T) => void, share = 1): void {
  fc.assert(fc.property(input, holds), parameters(share));
}

/** The same for a property that takes time. */
export async function forAnyAsync<T>(
  input: fc.Arbitrary<T>,
  holds: (input: T) => Promise<void>,
  share = 1,
): Promise<void> {
  await fc.assert(fc.asyncProperty(input, holds), parameters(share));
}

function parameters(share: number) {
  return { numRuns: Math.ceil(RUNS * share), ...SEED === undefined ? {} : { seed: SEED } };
}

/** The inputs of a directory of the corpus: found before, and worth a start. */
export function corpus(name: string): Uint8Array<ArrayBuffer>[] {
  return [...Deno.readDirSync(CORPUS + name)]
    .map((entry) => entry.name)
    .toSorted()
    .map((file) => Deno.readFileSync(`${CORPUS}${name}/${file}`));
}

/** Bytes of any value. */
export const anyBytes: fc.Arbitrary<Uint8Array<ArrayBuffer>> = fc
  .uint8Array({ maxLength: 300 })
  .map((bytes) => new Uint8Array(bytes));

/** Texts with every kind of character: controls, escape sequences, wide and combining ones. */
export const anyText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.array(
    fc.constantFrom(
      ...["\x1b[2J", "\x1b]0;x\x07", "\n", "\r", "\t", "\0", "\x7f", "\u009b31m", "\u2028"],
      ...["\u202e", "東", "é", "😀", " ", '"', "'", "|", "\\", "bob", "=", ",", "%", "/"],
    ),
    { maxLength: 12 },
  ).map((parts) => parts.join("")),
);

/** Inputs that are near to good ones: some bytes changed, left out, repeated or put in. */
export function mutated(
  seeds: readonly Uint8Array<ArrayBuffer>[],
): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const change = fc.record({
    kind: fc.constantFrom("flip", "set", "remove", "insert", "repeat", "cut"),
    at: fc.nat(),
    value: fc.nat(255),
    length: fc.integer({ min: 1, max: 40 }),
  });
  return fc.tuple(fc.constantFrom(...seeds), fc.array(change, { maxLength: 6 })).map(
    ([seed, changes]) =>
      changes.reduce((bytes, { kind, at, value, length }) => {
        const place = bytes.length === 0 ? 0 : at % bytes.length;
        const list = [...bytes];
        switch (kind) {
          case "flip":
            if (list.length > 0) list[place]! ^= 1 << (value % 8);
            break;
          case "set":
            if (list.length > 0) list[place] = value;
            break;
          case "remove":
            list.splice(place, length);
            break;
          case "insert":
            list.splice(place, 0, ...Array<number>(length % 4).fill(value));
            break;
          case "repeat":
            list.splice(place, 0, ...list.slice(place, place + length));
            break;
          case "cut":
            list.length = place;
            break;
        }
        return Uint8Array.from(list);
      }, seed),
  );
}

/** The UTF-8 of a text. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Some bytes in pieces of any length, which may be 0. */
export function inPieces(
  bytes: Uint8Array<ArrayBuffer>,
  cuts: readonly number[],
): Uint8Array<ArrayBuffer>[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  places.sort((a, b) => a - b);
  return places.slice(1).map((end, index) => bytes.slice(places[index], end));
}

/** Where something is cut. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.nat(), { maxLength: 8 });

/** A character that would move a cursor, reorder text or end a line. */
export const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

export { fc };
