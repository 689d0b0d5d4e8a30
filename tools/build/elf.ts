/** The machine that an executable is for, from its ELF header (`elf(5)`, `e_machine`). */

/** The machines that builds exist for. */
export type Machine = "x64" | "arm64";

/** `EM_X86_64` and `EM_AARCH64` of `elf.h`. */
const MACHINES: ReadonlyMap<number, Machine> = new Map([[62, "x64"], [183, "arm64"]]);

/** All machines that builds exist for. */
export const ALL_MACHINES: readonly Machine[] = ["x64", "arm64"];

/** The machine that the build runs on. */
export const HOST_MACHINE: Machine = Deno.build.arch === "x86_64" ? "x64" : "arm64";

/** The machines that arguments name; without any, the one that the build runs on. */
export function machinesOf(args: readonly string[]): readonly Machine[] {
  const machines = args.map((arg) => {
    const machine = ALL_MACHINES.find((name) => name === arg);
    if (machine === undefined) throw new Error(`there is no build for ${arg}`);
    return machine;
  });
  return machines.length === 0 ? [HOST_MACHINE] : machines;
}

/**
 * Reads the machine that a file is for.
 *
 * @returns Null where the file is not 64-bit little-endian ELF, or is for a machine without a
 * build.
 * @throws {Deno.errors.NotFound} Where there is no such file.
 */
export async function machineOf(path: string): Promise<Machine | null> {
  using file = await Deno.open(path);
  const header = new Uint8Array(20);
  let length = 0;
  while (length < header.length) {
    const count = await file.read(header.subarray(length));
    if (count === null) return null;
    length += count;
  }
  // The magic number, ELFCLASS64, ELFDATA2LSB.
  if (![0x7f, 0x45, 0x4c, 0x46, 2, 1].every((byte, at) => header[at] === byte)) return null;
  return MACHINES.get(new DataView(header.buffer).getUint16(18, true)) ?? null;
}
