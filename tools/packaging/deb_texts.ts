/** What a Debian package has to say of itself: who made it, under which licenses, and what changed. */
import manifest from "../../deno.json" with { type: "json" };
import type { Commit } from "../build/commit.ts";

/** Who answers for the package. Vulnerabilities are reported as `SECURITY.md` says; nobody reads mail to this address. */
const MAINTAINER = "The ipcauth authors <ipcauth@users.noreply.github.com>";

/**
 * `debian/control` of the binary package (Debian Policy 5.3). The runtime is linked with `libgcc_s.so.1`; what else it and
 * the scripts use is essential.
 *
 * @param architecture Debian's name of it.
 * @param size In KiB.
 */
export function control(architecture: string, size: number): string {
  return `Package: ipcauth
Version: ${manifest.version}
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

/** The changelog in Debian's own format (`deb-changelog(5)`); what changed is in the project's. */
export function changelog({ hash, time }: Commit): string {
  const [, day, month, date, year, clock] = /^(\w+), ((?:\d+)) (\w+) (\d+) ([\d:]+) GMT$/.exec(
    new Date(time * 1000).toUTCString(),
  )!;
  return `ipcauth (${manifest.version}) unstable; urgency=medium

  * Built from commit ${hash}; see CHANGELOG.md.

 -- ${MAINTAINER}  ${day}, ${month} ${date} ${year} ${clock} +0000
`;
}

/** What lintian finds in the runtime, which is not ours to build. */
export const LINTIAN_OVERRIDES =
  `# The runtime is Deno, byte for byte as its authors publish it, with the libraries they have built into it and
# their choice of flags. Debian has no package of it; whoever needs to know finds what is known of its parts in
# /usr/share/doc/ipcauth/ipcauth.cdx.json.
ipcauth: embedded-library *usr/lib/ipcauth/deno*
ipcauth: hardening-no-relro *usr/lib/ipcauth/deno*
ipcauth: binary-has-unneeded-section *usr/lib/ipcauth/deno*
ipcauth: spelling-error-in-binary *usr/lib/ipcauth/deno*
`;

/**
 * `debian/copyright` (copyright-format 1.0).
 *
 * @param license The program's own.
 * @param notices `THIRD-PARTY-NOTICES`.
 */
export function copyright(license: string, notices: string): string {
  const rule = "=".repeat(100);
  const parts = notices.split(`${rule}\n`).slice(1);
  /** The text of a part, without the lines that say whose it is. */
  const text = (name: string): string => {
    const at = parts.findIndex((part) =>
      part.startsWith(`${name} (`) || part.startsWith(`${name},`)
    );
    if (at < 0) throw new Error(`THIRD-PARTY-NOTICES says nothing of ${name}`);
    return folded(parts[at + 1]!);
  };
  return `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ipcauth

Files: *
Copyright: 2026 The ipcauth authors
License: Expat

Files: usr/lib/ipcauth/*.js
Copyright: 2026 The ipcauth authors
           2018-2026 the Deno authors
           Eemeli Aro <eemeli@gmail.com>
License: Expat and ISC

Files: usr/lib/ipcauth/deno
Copyright: 2018-2026 the Deno authors
           2014 the V8 project authors
License: Expat and BSD-3-Clause
Comment: It contains works of more people, who are named with their licenses
 in the sources of Deno.

License: Expat
${folded(license)}

License: ISC
${text("yaml")}

License: BSD-3-Clause
${text("V8")}
`;
}

/** A text as the value of a field: each line indented, an empty one a dot. */
function folded(text: string): string {
  return text.trim().split("\n").map((line) => line.trim() === "" ? " ." : ` ${line}`).join("\n");
}
