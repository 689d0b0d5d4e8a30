/**
 * Builds `dist/ipcauth_VERSION_ARCH.deb` with Debian's `dpkg-deb`: the executable, its units,
 * documents, manual pages, completions, and a default configuration that allows root only. The
 * service runs as the system user `ipcauth`; root owns the files.
 *
 *     deno task deb [x64|arm64]...
 */
import { join } from "@std/path";
import { completionScript } from "../../lib/cli/completions.ts";
import { type Commit, readCommit } from "../build/commit.ts";
import { runProgram } from "../build/run_program.ts";
import { MAINTAINER_SCRIPTS } from "./deb_scripts.ts";
import { changelog, control, copyright, LINTIAN_OVERRIDES } from "./deb_texts.ts";
import { HOST_MACHINE, type Machine, machinesOf } from "../build/elf.ts";
import { copyDocuments } from "./documents.ts";
import { writeManualPages } from "./man.ts";
import { BUILD_MODE } from "../build/modes.ts";
import { compile, debFileName, scripts } from "../build/compile.ts";
import { DIST, ROOT } from "../build/root.ts";

/** Where the JSON Schema of the configuration is, which the default configuration names. */
const SCHEMA_PATH = "/usr/share/ipcauth/config.schema.json";

/** Debian's names of machines. */
const ARCHITECTURES: Readonly<Record<Machine, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * Builds the package.
 *
 * @param work An empty directory; the package's tree is made in it.
 * @param output The path of the package.
 */
export async function debianPackage(
  work: string,
  output: string,
  from: Commit,
  machine: Machine = HOST_MACHINE,
): Promise<void> {
  const tree = join(work, "deb");
  const at = (...names: string[]) => join(tree, ...names);
  const write = async (path: string, text: string, mode = 0o644) => {
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeTextFile(path, text);
    await Deno.chmod(path, mode);
  };
  const example = (name: string) => Deno.readTextFile(join(ROOT, "examples", "systemd", name));
  const executable = at("usr", "bin", "ipcauth");
  await Deno.mkdir(at("usr", "bin"), { recursive: true });
  await compile(machine, executable, await scripts(from), from);
  const doc = (...names: string[]) => at("usr", "share", "doc", "ipcauth", ...names);
  await Deno.mkdir(doc(), { recursive: true });
  await copyDocuments(doc());
  await Deno.rename(`${executable}.cdx.json`, doc("ipcauth.cdx.json"));
  const license = await Deno.readTextFile(doc("LICENSE"));
  const notices = await Deno.readTextFile(doc("THIRD-PARTY-NOTICES"));
  await write(doc("copyright"), copyright(license, notices));
  // `copyright` contains it; lintian reports a license file beside that.
  await Deno.remove(doc("LICENSE"));
  const readme = await Deno.readTextFile(doc("README.md"));
  await write(doc("README.md"), readme.replace("](LICENSE)", "](copyright)"));
  await write(doc("changelog"), changelog(from));
  await runProgram("gzip", ["--no-name", "-9", doc("changelog")], ROOT);
  for (const unit of ["ipcauth.service", "ipcauth.socket"]) {
    // The example is for the installer's directory.
    const text = (await example(unit)).replaceAll("/usr/local/bin/ipcauth", "/usr/bin/ipcauth");
    await write(at("usr", "lib", "systemd", "system", unit), text);
  }
  const share = (...names: string[]) => at("usr", "share", ...names);
  const config = await example("config.yaml");
  await write(share("ipcauth", "config.yaml"), config.replace(/(?<=\$schema=)\S+/, SCHEMA_PATH));
  const schema = await Deno.readTextFile(join(ROOT, "docs", "config.schema.json"));
  await write(at(...SCHEMA_PATH.slice(1).split("/")), schema);
  const pages = await writeManualPages(at("usr", "share", "man"), from);
  await runProgram("gzip", ["--no-name", "-9", ...pages], ROOT);
  await write(share("bash-completion", "completions", "ipcauth"), completionScript("bash"));
  await write(share("zsh", "vendor-completions", "_ipcauth"), completionScript("zsh"));
  await write(share("fish", "vendor_completions.d", "ipcauth.fish"), completionScript("fish"));
  await write(share("lintian", "overrides", "ipcauth"), LINTIAN_OVERRIDES);
  const { size, names } = await contents(tree);
  await write(at("DEBIAN", "control"), control(ARCHITECTURES[machine], size));
  await write(at("DEBIAN", "md5sums"), await runProgram("md5sum", ["--", ...names], tree));
  for (const [name, text] of Object.entries(MAINTAINER_SCRIPTS)) {
    await write(at("DEBIAN", name), text, 0o755);
  }
  await runProgram("chmod", ["-R", BUILD_MODE, tree], ROOT);
  const argv = [`SOURCE_DATE_EPOCH=${from.time}`, "dpkg-deb", "--root-owner-group", "-Zxz", "-z1"];
  await runProgram("env", [...argv, "--build", tree, output], ROOT);
}

/** The files of a tree in the order of their names, and their size in KiB, each rounded up. */
async function contents(tree: string): Promise<{ size: number; names: string[] }> {
  const lines = (await runProgram("find", [".", "-type", "f", "-printf", "%s %P\\n"], tree))
    .trimEnd();
  const files = lines.split("\n").map((line) => {
    const space = line.indexOf(" ");
    return { size: Math.ceil(Number(line.slice(0, space)) / 1024), name: line.slice(space + 1) };
  });
  return {
    size: files.reduce((sum, { size }) => sum + size, 0),
    names: files.map(({ name }) => name).sort(),
  };
}

if (import.meta.main) {
  await Deno.mkdir(DIST, { recursive: true });
  const work = await Deno.makeTempDir({ dir: DIST, prefix: ".deb-" });
  try {
    for (const machine of machinesOf(Deno.args)) {
      const output = join(DIST, debFileName(machine));
      await debianPackage(join(work, machine), output, await readCommit(ROOT), machine);
      console.log(`built ${output}`);
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
