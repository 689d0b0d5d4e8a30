/** What the stub reads: `struct config` of `stub.c`, and the strings behind it. */

/** A script, and when it is run. */
export interface Payload {
  /** The first argument that selects it. The first payload's is empty: it is for all others. */
  readonly word: string;
  /** Whether it is selected only where the second argument does not begin with `-`. */
  readonly needsOperand: boolean;
  /** Whether the runtime needs `/proc` for it. */
  readonly needsProc: boolean;
  /** The runtime's arguments before the scripts: its flags, and the loader. */
  readonly argv: readonly string[];
  /** The runtime's next arguments, before the caller's. */
  readonly scripts: readonly string[];
}

/** Everything that the stub reads. */
export interface StubConfig {
  /** The runtime's own entry, and the slot with the address of `environ`: virtual addresses. */
  readonly entry: number;
  readonly environ: number;
  /** The names of the variables that are renamed. */
  readonly hidden: readonly string[];
  /** The variables that are added. */
  readonly settings: Readonly<Record<string, string>>;
  /** The flags before a command that take a value as an argument of its own. */
  readonly valued: readonly string[];
  readonly payloads: readonly Payload[];
}

const WORD_BYTES = 8;
const HEAD_WORDS = 6;
const PAYLOAD_WORDS = 5;

/**
 * Encodes the configuration.
 *
 * @param address The virtual address that it is loaded at.
 * @throws {Error} Where a string holds a zero byte, or an element of a list is empty.
 */
export function encodeStubConfig(config: StubConfig, address: number): Uint8Array {
  const { payloads } = config;
  const tables = HEAD_WORDS + PAYLOAD_WORDS * payloads.length;
  const head = WORD_BYTES * payloads.reduce((sum, one) => sum + one.scripts.length + 1, tables);
  const strings = new StringPool(head);
  const settings = Object.entries(config.settings).map(([name, value]) => `${name}=${value}`);
  // For each payload, the offsets of its scripts, and zero.
  const offsets: number[] = [];
  const words = [
    config.entry - address,
    config.environ - address,
    strings.list(config.hidden),
    strings.list(settings),
    strings.list(config.valued),
    payloads.length,
    ...payloads.flatMap(({ word, needsOperand, needsProc, argv, scripts }) => {
      const table = WORD_BYTES * (tables + offsets.length);
      offsets.push(...scripts.map((script) => strings.string(script)), 0);
      return [
        strings.string(word),
        needsOperand ? 1 : 0,
        needsProc ? 1 : 0,
        strings.list(argv),
        table,
      ];
    }),
    ...offsets,
  ];
  const bytes = new Uint8Array(head + strings.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, index) => view.setBigInt64(WORD_BYTES * index, BigInt(word), true));
  strings.writeTo(bytes.subarray(head));
  return bytes;
}

/** Strings that are ended by a zero byte. Equal ones are stored once. */
class StringPool {
  readonly #parts: Uint8Array[] = [];
  readonly #offsets = new Map<string, number>();
  readonly #start: number;
  length = 0;

  /** @param start The offset of the first string. */
  constructor(start: number) {
    this.#start = start;
  }

  /** Adds a string. @returns Its offset. */
  string(text: string): number {
    if (text.includes("\0")) throw new Error("a string holds a zero byte");
    return this.#add(`${text}\0`);
  }

  /** Adds a list: its strings, and an empty one. @returns Its offset. */
  list(texts: readonly string[]): number {
    if (texts.some((text) => text === "" || text.includes("\0"))) {
      throw new Error("an element of a list is empty or holds a zero byte");
    }
    return this.#add([...texts, ""].map((text) => `${text}\0`).join(""));
  }

  writeTo(bytes: Uint8Array): void {
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
  }

  #add(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#start + this.length;
    const part = new TextEncoder().encode(text);
    this.#offsets.set(text, offset);
    this.#parts.push(part);
    this.length += part.length;
    return offset;
  }
}
