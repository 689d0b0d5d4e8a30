/** Where this machine's packages of Debian or Ubuntu come from, to make other roots of them. */

/** The release of a distribution, and the files of apt that name its archives. */
export interface DebianSources {
  /** For example `bookworm`. */
  readonly codename: string;
  /** Paths. */
  readonly files: readonly string[];
}

/**
 * What apt knows of its archives, without those of other publishers; `undefined` on a machine of
 * another distribution, or whose lists have not been fetched. See apt-get(8), indextargets.
 */
export function debianSources(): DebianSources | undefined {
  const release = Deno.readTextFileSync("/etc/os-release");
  const id = /^ID=(debian|ubuntu)$/m.exec(release)?.[1];
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (id === undefined || codename === undefined) return undefined;
  const files = targets(id).flatMap((entry) => /^(\/.*):\d+$/.exec(entry)?.[1] ?? []);
  return files.length === 0 ? undefined : { codename, files: [...new Set(files)] };
}

/** The `FILE:LINE` of each list of packages that a distribution publishes. */
function targets(id: string): string[] {
  const origin = id === "debian" ? "Debian" : "Ubuntu";
  try {
    const { stdout } = new Deno.Command("apt-get", {
      args: [
        ...["indextargets", "--format", "$(SOURCESENTRY)"],
        ...["Created-By: Packages", `Origin: ${origin}`],
      ],
      stderr: "null",
    }).outputSync();
    return new TextDecoder().decode(stdout).split("\n");
  } catch {
    return [];
  }
}
