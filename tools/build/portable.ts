/**
 * Builds `dist/ipcauth-VERSION-linux-ARCH.tar.gz`: a directory with everything in it, for machines without Deno.
 *
 * The same commit gives the same bytes: names are sorted, owners are 0, and every time is the commit's.
 */
import { dirname, fromFileUrl, join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { type Commit, commit, run, withCommit } from "./commit.ts";
import { HERE } from "./elf.ts";
import { DEMAND_DIRECTORY, FAIL, hideVariables, OWN_VARIABLES, RUN, RUN_AS } from "./launcher.ts";
import { MODE } from "./modes.ts";
import { billOfMaterials, deno } from "../packaging/sbom.ts";
import { singleFile } from "./single_file.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** The name of the directory, and of the archive without its ending. */
export const NAME = `ipcauth-${manifest.version}-linux-${HERE}`;

/** The file name of the Debian package that is made of it. */
export const PACKAGE = `ipcauth_${manifest.version}_${HERE === "x64" ? "amd64" : "arm64"}.deb`;

/** Where the runtime wants the C library's dynamic loader to be: without it, a shell calls it "not found". */
const LOADER = HERE === "x64" ? "/lib64/ld-linux-x86-64.so.2" : "/lib/ld-linux-aarch64.so.1";
const MACHINE = HERE === "x64" ? "x86-64" : "64-bit ARM";

/**
 * Where the program lies is found through any link: the runtime takes a `..` from the text of a path and the kernel does
 * not, so it is handed no path with one, and none without that means another file. There is no cache: everything is in place
 * already, and the directory may be read-only and the user without a home.
 */
const LAUNCHER = [
  "#!/bin/sh",
  OWN_VARIABLES,
  FAIL,
  `[ -e ${LOADER} ] || ipcauth_fail "This build of ipcauth needs the GNU C library, 2.34 or newer, on Linux and ${MACHINE}: ` +
  `there is no ${LOADER}" "use it on Debian 12, Ubuntu 22.04, RHEL 9 or newer, or in a container of one; ` +
  `Alpine and others with musl cannot run it" "$@"`,
  DEMAND_DIRECTORY,
  "ipcauth_self=$0",
  'case $ipcauth_self in */*) ;; *) [ -f "$ipcauth_self" ] || ipcauth_self=$(command -v -- "$0"); esac',
  "ipcauth_place=${ipcauth_self%/*}; ipcauth_place=${ipcauth_place%/*}/lib/ipcauth",
  'case $ipcauth_self in *..*) false ;; *) [ "${ipcauth_self%/*}/../lib/ipcauth/main.js" -ef "$ipcauth_place/main.js" ] ;; esac && [ ! -L "$ipcauth_self" ] || {',
  '  ipcauth_self=$(command -p readlink -f -- "$ipcauth_self" 2>/dev/null) ||',
  '    ipcauth_fail "Cannot find out where $0 leads: there is no readlink" "start bin/ipcauth by its own path" "$@"',
  "  ipcauth_place=${ipcauth_self%/*}; ipcauth_place=${ipcauth_place%/*}/lib/ipcauth",
  "}",
  ...hideVariables(),
  `case $1/$2 in run-as/[!-]*) exec "$ipcauth_place/deno" ${RUN_AS} "$ipcauth_place/run_as.js" "$@" ;; esac`,
  `exec "$ipcauth_place/deno" ${RUN} "$ipcauth_place/main.js" "$@"`,
  "",
].join("\n");

/** What everyone who gets a build is to be able to read. */
export const DOCUMENTS = [
  "LICENSE",
  "THIRD-PARTY-NOTICES",
  "README.md",
  "CHANGELOG.md",
  "SECURITY.md",
] as const;

/** The bill of materials of the directory, and of the packages that are made of it. */
export async function portableBill(from: Commit): Promise<string> {
  const runtime = await deno(Deno.execPath());
  const artifacts = [`${NAME}.tar.gz`, PACKAGE];
  return await billOfMaterials({ name: "portable", artifacts, runtime }, from);
}

/**
 * Builds the directory.
 *
 * @param directory Where to; it is made.
 */
export async function portable(directory: string, from: Commit): Promise<void> {
  const lib = join(directory, "lib", "ipcauth");
  await Deno.mkdir(lib, { recursive: true });
  await Deno.mkdir(join(directory, "bin"));
  const argv = ["bundle", "--quiet", "--minify", "--code-splitting", "--outdir", lib];
  await run(Deno.execPath(), [...argv, join(ROOT, "main.ts")], ROOT);
  await finish(lib, from);
  await bundleRunAs(lib, from);
  // No second name for the same file: whoever makes or removes another one changes it for `tar`, which gives up then.
  await Deno.copyFile(Deno.execPath(), join(lib, "deno"));
  await Deno.writeTextFile(join(directory, "bin", "ipcauth"), LAUNCHER, { mode: 0o755 });
  await Deno.chmod(join(directory, "bin", "ipcauth"), 0o755);
  await Deno.writeTextFile(join(directory, "ipcauth.cdx.json"), await portableBill(from));
  for (const name of DOCUMENTS) {
    await Deno.copyFile(join(ROOT, name), join(directory, name));
  }
  await Deno.chmod(join(lib, "deno"), 0o755);
  await run("chmod", ["-R", MODE, directory], ROOT);
}

/** What `run-as` needs, in one file. */
async function bundleRunAs(lib: string, from: Commit): Promise<void> {
  await singleFile(join(lib, "run_as.js"), from, join(ROOT, "tools", "build", "run_as.ts"));
}

/**
 * Puts the commit in, and keeps the runtime from reading every room at the start: an import that it can see is loaded
 * before the program begins, one whose name is put together is loaded when it is reached. The bundler's own prelude
 * brings Node's module system, which takes longer to start than everything else; whoever uses nothing of it need
 * not import it.
 */
async function finish(lib: string, { hash }: Commit): Promise<void> {
  const names = (await Array.fromAsync(Deno.readDir(lib))).map(({ name }) => name).sort();
  const texts = new Map<string, string>();
  for (const name of names) texts.set(name, await Deno.readTextFile(join(lib, name)));
  const prelude = names.find((name) => /from ?"node:module"/.test(texts.get(name)!));
  for (const [name, text] of texts) {
    const finished = withCommit(text, hash)
      .replaceAll(/\bimport\("\.\//g, 'import(""+"./')
      .replaceAll(`import"./${prelude}";`, "")
      // Whoever touches `process` starts all of Node's compatibility, and gets the same answer.
      .replaceAll(".process?.platform", ".Deno?.build?.os");
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

/** A file that the bundler has named. */
const CHUNK = /\b[a-z_]+-[A-Z0-9]{8}\.js\b/g;

/**
 * Names for chunks that only their content decides. The bundler's also tell where on this machine the sources and their
 * dependencies lay, and another machine would build other bytes.
 */
async function namesByContent(texts: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const [name, text] of texts) {
    if (!new RegExp(`^(?:${CHUNK.source})$`).test(name)) continue;
    const masked = new TextEncoder().encode(text.replaceAll(CHUNK, "chunk.js"));
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", masked)).toHex();
    const next = `${name.slice(0, name.lastIndexOf("-"))}-${digest.slice(0, 8)}.js`;
    if ([...names.values()].includes(next)) throw new Error(`two chunks are called ${next}`);
    names.set(name, next);
  }
  return names;
}

/** Packs a directory. @param archive Its name ends in `.tar.gz`. */
export async function pack(directory: string, archive: string, { time }: Commit): Promise<void> {
  const tar = archive.replace(/\.gz$/, "");
  await run("tar", [
    ...["--create", "--sort=name", "--format=gnu", "--numeric-owner", "--owner=0", "--group=0"],
    ...[`--mtime=@${time}`, `--mode=${MODE}`, "--file", tar],
    ...["--directory", dirname(directory), NAME],
  ], ROOT);
  await run("gzip", ["--no-name", "--force", "-6", tar], ROOT);
}

if (import.meta.main) {
  const from = await commit(ROOT);
  const dist = join(ROOT, "dist");
  await Deno.mkdir(dist, { recursive: true });
  const work = await Deno.makeTempDir({ dir: dist, prefix: ".portable-" });
  try {
    await portable(join(work, NAME), from);
    const archive = join(dist, `${NAME}.tar.gz`);
    await pack(join(work, NAME), archive, from);
    await Deno.writeTextFile(join(dist, `${NAME}.cdx.json`), await portableBill(from));
    console.log(`built ${archive}`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
