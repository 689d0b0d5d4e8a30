/**
 * A 64-bit little-endian ELF file, as far as it must be known to add code to it (`elf(5)`, System V
 * ABI, "Object Files").
 */

/** `p_type`, `sh_type`, `d_tag`, `r_type` of `elf.h`. */
export const PT_LOAD = 1;
const PT_DYNAMIC = 2;
export const PT_PHDR = 6;
export const SHT_PROGBITS = 1;
const DT = { strtab: 5, symtab: 6, rela: 7, relasz: 8 } as const;
/** `R_X86_64_GLOB_DAT` and `R_AARCH64_GLOB_DAT`, by `e_machine`. */
const GLOB_DAT: ReadonlyMap<number, number> = new Map([[62, 6], [183, 1025]]);

/** The size of an entry of the program headers and of the section headers, in bytes. */
export const PROGRAM_HEADER_BYTES = 56;
export const SECTION_HEADER_BYTES = 64;
const SYMBOL_BYTES = 24;
const RELA_BYTES = 24;

/** The offsets of fields of the ELF header, in bytes. */
export const HEADER = {
  machine: 18,
  entry: 24,
  programHeaders: 32,
  sectionHeaders: 40,
  programHeaderCount: 56,
  sectionHeaderCount: 60,
  sectionNames: 62,
} as const;

/** An entry of the program headers. Offsets, addresses and sizes are in bytes. */
export interface Segment {
  readonly type: number;
  /** `PF_X` 1, `PF_W` 2, `PF_R` 4. */
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly memorySize: number;
  readonly align: number;
}

/** An entry of the section headers. Offsets, addresses and sizes are in bytes. */
export interface Section {
  /** The offset of the name in the section of names. */
  readonly name: number;
  readonly type: number;
  /** `SHF_WRITE` 1, `SHF_ALLOC` 2, `SHF_EXECINSTR` 4. */
  readonly flags: number;
  readonly address: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entrySize: number;
}

/** A file's headers, and its bytes. */
export class ElfImage {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly segments: readonly Segment[];
  readonly sections: readonly Section[];

  /** @throws {Error} Where the file is not a 64-bit little-endian ELF file with both tables. */
  constructor(bytes: Uint8Array) {
    const magic = [0x7f, 0x45, 0x4c, 0x46, 2, 1];
    if (!magic.every((byte, at) => bytes[at] === byte)) {
      throw new Error("it is no 64-bit little-endian ELF file");
    }
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.segments = this.#table(HEADER.programHeaders, HEADER.programHeaderCount, (at) => ({
      type: this.view.getUint32(at, true),
      flags: this.view.getUint32(at + 4, true),
      offset: this.word(at + 8),
      address: this.word(at + 16),
      fileSize: this.word(at + 32),
      memorySize: this.word(at + 40),
      align: this.word(at + 48),
    }), PROGRAM_HEADER_BYTES);
    this.sections = this.#table(HEADER.sectionHeaders, HEADER.sectionHeaderCount, (at) => ({
      name: this.view.getUint32(at, true),
      type: this.view.getUint32(at + 4, true),
      flags: this.word(at + 8),
      address: this.word(at + 16),
      offset: this.word(at + 24),
      size: this.word(at + 32),
      link: this.view.getUint32(at + 40, true),
      info: this.view.getUint32(at + 44, true),
      align: this.word(at + 48),
      entrySize: this.word(at + 56),
    }), SECTION_HEADER_BYTES);
    if (this.segments.length === 0) throw new Error("it has no program headers");
  }

  /** A 64-bit number. @throws {Error} Where it is greater than 2⁵³. */
  word(at: number): number {
    const value = this.view.getBigUint64(at, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`a number at ${at} is too great`);
    return Number(value);
  }

  /** The segments that are loaded, by address. */
  get loaded(): readonly Segment[] {
    return this.segments.filter(({ type }) => type === PT_LOAD);
  }

  get entry(): number {
    return this.word(HEADER.entry);
  }

  /**
   * The address of the slot of the global offset table that ld.so(8) fills with the address of a
   * variable of a library.
   *
   * @throws {Error} Where the file imports no such variable.
   */
  slotOf(name: string): number {
    const tags = this.#dynamicTags();
    const [symbols, strings] = [tags.get(DT.symtab), tags.get(DT.strtab)];
    const [relocations, size] = [tags.get(DT.rela), tags.get(DT.relasz)];
    const type = GLOB_DAT.get(this.view.getUint16(HEADER.machine, true));
    if (symbols && strings && relocations && size && type !== undefined) {
      const start = this.#offsetOf(relocations);
      for (let at = start; at < start + size; at += RELA_BYTES) {
        if (this.view.getUint32(at + 8, true) !== type) continue;
        const symbol = this.#offsetOf(symbols) +
          SYMBOL_BYTES * this.view.getUint32(at + 12, true);
        const text = this.#offsetOf(strings) + this.view.getUint32(symbol, true);
        if (this.#stringAt(text) === name) return this.word(at);
      }
    }
    throw new Error(`it imports no variable ${name}`);
  }

  #dynamicTags(): ReadonlyMap<number, number> {
    const dynamic = this.segments.find(({ type }) => type === PT_DYNAMIC);
    const tags = new Map<number, number>();
    if (dynamic === undefined) return tags;
    for (let at = dynamic.offset; at < dynamic.offset + dynamic.fileSize; at += 16) {
      const tag = Number(this.view.getBigInt64(at, true));
      if (tag === 0) break;
      if (Object.values(DT).some((one) => one === tag)) tags.set(tag, this.word(at + 8));
    }
    return tags;
  }

  /** The offset of an address in the file. */
  #offsetOf(address: number): number {
    for (const { address: start, offset, fileSize } of this.loaded) {
      if (address >= start && address < start + fileSize) return address - start + offset;
    }
    throw new Error(`the address ${address} is in no segment`);
  }

  #stringAt(offset: number): string {
    const end = this.bytes.indexOf(0, offset);
    return new TextDecoder().decode(this.bytes.subarray(offset, end));
  }

  #table<T>(start: number, count: number, read: (at: number) => T, size: number): readonly T[] {
    const offset = this.word(start);
    const entries = this.view.getUint16(count, true);
    return Array.from({ length: entries }, (_, index) => read(offset + index * size));
  }
}
