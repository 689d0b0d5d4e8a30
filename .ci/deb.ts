/**
 * Builds `dist/ipcauth_VERSION_ARCH.deb` with Debian's own `dpkg-deb`, from the portable tree: the program, its units, man pages,
 * completions, and a configuration that lets in nobody but root. Root's and the service's are two things: the service
 * runs as the system user `ipcauth`.
 */
import { fromFileUrl, join } from "@std/path";
import manifest from "../deno.json" with { type: "json" };
import { completionScript } from "../lib/cli/completions.ts";
import { type Commit, commit, run } from "./commit.ts";
import { manualPages } from "./man.ts";
import { MODE } from "./modes.ts";
import { PACKAGE, portable } from "./portable.ts";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
const ARCH = Deno.build.arch === "x86_64" ? "amd64" : "arm64";

const CONTROL = `Package: ipcauth
Version: ${manifest.version}
Architecture: ${ARCH}
Maintainer: The ipcauth authors <ipcauth@localhost>
Section: net
Priority: optional
Depends: libc6 (>= 2.34), adduser, util-linux
Description: authenticated front door for inter-process communication
 A listener in front of a daemon that proves who is connecting, by the kernel's
 word on a Unix socket or by a secret key over TCP, before a byte gets through.
`;

/** The user is made once, and stays: files that are left may be its. */
const POSTINST = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  getent passwd ipcauth >/dev/null ||
    adduser --system --group --quiet --no-create-home --home /nonexistent ipcauth
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ -n "$2" ]; then systemctl try-restart ipcauth.service; fi
  fi
fi
`;

const PRERM = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now ipcauth.socket ipcauth.service || true
fi
`;

const POSTRM = `#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
if [ "$1" = purge ]; then
  rm -rf /etc/ipcauth
  if command -v deluser >/dev/null && getent passwd ipcauth >/dev/null; then
    deluser --system --quiet ipcauth || true
  fi
fi
`;

/**
 * Builds the package.
 *
 * @param work A directory that is ours; the tree is made in it.
 * @param output Where the package goes.
 */
export async function debianPackage(work: string, output: string, from: Commit): Promise<void> {
  const tree = join(work, "deb");
  const at = (...names: string[]) => join(tree, ...names);
  const write = async (path: string, text: string, mode = 0o644) => {
    await Deno.mkdir(join(path, ".."), { recursive: true });
    await Deno.writeTextFile(path, text);
    await Deno.chmod(path, mode);
  };
  const example = (name: string) => Deno.readTextFile(join(ROOT, "examples", "systemd", name));
  await portable(at("usr"), from);
  for (const name of ["README.md", "CHANGELOG.md", "SECURITY.md", "ipcauth.cdx.json"]) {
    await Deno.mkdir(at("usr", "share", "doc", "ipcauth"), { recursive: true });
    await Deno.rename(at("usr", name), at("usr", "share", "doc", "ipcauth", name));
  }
  await Deno.rename(at("usr", "LICENSE"), at("usr", "share", "doc", "ipcauth", "copyright"));
  for (const unit of ["ipcauth.service", "ipcauth.socket"]) {
    await write(at("usr", "lib", "systemd", "system", unit), await example(unit));
  }
  await write(at("etc", "ipcauth", "config.yaml"), await example("config.yaml"));
  for (const { name, text } of manualPages(from)) {
    await write(at("usr", "share", "man", "man1", name), text);
    await run("gzip", ["--no-name", "-9", at("usr", "share", "man", "man1", name)], ROOT);
  }
  const share = (...names: string[]) => at("usr", "share", ...names);
  await write(share("bash-completion", "completions", "ipcauth"), completionScript("bash"));
  await write(share("zsh", "vendor-completions", "_ipcauth"), completionScript("zsh"));
  await write(share("fish", "vendor_completions.d", "ipcauth.fish"), completionScript("fish"));
  await write(at("DEBIAN", "control"), CONTROL);
  await write(at("DEBIAN", "conffiles"), "/etc/ipcauth/config.yaml\n");
  await write(at("DEBIAN", "postinst"), POSTINST, 0o755);
  await write(at("DEBIAN", "prerm"), PRERM, 0o755);
  await write(at("DEBIAN", "postrm"), POSTRM, 0o755);
  await run("chmod", ["-R", MODE, tree], ROOT);
  const argv = [`SOURCE_DATE_EPOCH=${from.time}`, "dpkg-deb", "--root-owner-group", "-Zxz", "-z1"];
  await run("env", [...argv, "--build", tree, output], ROOT);
}

if (import.meta.main) {
  const dist = join(ROOT, "dist");
  await Deno.mkdir(dist, { recursive: true });
  const work = await Deno.makeTempDir({ dir: dist, prefix: ".deb-" });
  try {
    await debianPackage(work, join(dist, PACKAGE), await commit(ROOT));
    console.log(`built ${join(dist, PACKAGE)}`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
