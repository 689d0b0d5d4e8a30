/**
 * Builds `dist/ipcauth-VERSION-linux-ARCH.tar.gz`: one directory with the program and the runtime,
 * for machines without Deno. The runtime is the executable of the npm package whose hash stands in
 * `executable/runtime.lock.json`.
 *
 *     deno task portable [x64|arm64]...
 *
 * The same commit gives the same files: names are sorted, owners are 0, every time is the commit's.
 * The same versions of `tar` and `gzip` give the same archive.
 */
import { basename, dirname, join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { type Commit, readCommit, withCommit } from "./commit.ts";
import { denoBundle } from "./deno_bundle.ts";
import { runProgram } from "./run_program.ts";
import { HOST_MACHINE, type Machine, machinesOf } from "./elf.ts";
import { runtimeExecutable, runtimePackage, RUNTIMES } from "./executable/runtime_package.ts";
import {
  CHECK_DIRECTORY,
  CHECK_SYSTEM,
  FAIL_FUNCTION,
  hideVariables,
  PREPARE_FUNCTION,
  RUN_AS,
  RUN_PROGRAM,
  UNSET_OWN_VARIABLES,
} from "./launcher.ts";
import { withNodeRequire, withoutProcess } from "./node_require.ts";
import { BUILD_MODE } from "./modes.ts";
import { copyDocuments } from "../packaging/documents.ts";
import { writeManualPages } from "../packaging/man.ts";
import { billOfMaterials, packagedRuntime } from "../packaging/sbom.ts";
import { singleFile } from "./single_file.ts";
import { DIST, ROOT } from "./root.ts";

/** The name of the directory, and of the archive without `.tar.gz`. */
export const portableName = (machine: Machine): string =>
  `ipcauth-${manifest.version}-linux-${machine}`;

/** The name for this machine. */
export const PORTABLE_NAME = portableName(HOST_MACHINE);

/** The dynamic loader that the runtime names. Without it, a shell calls the runtime "not found". */
const LOADERS: Readonly<Record<Machine, string>> = {
  x64: "/lib64/ld-linux-x86-64.so.2",
  arm64: "/lib/ld-linux-aarch64.so.1",
};
const MACHINE_NAMES: Readonly<Record<Machine, string>> = { x64: "x86-64", arm64: "64-bit ARM" };
/** As in the names of Debian's directories of libraries. */
const TRIPLETS: Readonly<Record<Machine, string>> = {
  x64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
};

/**
 * Fails where there is no `libgcc_s.so.1`, which the runtime is linked with: the loader's message
 * has no hint. The first place that has it ends the search; `LD_LIBRARY_PATH` may name another.
 */
const checkLibgcc = (machine: Machine): string =>
  `case \${LD_LIBRARY_PATH:+x} in x) ;; *) for ipcauth_place in ` +
  ["lib64", `lib/${TRIPLETS[machine]}`, "usr/lib64", "usr/lib", "lib", "usr/local/lib"]
    .map((directory) => `/${directory}/libgcc_s.so.1`).join(" ") +
  ` /usr/lib/gcc/*/*/libgcc_s.so.1 ""; do [ ! -e "$ipcauth_place" ] || break; done; ` +
  `[ -n "$ipcauth_place" ] || ipcauth_fail "This build of ipcauth needs libgcc_s.so.1, ` +
  `and there is none" "apt install libgcc-s1, or dnf install libgcc" "$@" ;; esac`;

/**
 * `bin/ipcauth`. It finds its directory through any symbolic link. The runtime resolves `..` in the
 * text of a path, the kernel through links; so the runtime gets a path without `..`, and only one
 * that names the same file. No cache is used: the directory may be read-only, the user without a
 * home directory.
 */
const launcher = (machine: Machine): string =>
  [
    "#!/bin/sh",
    UNSET_OWN_VARIABLES,
    PREPARE_FUNCTION,
    FAIL_FUNCTION,
    `[ -e ${
      LOADERS[machine]
    } ] || ipcauth_fail "This build of ipcauth needs the GNU C library, 2.34 or newer, ` +
    `on Linux and ${MACHINE_NAMES[machine]}: there is no ${LOADERS[machine]}" ` +
    `"use it on Debian 12, Ubuntu 22.04, RHEL 9 or newer, or in a container of one; ` +
    `Alpine and others with musl cannot run it" "$@"`,
    checkLibgcc(machine),
    CHECK_SYSTEM,
    CHECK_DIRECTORY,
    "ipcauth_self=$0",
    'case $ipcauth_self in */*) ;; *) [ -f "$ipcauth_self" ] || ipcauth_self=$(command -v -- "$0"); esac',
    "ipcauth_place=${ipcauth_self%/*}; ipcauth_place=${ipcauth_place%/*}/lib/ipcauth",
    "case $ipcauth_self in *..*) false ;; *) " +
    '[ "${ipcauth_self%/*}/../lib/ipcauth/main.js" -ef "$ipcauth_place/main.js" ] ;; esac && ' +
    '[ ! -L "$ipcauth_self" ] || {',
    '  ipcauth_self=$(command -p readlink -f -- "$ipcauth_self" 2>/dev/null) ||',
    '    ipcauth_fail "Cannot find out where $0 leads: there is no readlink" "start bin/ipcauth by its own path" "$@"',
    "  ipcauth_place=${ipcauth_self%/*}; ipcauth_place=${ipcauth_place%/*}/lib/ipcauth",
    "}",
    ...hideVariables(),
    `case $1/$2 in run-as/[!-]*) exec "$ipcauth_place/deno" ${RUN_AS} "$ipcauth_place/run_as.js" "$@" ;; esac`,
    `exec "$ipcauth_place/deno" ${RUN_PROGRAM} "$ipcauth_place/main.js" "$@"`,
    "",
  ].join("\n");

/** The runtime of a portable build. */
export interface PortableRuntime {
  readonly machine: Machine;
  /** The path of Deno's executable for that machine. */
  readonly deno: string;
}

/** The `deno` that runs this program, for a build that is tried on this machine alone. */
export const OWN_RUNTIME: PortableRuntime = { machine: HOST_MACHINE, deno: Deno.execPath() };

/**
 * The pinned runtime for a machine.
 *
 * @param work A directory for the executable.
 * @throws {Error} Where the package cannot be had, or its hash is another one.
 */
export async function pinnedRuntime(machine: Machine, work: string): Promise<PortableRuntime> {
  const deno = join(work, `deno-${machine}`);
  await Deno.writeFile(deno, await runtimeExecutable(runtimePackage(machine), RUNTIMES));
  return { machine, deno };
}

/** The bill of materials of the directory, as text. */
export async function portableBill(
  from: Commit,
  { machine, deno }: PortableRuntime,
): Promise<string> {
  const bytes = await Deno.readFile(deno);
  const runtime = await packagedRuntime(machine, runtimePackage(machine), bytes);
  const artifacts = [`${portableName(machine)}.tar.gz`];
  return await billOfMaterials({ name: "portable", artifacts, runtime }, from);
}

/**
 * Builds the directory.
 *
 * @param directory The output; it is made.
 */
export async function portable(
  directory: string,
  from: Commit,
  runtime: PortableRuntime = OWN_RUNTIME,
): Promise<void> {
  const lib = join(directory, "lib", "ipcauth");
  await Deno.mkdir(lib, { recursive: true });
  await Deno.mkdir(join(directory, "bin"));
  await denoBundle(["--code-splitting", "--outdir", lib, join(ROOT, "main.ts")]);
  await finishChunks(lib, from);
  await bundleRunAs(lib, from);
  // A copy, not a hard link: `tar` fails where the link count of a file changes while it is read.
  await runProgram("cp", [runtime.deno, join(lib, "deno")], ROOT);
  const script = launcher(runtime.machine);
  await Deno.writeTextFile(join(directory, "bin", "ipcauth"), script, { mode: 0o755 });
  await Deno.chmod(join(directory, "bin", "ipcauth"), 0o755);
  await Deno.writeTextFile(join(directory, "ipcauth.cdx.json"), await portableBill(from, runtime));
  await copyDocuments(directory);
  await writeManualPages(join(directory, "share", "man"), from);
  await Deno.chmod(join(lib, "deno"), 0o755);
  await runProgram("chmod", ["-R", BUILD_MODE, directory], ROOT);
}

/** Builds the part of the program that `run-as` needs, in one file. */
async function bundleRunAs(lib: string, from: Commit): Promise<void> {
  await singleFile(join(lib, "run_as.js"), from, join(ROOT, "tools", "build", "run_as.ts"));
}

/**
 * Finishes the bundler's chunks. Adds the commit. Makes the runtime load each command's chunk when
 * it is needed: an `import()` of a literal is loaded at the start, one of an expression is not.
 * The consoles' chunk is loaded with the server's: later the process may have no descriptor left.
 * Removes the import of the bundler's prelude, which would start Node's module system, from chunks
 * that do not use it: that start takes longer than the rest of the program's.
 */
async function finishChunks(lib: string, { hash }: Commit): Promise<void> {
  const names = (await Array.fromAsync(Deno.readDir(lib))).map(({ name }) => name).sort();
  const texts = new Map<string, string>();
  for (const name of names) {
    texts.set(name, withNodeRequire(await Deno.readTextFile(join(lib, name))));
  }
  const prelude = names.find((name) => /from ?"node:module"/.test(texts.get(name)!));
  for (const [name, text] of texts) {
    const finished = withCommit(withoutProcess(text), hash)
      .replaceAll(/\bimport\("\.\/(?!console_sessions-)/g, 'import(""+"./')
      .replaceAll(`import"./${prelude}";`, "");
    texts.set(name, finished);
  }
  const renamed = await namesByContent(texts);
  for (const [name, text] of texts) {
    await Deno.remove(join(lib, name));
    const path = join(lib, renamed.get(name) ?? name);
    await Deno.writeTextFile(path, text.replaceAll(CHUNK, (found) => renamed.get(found) ?? found));
    await Deno.chmod(path, 0o644);
  }
}

/** The name of a chunk, as the bundler chooses it. */
const CHUNK = /\b[a-z_]+-[A-Z0-9]{8}\.js\b/g;

/**
 * Names chunks by the hash of their content. The bundler's names depend on the directories of the
 * sources and their dependencies, so another machine would build other bytes.
 *
 * @param texts The chunks by their names.
 * @returns The new name of each chunk by its old name.
 */
async function namesByContent(texts: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const [name, text] of texts) {
    if (!new RegExp(`^(?:${CHUNK.source})$`).test(name)) continue;
    const masked = new TextEncoder().encode(text.replaceAll(CHUNK, "chunk.js"));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", masked)).toHex();
    const next = `${name.slice(0, name.lastIndexOf("-"))}-${digest.slice(0, 8)}.js`;
    if ([...names.values()].includes(next)) throw new Error(`two chunks have the name ${next}`);
    names.set(name, next);
  }
  return names;
}

/**
 * Packs a directory, under its own name.
 *
 * @param archive The output; its name ends in `.tar.gz`.
 */
export async function pack(directory: string, archive: string, { time }: Commit): Promise<void> {
  const tar = archive.replace(/\.gz$/, "");
  await runProgram("tar", [
    ...["--create", "--sort=name", "--format=gnu", "--numeric-owner", "--owner=0", "--group=0"],
    ...[`--mtime=@${time}`, `--mode=${BUILD_MODE}`, "--file", tar],
    ...["--directory", dirname(directory), basename(directory)],
  ], ROOT);
  await runProgram("gzip", ["--no-name", "--force", "-6", tar], ROOT);
}

if (import.meta.main) {
  const from = await readCommit(ROOT);
  await Deno.mkdir(DIST, { recursive: true });
  const work = await Deno.makeTempDir({ dir: DIST, prefix: ".portable-" });
  try {
    for (const machine of machinesOf(Deno.args)) {
      const name = portableName(machine);
      const runtime = await pinnedRuntime(machine, work);
      await portable(join(work, name), from, runtime);
      const archive = join(DIST, `${name}.tar.gz`);
      await pack(join(work, name), archive, from);
      const bill = await portableBill(from, runtime);
      await Deno.writeTextFile(join(DIST, `${name}.cdx.json`), bill);
      console.log(`built ${archive}`);
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
