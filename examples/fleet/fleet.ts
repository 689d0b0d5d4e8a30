/**
 * Three Debian hosts on a network of their own: an image that they share, and containers with a
 * systemd of their own (`systemd-nspawn(1)`). All of it is in namespaces that `supervisor.sh` holds
 * and removes.
 */
import { fromFileUrl, join } from "@std/path";
import type { DebianSources } from "../../tools/packaging/debian_sources.ts";
import { Host } from "./host.ts";

const HERE = fromFileUrl(new URL(".", import.meta.url));
const NAMES = ["host1", "host2", "host3"] as const;

/** The beginning of the names of the directories. */
const PREFIX = "ipcauth-fleet-";

/** What the image has beside a minimal Debian. */
const PACKAGES = [
  ...["systemd", "systemd-sysv", "adduser", "slapd", "ldap-utils", "nslcd", "libnss-ldapd"],
  ...["prometheus", "socat"],
];

/** The hosts, and what holds them. */
export class Fleet {
  readonly directory: string;
  readonly #supervisor: Deno.ChildProcess;
  #closed: Promise<void> | null = null;
  readonly #consoles: Deno.ChildProcess[] = [];

  private constructor(directory: string, supervisor: Deno.ChildProcess) {
    this.directory = directory;
    this.#supervisor = supervisor;
  }

  /**
   * Makes the directory and the namespaces.
   *
   * @param temporary Where the directory is made.
   * @throws {Error} Where that is not possible here.
   */
  static async open(temporary: string): Promise<Fleet> {
    // The users of the hosts read what is made here, whatever mask the caller has.
    Deno.umask(0o022);
    const directory = await Deno.makeTempDir({ dir: temporary, prefix: PREFIX });
    await Deno.chmod(directory, 0o755);
    const supervisor = new Deno.Command("setsid", {
      args: ["sh", join(HERE, "supervisor.sh"), directory],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const fleet = new Fleet(directory, supervisor);
    if (await firstLine(supervisor.stdout) !== "ready") {
      const reason = (await new Response(supervisor.stderr).text()).trim();
      await fleet.close();
      await Deno.remove(directory, { recursive: true }).catch(() => {});
      throw new Error(reason);
    }
    return fleet;
  }

  /** A directory that all hosts have as `/srv/fleet`. */
  get share(): string {
    return join(this.directory, "share");
  }

  /** Makes the image of the packages of this machine's archives, and of a package that is built. */
  async makeImage({ codename, files }: DebianSources): Promise<void> {
    const image = join(this.directory, "image");
    const work = join(this.directory, "work");
    const deb = join(work, "ipcauth.deb");
    await Deno.mkdir(work);
    await Promise.all([
      this.#run([
        ...["mmdebstrap", "--quiet", "--variant=minbase", "--dpkgopt=force-unsafe-io"],
        ...[`--include=${PACKAGES.join(",")}`, codename, image, ...files],
      ]),
      this.#run([
        ...["sh", join(HERE, "package.sh"), Deno.execPath(), work, deb],
      ]),
    ]);
    // The modes of a checkout depend on the mask of who made it.
    await this.#run(["cp", "-R", join(HERE, "root"), join(work, "root")]);
    await this.#run(["chmod", "-R", "u=rwX,go=rX", join(work, "root")]);
    await this.#run(["cp", "-R", "--preserve=mode", `${work}/root/.`, image]);
    for (const name of ["image.sh", "directory.ldif"]) {
      await Deno.copyFile(join(HERE, name), join(image, name));
    }
    await Deno.rename(deb, join(image, "ipcauth.deb"));
    await this.#run(["chroot", image, "sh", "/image.sh", "/ipcauth.deb"]);
    await Deno.remove(join(image, "image.sh"));
  }

  /** Boots the hosts, and waits until each is up. */
  async boot(): Promise<readonly [Host, Host, Host]> {
    await Deno.mkdir(this.share, { mode: 0o755 });
    await this.#run(["sh", join(HERE, "network.sh"), this.directory, ...NAMES], ["--net"]);
    const [one, two, three] = NAMES.map((name) => this.#boot(name));
    return await Promise.all([one!, two!, three!]);
  }

  async #boot(name: string): Promise<Host> {
    const ready = join(this.share, `${name}.ready`);
    await this.#run(["mkfifo", ready]);
    const container = this.#enter(
      ["sh", join(HERE, "boot.sh"), this.directory, name],
      ["--net"],
      { stdin: "null", stdout: "piped", stderr: "null" },
    ).spawn();
    this.#consoles.push(container);
    const said = new Response(container.stdout).text().catch(() => "");
    const up = this.#run(["cat", ready]);
    const ended = container.status.then(async () => {
      throw new Error(`${name} did not boot: ${(await said).trim()}`);
    });
    await Promise.race([up, ended]);
    ended.catch(() => {});
    await Deno.remove(ready);
    return new Host(name, String(await processOf(container.pid)));
  }

  /** Ends and removes everything, once. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    await this.#supervisor.stdin.close().catch(() => {});
    await this.#supervisor.status;
    await Promise.all(this.#consoles.map(({ status }) => status));
  }

  #enter(
    argv: readonly string[],
    namespaces: readonly string[],
    streams: Pick<Deno.CommandOptions, "stdin" | "stdout" | "stderr">,
  ): Deno.Command {
    const pid = Deno.readTextFileSync(join(this.directory, "init")).trim();
    return new Deno.Command("nsenter", {
      args: ["--target", pid, "--mount", "--pid", ...namespaces, "--", ...argv],
      // What programs put into their temporary directory is removed with the fleet's.
      env: { LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive", TMPDIR: this.directory },
      cwd: "/",
      ...streams,
    });
  }

  /** Runs a program in the namespaces to its end. @throws {Error} Where it fails. */
  async #run(argv: readonly string[], namespaces: readonly string[] = []): Promise<void> {
    const { success, stdout, stderr } = await this.#enter(argv, namespaces, {
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    if (success) return;
    const decoder = new TextDecoder();
    throw new Error(`${argv[0]}: ${(decoder.decode(stderr) || decoder.decode(stdout)).trim()}`);
  }
}

/** The first line of a stream; the rest is read and dropped. */
async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  const { value } = await reader.read();
  reader.cancel().catch(() => {});
  return new TextDecoder().decode(value).trim();
}

/**
 * The process 1 of a container, which is the child of the child of `nsenter(1)`. Deno itself reads
 * nothing of other processes.
 */
async function processOf(pid: number): Promise<number> {
  let child = pid;
  for (let depth = 0; depth < 2; depth++) {
    const path = `/proc/${child}/task/${child}/children`;
    const { stdout } = await new Deno.Command("cat", { args: [path] }).output();
    child = Number(new TextDecoder().decode(stdout).trim().split(" ")[0]);
  }
  return child;
}

/** Removes what is left of runs whose supervisor was killed, too. */
export async function removeLeftovers(temporary: string): Promise<void> {
  for (const { name, isDirectory } of Deno.readDirSync(temporary)) {
    const path = join(temporary, name);
    if (!isDirectory || !name.startsWith(PREFIX)) continue;
    if (Deno.lstatSync(path).uid !== Deno.uid()) continue;
    await new Deno.Command("sh", {
      args: [join(HERE, "remove.sh"), path],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
  }
}
