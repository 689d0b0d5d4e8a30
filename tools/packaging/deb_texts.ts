/**
 * The texts that Debian Policy requires: `control`, `changelog`, `copyright`; and lintian
 * overrides.
 */
import manifest from "../../deno.json" with { type: "json" };
import type { Commit } from "../build/commit.ts";

/** A required field. Mail to this address is not read; `SECURITY.md` says how to report. */
const MAINTAINER = "The ipcauth authors <ipcauth@users.noreply.github.com>";

/**
 * A version in Debian's order (`deb-version(7)`): the tilde sorts a candidate (`1.0.0-rc.1`) before
 * the version that it is a candidate of. File names keep the hyphen, because a forge may rename a
 * file with a tilde.
 */
export function debVersion(version = manifest.version): string {
  return version.replace("-", "~");
}

/**
 * `control` of the binary package (Debian Policy 5.3). The runtime is linked with `libgcc_s.so.1`;
 * every other program and library that is used is in an essential package.
 *
 * @param architecture Debian's name, such as `amd64`.
 * @param size The installed size in KiB.
 */
export function control(architecture: string, size: number): string {
  return `Package: ipcauth
Version: ${debVersion()}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${size}
Depends: libc6 (>= 2.34), libgcc-s1, adduser
Section: net
Priority: optional
Description: authenticated front door for inter-process communication
 A listener in front of a daemon that proves who is connecting, by the kernel's
 word on a Unix socket or by a secret key over TCP, before a byte gets through.
`;
}

/** `changelog` in Debian's format (`deb-changelog(5)`). It refers to `CHANGELOG.md`. */
export function changelog({ hash, time }: Commit): string {
  const [, day, month, date, year, clock] = /^(\w+), ((?:\d+)) (\w+) (\d+) ([\d:]+) GMT$/.exec(
    new Date(time * 1000).toUTCString(),
  )!;
  return `ipcauth (${debVersion()}) unstable; urgency=medium

  * Built from commit ${hash}; see CHANGELOG.md.

 -- ${MAINTAINER}  ${day}, ${month} ${date} ${year} ${clock} +0000
`;
}

/** What lintian reports about the runtime, which is built by the Deno authors. */
export const LINTIAN_OVERRIDES =
  `# The executable begins with the Deno runtime as its authors publish it, with their choice of
# embedded libraries and flags. Debian has no package of it. What is known of its parts is listed in
# /usr/share/doc/ipcauth/ipcauth.cdx.json.
ipcauth: embedded-library *usr/bin/ipcauth*
ipcauth: hardening-no-relro *usr/bin/ipcauth*
ipcauth: binary-has-unneeded-section *usr/bin/ipcauth*
ipcauth: spelling-error-in-binary *usr/bin/ipcauth*
`;

/**
 * `debian/copyright` (copyright-format 1.0).
 *
 * @param license The text of `LICENSE`.
 * @param notices The text of `THIRD-PARTY-NOTICES`.
 * @throws {Error} Where the notices lack a license.
 */
export function copyright(license: string, notices: string): string {
  const rule = "=".repeat(100);
  const parts = notices.split(`${rule}\n`).slice(1);
  /** The license text of a part, without the lines that name the part. */
  const text = (name: string): string => {
    const at = parts.findIndex((part) =>
      part.startsWith(`${name} (`) || part.startsWith(`${name},`)
    );
    if (at < 0) throw new Error(`THIRD-PARTY-NOTICES has no license of ${name}`);
    return folded(parts[at + 1]!);
  };
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ipcauth

Files: *
Copyright: 2026 The ipcauth authors
License: Expat

Files: usr/bin/ipcauth
Copyright: 2026 The ipcauth authors
           2018-2026 the Deno authors
           2014 the V8 project authors
           Microsoft Corporation
           SWC contributors
           Eemeli Aro <eemeli@gmail.com>
License: Expat and BSD-3-Clause and ISC and Apache-2.0
Comment: It contains works of other authors. The sources of Deno name them and
 their licenses.

License: Expat
${folded(license)}

License: ISC
${text("yaml")}

License: BSD-3-Clause
${text("V8")}

License: Apache-2.0
 On Debian systems, the text is in /usr/share/common-licenses/Apache-2.0.
`;
}

/** A text as the value of a field: every line is indented by a space, an empty line is a dot. */
function folded(text: string): string {
  return text.trim().split("\n").map((line) => line.trim() === "" ? " ." : ` ${line}`).join("\n");
}
