/** What the example needs of this machine: it installs nothing by itself. */
import { type DebianSources, debianSources } from "../../tools/packaging/debian_sources.ts";

/** The commands, with Debian's packages that have them. */
const COMMANDS = {
  mmdebstrap: "mmdebstrap",
  "systemd-nspawn": "systemd-container",
  ip: "iproute2",
  unshare: "util-linux",
  nsenter: "util-linux",
  setsid: "util-linux",
  flock: "util-linux",
  findmnt: "util-linux",
  find: "findutils",
  mount: "mount",
  npm: "npm",
  gcc: "gcc",
  "dpkg-deb": "dpkg",
} as const;

/** What the image is made of, and where. */
export interface FleetSources extends DebianSources {
  /** The directory for temporary files: an absolute path without symbolic links. */
  readonly temporary: string;
}

/** What is missing, and what to do. */
export interface Need {
  readonly error: string;
  readonly hint: string;
  readonly code: number;
}

/** Says what this machine lacks; or where its packages come from, where it lacks nothing. */
export function needsOfMachine(): Need | FleetSources {
  if (Deno.uid() !== 0) {
    return {
      error: "the example makes containers, which needs root",
      hint: "sudo deno task fleet",
      code: 77,
    };
  }
  const missing = Object.entries(COMMANDS).filter(([command]) =>
    !runs("sh", "-c", `command -v ${command}`)
  );
  if (missing.length > 0) {
    return {
      error: `this machine has no ${missing.map(([command]) => command).join(", ")}`,
      hint: `apt-get install ${[...new Set(missing.map(([, name]) => name))].join(" ")}`,
      code: 69,
    };
  }
  const sources = debianSources();
  if (sources === undefined) {
    return {
      error: "apt knows no archive of Debian or Ubuntu on this machine",
      hint: "apt-get update",
      code: 69,
    };
  }
  if (!runs("unshare", "--mount", "--net", "--pid", "--fork", "true")) {
    return {
      error: "root may make no namespaces here",
      hint: "run it on a machine of its own, or in a container with all privileges",
      code: 71,
    };
  }
  const temporary = temporaryDirectory();
  return typeof temporary === "string" ? { ...sources, temporary } : temporary;
}

/** The directory for temporary files. */
function temporaryDirectory(): Need | string {
  const path = Deno.env.get("TMPDIR") || "/tmp";
  const unusable = (reason: string): Need => ({
    error: `the directory for temporary files, ${path}, ${reason}`,
    hint: "TMPDIR=/var/tmp deno task fleet",
    code: 73,
  });
  try {
    const real = Deno.realPathSync(path);
    if (!Deno.statSync(real).isDirectory) return unusable("is no directory");
    // They separate the options of mount(8) and of systemd-nspawn(1), and quote in both.
    if (/[,:"\\\n]/.test(real)) {
      return unusable("has a comma, colon, quote or backslash in its name");
    }
    return real;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return unusable("does not exist");
  }
}

function runs(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}
