/** `deno task fleet`: three hosts, run to the end, killed, interrupted, and what is left of it. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { debianSources } from "../../tools/packaging/debian_sources.ts";
import { isInstalled } from "../support/installed.ts";
import { isRoot } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { type Block, blocksOf, OutputPattern } from "../support/transcript.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const NEEDS = ["mmdebstrap", "systemd-nspawn", "dpkg-deb", "gcc", "npm", "ip"];
const canRun = isRoot && NEEDS.every(isInstalled) && debianSources() !== undefined;

/** The longest time that a run may take on a busy machine, in milliseconds; then it is killed. */
const RUN_LIMIT_MS = 600_000;

/** Makes a mask and a file system that are unfit for hosts, for the program that follows. */
const UNFIT = `mount --bind "$TMPDIR" "$TMPDIR"
  mount -o remount,bind,noexec,nodev,nosuid "$TMPDIR"
  umask 077
  exec "$@"`;

/** A run of the task, in a process group of its own, as a shell starts it. */
class Run {
  readonly #child: Deno.ChildProcess;
  /** What it has told of its progress. */
  #progress = "";
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #stdout: Promise<string>;
  readonly #limit: ReturnType<typeof setTimeout>;

  /**
   * @param temporary Its directory for temporary files.
   * @param env Further variables.
   * @param before A program and its arguments, before the command that it runs.
   */
  constructor(temporary: string, env: Record<string, string> = {}, before: string[] = []) {
    this.#child = new Deno.Command("/usr/bin/setsid", {
      args: [...before, Deno.execPath(), "task", "--quiet", "fleet"],
      cwd: ROOT,
      env: { TMPDIR: temporary, NO_COLOR: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reader = this.#child.stderr.getReader();
    this.#stdout = new Response(this.#child.stdout).text();
    this.#limit = setTimeout(() => this.signal("KILL"), RUN_LIMIT_MS);
  }

  /** Waits for a text of its progress. */
  async told(text: string): Promise<void> {
    while (!this.#progress.includes(text) && await this.#read());
    assertStringIncludes(this.#progress, text);
  }

  /** Signals all its processes that belong to the terminal. */
  signal(name: "INT" | "KILL"): void {
    const args = ["-c", `kill -s ${name} -- -${this.#child.pid}`];
    new Deno.Command("/bin/sh", { args }).outputSync();
  }

  /** Waits for its end. */
  async ended(): Promise<{ code: number; stdout: string; progress: string }> {
    while (await this.#read());
    const [{ code }, stdout] = await Promise.all([this.#child.status, this.#stdout]);
    clearTimeout(this.#limit);
    return { code, stdout, progress: this.#progress };
  }

  async #read(): Promise<boolean> {
    const { value, done } = await this.#reader.read();
    if (!done) this.#progress += new TextDecoder().decode(value);
    return !done;
  }
}

/** What is left of runs with that directory: files, processes, mounts, cgroups, interfaces. */
async function leftovers(temporary: string, names: readonly string[]): Promise<string> {
  // No command line of these commands has the directory's path in it.
  const script = `ls -A "$DIRECTORY"
    echo "$DIRECTORY" | grep -laFf - /proc/[0-9]*/cmdline /proc/self/mountinfo
    ip -brief link | grep -E '^(fleet|vb-host)'
    for name; do find /sys/fs/cgroup -name "$name"; done`;
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", script, "sh", ...names],
    env: { DIRECTORY: temporary },
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

/** What a document shows of the story. */
async function storyOf(path: string): Promise<readonly Block[]> {
  const blocks = blocksOf(await Deno.readTextFile(`${ROOT}${path}`));
  const story = blocks.filter(({ info }) => info === "console fleet");
  assert(story.length > 0);
  return story;
}

/** Waits until a program that makes the image has made the first file below a directory. */
async function begun(path: string): Promise<void> {
  using watcher = Deno.watchFs(path);
  for await (const { paths } of watcher) {
    if (paths.some((made) => /\/(image|mmdebstrap\.\w+\.\w+)(\/|$)/.test(made))) return;
  }
}

/** Waits until a directory has nothing in it. */
async function emptied(path: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  using watcher = Deno.watchFs(path);
  const timer = setTimeout(() => watcher.close(), deadline - performance.now());
  const isEmpty = () => [...Deno.readDirSync(path)].length === 0;
  if (!isEmpty()) { for await (const _ of watcher) if (isEmpty()) break; }
  clearTimeout(timer);
}

Deno.test({
  name: "fleet: three hosts tell their story after runs that were killed and interrupted, and " +
    `leave nothing (needs root, Debian's sources and ${NEEDS.join(", ")})`,
  ignore: !canRun,
  async fn() {
    using directory = new TemporaryDirectory();
    const temporary = directory.path;
    const names: string[] = [];
    const killed = new Run(temporary);
    await killed.told("making the image");
    names.push(...directory.names());
    killed.signal("KILL");
    await killed.ended();
    await emptied(temporary);

    // What a run leaves whose supervisor was killed, too, is removed by the next one.
    await Deno.mkdir(directory.at("ipcauth-fleet-left/hosts"), { recursive: true });
    const interrupted = new Run(temporary);
    await begun(temporary);
    names.push(...directory.names());
    interrupted.signal("INT");
    assertEquals((await interrupted.ended()).code, 130);
    assertEquals(await leftovers(temporary, names), "");

    // It makes its hosts whatever the mask is, and where no program of a user may run.
    const before = ["unshare", "--mount", "--propagation", "private", "sh", "-c", UNFIT, "sh"];
    const run = new Run(temporary, {}, before);
    await run.told("the image is made");
    names.push(...directory.names());
    const { code, stdout, progress } = await run.ended();
    assertEquals(code, 0, stdout + progress);
    for (const { text, line } of await storyOf("examples/fleet/README.md")) {
      const found = new OutputPattern("").match(text, stdout, false);
      assert(found !== null, `README.md, line ${line}, is not what was printed:\n${stdout}`);
    }
    assertMatch(progress, /^fleet: \d+ s in all$/m);
    assertEquals(names.length, 3);
    assertEquals(await leftovers(temporary, names), "");
  },
});

Deno.test({
  name: "fleet: the task names what a machine lacks, and the command that installs it (needs root)",
  ignore: !isRoot,
  async fn() {
    using directory = new TemporaryDirectory();
    const { code, stdout, progress } = await new Run(directory.path, { PATH: "/nonexistent" })
      .ended();
    assertEquals([code, stdout], [69, ""]);
    assertStringIncludes(progress, "error: this machine has no mmdebstrap, systemd-nspawn, ip,");
    assertStringIncludes(progress, "hint: apt-get install mmdebstrap systemd-container iproute2 ");
    assertEquals(directory.names(), []);
  },
});

Deno.test({
  name: "fleet: a directory for temporary files that cannot be used is named (needs root, " +
    `Debian's sources and ${NEEDS.join(", ")})`,
  ignore: !canRun,
  async fn() {
    using directory = new TemporaryDirectory();
    const file = directory.at("file");
    const comma = directory.at("a,b");
    await Deno.writeTextFile(file, "");
    await Deno.mkdir(comma);
    const faults = { [directory.at("none")]: "does not exist", [file]: "is no directory" };
    for (const [path, what] of Object.entries({ ...faults, [comma]: "has a comma" })) {
      const { code, stdout, progress } = await new Run(path).ended();
      assertEquals([code, stdout], [73, ""], progress);
      assertStringIncludes(progress, `error: the directory for temporary files, ${path}, ${what}`);
      assertStringIncludes(progress, "hint: TMPDIR=/var/tmp deno task fleet\n");
    }
  },
});
