/** Compiles the stub with a C compiler. */
import { fromFileUrl, join } from "@std/path";
import type { Machine } from "../elf.ts";
import { runProgram } from "../run_program.ts";

const DIRECTORY = fromFileUrl(new URL(".", import.meta.url));

/** A machine, the names of its compilers, and its own flags. */
interface Toolchain {
  /** In the order in which they are tried. */
  readonly prefixes: readonly string[];
  readonly flags: readonly string[];
}

const TOOLCHAINS: Readonly<Record<Machine, Toolchain>> = {
  x64: { prefixes: ["x86_64-linux-gnu-", ""], flags: ["-mno-red-zone", "-fcf-protection=none"] },
  arm64: { prefixes: ["aarch64-linux-gnu-", ""], flags: ["-mgeneral-regs-only"] },
};

/** Code without a library, at any address; what compilers add on their own is left out. */
const FLAGS = [
  ...["-std=c11", "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-fno-builtin", "-fPIC"],
  // The words that are moved are read and written as numbers and as addresses.
  "-fno-strict-aliasing",
  ...["-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fno-tree-vectorize"],
  ...["-nostdlib", "-static", "-Wl,--build-id=none", "-Wl,-z,noexecstack"],
];

/** There is no C compiler for a machine. */
export class NoCompiler extends Error {}

/**
 * Compiles the stub. The bytes depend on the compiler.
 *
 * @param work A directory for what the compiler writes.
 * @returns The code, which begins with its entry.
 * @throws {NoCompiler} Where there is no compiler for the machine.
 * @throws {Error} With the compiler's message.
 */
export async function compileStub(machine: Machine, work: string): Promise<Uint8Array> {
  const { flags } = TOOLCHAINS[machine];
  const prefix = await toolchainPrefix(machine);
  const [object, code] = [join(work, `stub-${machine}.elf`), join(work, `stub-${machine}.bin`)];
  const script = `-Wl,-T,${join(DIRECTORY, "stub.ld")}`;
  const argv = [...FLAGS, ...flags, script, "-o", object, join(DIRECTORY, "stub.c")];
  await runProgram(`${prefix}gcc`, argv, work);
  await runProgram(`${prefix}objcopy`, ["-O", "binary", "-j", ".text", object, code], work);
  return await Deno.readFile(code);
}

/**
 * Finds the compiler for a machine.
 *
 * @returns What its name and those of its tools begin with, as `aarch64-linux-gnu-`.
 * @throws {NoCompiler} Where there is none.
 */
export async function toolchainPrefix(machine: Machine): Promise<string> {
  const { prefixes } = TOOLCHAINS[machine];
  const target = machine === "x64" ? "x86_64" : "aarch64";
  for (const prefix of prefixes) {
    const found = await runProgram(`${prefix}gcc`, ["-dumpmachine"], "/").catch(() => "");
    if (found.startsWith(target)) return prefix;
  }
  throw new NoCompiler(`there is no C compiler for ${machine}: ${prefixes[0]}gcc`);
}
