/**
 * Adds the stub, its configuration and the scripts to a runtime, behind all that is there. Of the
 * runtime's bytes, nothing but fields of the ELF header changes.
 *
 * ```
 * offset        contents                                    loaded as
 * 0             the runtime, its ELF header changed         as before
 * S (64 KiB)    the stub                                    code, not writable
 * before C      program headers                             data, not writable
 * C = S + 72 KiB  configuration, scripts                    data, not writable
 * behind        names of the sections, section headers      not loaded
 * ```
 */
import {
  ElfImage,
  HEADER,
  PROGRAM_HEADER_BYTES,
  PT_LOAD,
  PT_PHDR,
  type Section,
  SECTION_HEADER_BYTES,
  type Segment,
  SHT_PROGBITS,
} from "./elf_image.ts";
import { encodeStubConfig, type StubConfig } from "./stub_config.ts";

/** The greatest size of a page of a machine that there are builds for (arm64). */
const ALIGN = 0x10000;
/** Where the configuration is, in bytes behind the stub: `config` in `stub.ld`. */
const CONFIG_OFFSET = ALIGN + 0x2000;
const [PF_X, PF_R] = [1, 4];
const [SHF_ALLOC, SHF_EXECINSTR] = [2, 4];

const alignUp = (value: number, to: number) => Math.ceil(value / to) * to;

/**
 * Makes an executable.
 *
 * @param runtime A dynamically linked executable.
 * @param stub The stub's code for the same machine.
 * @param config What the stub reads, without the addresses that the runtime has.
 * @throws {Error} Where the runtime cannot be extended.
 */
export function graft(
  runtime: Uint8Array,
  stub: Uint8Array,
  config: Omit<StubConfig, "entry" | "environ">,
): Uint8Array {
  const image = new ElfImage(runtime);
  const first = image.loaded[0];
  // Kernels before 5.18 expect the program headers at their offset behind the first address.
  if (first === undefined || first.offset !== first.address) {
    throw new Error("its first segment is not loaded at its offset");
  }
  const memoryEnd = Math.max(...image.loaded.map((one) => one.address + one.memorySize));
  const start = alignUp(Math.max(runtime.length, memoryEnd), ALIGN);
  const headerBytes = PROGRAM_HEADER_BYTES * (image.segments.length + 2);
  // strip(1) moves the program headers right behind the stub in the file, and to an address before
  // theirs that is as far behind a multiple of 64 KiB: with a longer stub, to the stub's page.
  if (stub.length + headerBytes > CONFIG_OFFSET - ALIGN) {
    throw new Error("the stub and its program headers are greater than 8 KiB");
  }
  // Right before the section behind them: strip(1) would move them there.
  const data = start + CONFIG_OFFSET - headerBytes;
  const addresses = { entry: image.entry, environ: image.slotOf("environ") };
  const encoded = encodeStubConfig({ ...config, ...addresses }, start + CONFIG_OFFSET);
  const dataBytes = headerBytes + encoded.length;

  const segments = [
    ...image.segments.map((one) => {
      if (one.type !== PT_PHDR) return one;
      const size = { fileSize: headerBytes, memorySize: headerBytes };
      return { ...one, offset: data, address: data, ...size };
    }),
    segment(PF_R | PF_X, start, stub.length),
    segment(PF_R, data, dataBytes),
  ];
  const names = sectionNames(image);
  const namesAt = alignUp(data + dataBytes, 8);
  const sectionsAt = alignUp(namesAt + names.bytes.length, 8);
  const code = section(names.stub, SHF_ALLOC | SHF_EXECINSTR, start, stub.length);
  const payload = section(names.payload, SHF_ALLOC, start + CONFIG_OFFSET, encoded.length);
  const last = image.sections.length - 1;
  if (image.view.getUint16(HEADER.sectionNames, true) !== last) {
    throw new Error("its last section does not hold the names of the sections");
  }
  const sections = [
    ...image.sections.slice(0, last),
    code,
    payload,
    { ...image.sections[last]!, offset: namesAt, size: names.bytes.length },
  ];

  const bytes = new Uint8Array(sectionsAt + SECTION_HEADER_BYTES * sections.length);
  bytes.set(runtime);
  bytes.set(stub, start);
  bytes.set(encoded, start + CONFIG_OFFSET);
  bytes.set(names.bytes, namesAt);
  const view = new DataView(bytes.buffer);
  segments.forEach((one, index) => writeSegment(view, data + PROGRAM_HEADER_BYTES * index, one));
  sections.forEach((one, index) =>
    writeSection(view, sectionsAt + SECTION_HEADER_BYTES * index, one)
  );
  view.setBigUint64(HEADER.entry, BigInt(start), true);
  view.setBigUint64(HEADER.programHeaders, BigInt(data), true);
  view.setUint16(HEADER.programHeaderCount, segments.length, true);
  view.setBigUint64(HEADER.sectionHeaders, BigInt(sectionsAt), true);
  view.setUint16(HEADER.sectionHeaderCount, sections.length, true);
  view.setUint16(HEADER.sectionNames, sections.length - 1, true);
  return bytes;
}

/** A segment at the address that is its offset. */
function segment(flags: number, at: number, size: number): Segment {
  return {
    type: PT_LOAD,
    flags,
    offset: at,
    address: at,
    fileSize: size,
    memorySize: size,
    align: ALIGN,
  };
}

function section(name: number, flags: number, at: number, size: number): Section {
  const none = { link: 0, info: 0, align: 16, entrySize: 0 };
  return { name, type: SHT_PROGBITS, flags, address: at, offset: at, size, ...none };
}

/** The names of the runtime's sections and two more: their bytes, and the offsets of the two. */
function sectionNames(image: ElfImage) {
  const old = image.sections.at(-1);
  if (old === undefined) throw new Error("it has no section headers");
  const [stubName, payloadName] = [".ipcauth.stub\0", ".ipcauth.payload\0"];
  const added = new TextEncoder().encode(stubName + payloadName);
  const bytes = new Uint8Array(old.size + added.length);
  bytes.set(image.bytes.subarray(old.offset, old.offset + old.size));
  bytes.set(added, old.size);
  return { bytes, stub: old.size, payload: old.size + stubName.length };
}

function writeSegment(view: DataView, at: number, one: Segment): void {
  view.setUint32(at, one.type, true);
  view.setUint32(at + 4, one.flags, true);
  const words = [one.offset, one.address, one.address, one.fileSize, one.memorySize, one.align];
  words.forEach((word, index) => view.setBigUint64(at + 8 + 8 * index, BigInt(word), true));
}

function writeSection(view: DataView, at: number, one: Section): void {
  view.setUint32(at, one.name, true);
  view.setUint32(at + 4, one.type, true);
  const words = [one.flags, one.address, one.offset, one.size];
  words.forEach((word, index) => view.setBigUint64(at + 8 + 8 * index, BigInt(word), true));
  view.setUint32(at + 40, one.link, true);
  view.setUint32(at + 44, one.info, true);
  view.setBigUint64(at + 48, BigInt(one.align), true);
  view.setBigUint64(at + 56, BigInt(one.entrySize), true);
}
