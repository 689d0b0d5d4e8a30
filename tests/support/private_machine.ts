/**
 * A private machine for a document's commands, as far as they see it: `/etc`, `/run`, `/home`,
 * `/usr/local/sbin`, the network and the process ids are private (`unshare(1)`), so the program's
 * default paths and its default port can be used. Needs root.
 */
import { fromFileUrl } from "@std/path";
import type { Program } from "./program.ts";
import { RunningCommand } from "./running_command.ts";

const TERMINAL = fromFileUrl(new URL("terminal.py", import.meta.url));

/** The users of the machine, by name, with their uids. Nothing lists `visitor`. */
const USERS = { alice: 578, bob: 579, visitor: 1000 } as const;

/**
 * Prepares the namespaces and prints its process id, as the test sees it. Ends with its input, and
 * all other processes of the namespaces end with it.
 */
const SETUP = `set -e
outer=$(cut -d' ' -f4 /proc/self/stat)
cp -a /etc "$1/etc" && rm -rf "$1/etc/ipcauth"
sed -i -E '/^(alice|bob|visitor):|:(578|579|1000):/d' "$1/etc/passwd" "$1/etc/group"
users="${Object.entries(USERS).map(([name, uid]) => `${name}:${uid}`).join(" ")}"
for user in $users; do
  name=\${user%:*} uid=\${user#*:}
  echo "$name:x:$uid:$uid::/home/$name:/bin/sh" >> "$1/etc/passwd"
  echo "$name:x:$uid:" >> "$1/etc/group"
done
mount --bind "$1/etc" /etc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /home
mount -t tmpfs -o mode=755 tmpfs /usr/local/sbin
mount -t proc proc /proc
ip link set lo up
for user in $users; do
  install -d -m 700 -o "\${user#*:}" -g "\${user#*:}" "/home/\${user%:*}"
done
echo "$outer"
cat > /dev/null
`;

/** A private machine, and the commands that run on it. */
export class PrivateMachine {
  readonly #program: Program;
  readonly #holder: Deno.ChildProcess;
  readonly #pid: string;
  readonly running: RunningCommand[] = [];
  readonly #directory: string;
  /** The status of the last command, for `$?` in the next. */
  #status = 0;

  private constructor(
    program: Program,
    holder: Deno.ChildProcess,
    pid: string,
    directory: string,
  ) {
    this.#program = program;
    this.#directory = directory;
    this.#holder = holder;
    this.#pid = pid;
  }

  /**
   * Makes one.
   *
   * @param program The program that `ipcauth` is on this machine.
   * @param rootDirectory Where root's commands run.
   * @throws {Error} When the namespaces could not be made.
   */
  static async start(program: Program, rootDirectory = "/"): Promise<PrivateMachine> {
    const directory = program.path("machine");
    await Deno.mkdir(directory);
    const holder = new Deno.Command("unshare", {
      args: [
        ...["--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private"],
        ...["sh", "-c", SETUP, "sh", directory],
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = holder.stdout.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    const pid = new TextDecoder().decode(value).trim();
    if (!/^\d+$/.test(pid)) throw new Error("the namespaces could not be made");
    return new PrivateMachine(program, holder, pid, rootDirectory);
  }

  /** Writes a file of the machine whole, as root. */
  async write(path: string, text: string): Promise<void> {
    const script =
      `mkdir -p "\${1%/*}" && cat > "$1.new" && chmod 644 "$1.new" && mv "$1.new" "$1"`;
    const argv = [...this.#enter(), "sh", "-c", script, "sh", path];
    const { code, stderr } = await this.#program.execute(argv, { input: text });
    if (code !== 0) throw new Error(`${path}: ${stderr}`);
  }

  /** Runs a command to its end. @returns What it printed to standard output and standard error. */
  async run(user: string, command: string): Promise<string> {
    const { code, stdout } = await this.#program.execute(this.#argv(user, command), { cwd: "/" });
    this.#status = code;
    return stdout;
  }

  /**
   * Runs a command in a terminal, and types lines at its prompts.
   *
   * @returns What the terminal shows.
   */
  async type(
    user: string,
    command: string,
    lines: readonly { readonly prompt: string; readonly text: string }[],
  ): Promise<string> {
    const script = lines.flatMap(({ prompt, text }) => [["expect", prompt], ["send", `${text}\r`]]);
    const argv = ["python3", TERMINAL, JSON.stringify(script), ...this.#argv(user, command)];
    const { code, stdout, stderr } = await this.#program.execute(argv, { cwd: "/" });
    this.#status = code;
    // deno-lint-ignore no-control-regex -- the sequences that move a terminal's cursor
    const text = stdout.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, "");
    return text + stderr;
  }

  /** Starts a command that goes on running. */
  start(user: string, command: string): void {
    const child = this.#program.command(this.#argv(user, command), { cwd: "/" }).spawn();
    child.stderr.cancel().catch(() => {});
    this.running.push(new RunningCommand(child));
  }

  /** Ends everything that runs on the machine. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holder.stdin.close();
    await this.#holder.stdout.cancel();
    await this.#holder.status;
    for (const running of this.running) await running.ended();
  }

  #enter(): string[] {
    return ["nsenter", "--target", this.#pid, "--mount", "--net", "--pid", "--"];
  }

  #argv(user: string, command: string): string[] {
    const uid = user === "root" ? 0 : USERS[user as keyof typeof USERS];
    if (uid === undefined) throw new Error(`there is no user ${user}`);
    const home = uid === 0 ? this.#directory : `/home/${user}`;
    const become = uid === 0 ? [] : [
      "setpriv",
      `--reuid=${uid}`,
      `--regid=${uid}`,
      "--clear-groups",
    ];
    const script = `cd ${home}; exec 2>&1; (exit ${this.#status})\n${command}`;
    const variables = uid === 0 ? [] : [`HOME=${home}`];
    // Without the empty configuration of the tests, the one of the machine is read.
    const env = ["env", "-u", "IPCAUTH_CONFIG", ...variables, "TERM=dumb"];
    return [...this.#enter(), ...become, ...env, "bash", "-c", script];
  }
}
