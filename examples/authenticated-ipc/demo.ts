/**
 * The story over a Unix socket, told by the real program on real users: every command is printed before
 * its output, and every outcome is checked.
 *
 *   deno task demo                  ends with 0 only if every step came out as it must
 *   deno task demo --interactive    leaves you at root's prompt
 */
import { fromFileUrl, join } from "@std/path";
import { stage } from "../../.ci/stage.ts";
import { PREFIX } from "./leftovers.ts";

const EXAMPLE = fromFileUrl(new URL("config.yaml", import.meta.url));
const ALICE = "578";
const BOB = "579";

/** What a step must come to. */
interface Expectation {
  readonly code: number;
  /** Parts of the output that must be there. */
  readonly says?: readonly string[];
}

class Demo {
  readonly #directory: string;
  readonly #env: Record<string, string>;
  #server: Deno.ChildProcess | null = null;

  constructor(directory: string, bin: string) {
    this.#directory = directory;
    this.#env = {
      PATH: `${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      LANG: "C.UTF-8",
      TERM: Deno.env.get("TERM") ?? "dumb",
      IPCAUTH_CONFIG: join(directory, "config.yaml"),
      IPCAUTH_PATH: join(directory, "ipc.sock"),
    };
  }

  async prepare(): Promise<void> {
    await Deno.copyFile(EXAMPLE, this.#env.IPCAUTH_CONFIG!);
    await Deno.chmod(this.#env.IPCAUTH_CONFIG!, 0o644);
    say("The environment of server and clients:");
    for (const name of ["IPCAUTH_CONFIG", "IPCAUTH_PATH"]) print(`  ${name}=${this.#env[name]}\n`);
    say("The configuration:");
    print(await Deno.readTextFile(this.#env.IPCAUTH_CONFIG!));
  }

  async startServer(): Promise<void> {
    say("A server, run by root:");
    prompt("ipcauth serve --unix &");
    this.#server = new Deno.Command("ipcauth", {
      args: ["serve", "--unix", "--log-format", "text"],
      clearEnv: true,
      env: this.#env,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await Deno.writeTextFile(join(this.#directory, "server.pid"), `${this.#server.pid}\n`);
    await untilItListens(this.#server.stderr);
  }

  /** Runs a command of the story. */
  async step(command: readonly string[], expected: Expectation, input = ""): Promise<void> {
    prompt((input ? `echo '${input}' | ` : "") + command.join(" "));
    const child = new Deno.Command(command[0]!, {
      args: command.slice(1),
      clearEnv: true,
      env: this.#env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input && input + "\n")).catch(() => {});
    await writer.close().catch(() => {});
    const { code, stdout, stderr } = await child.output();
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    print(output);
    if (code !== expected.code) fail(`the exit code was ${code}, not ${expected.code}`);
    for (const part of expected.says ?? []) {
      if (!output.includes(part)) fail(`the output lacks "${part}"`);
    }
  }

  async interact(): Promise<void> {
    say("You are root at the console. Lines to try:");
    print(
      "  show users\n  show running-config aaa authentication users user alice\n" +
        "  set user alice local_ipc_access true\n  who\n  help\n  exit\n" +
        "And in another terminal, as root:\n" +
        `  export IPCAUTH_PATH=${this.#env.IPCAUTH_PATH} PATH=${
          join(this.#directory, "bin")
        }:$PATH\n` +
        `  ipcauth run-as ${ALICE} -- ipcauth connect\n`,
    );
    prompt("ipcauth connect");
    await new Deno.Command("ipcauth", { args: ["connect"], clearEnv: true, env: this.#env })
      .spawn().status;
  }

  /** Stops the server. @returns Its exit code. */
  async stopServer(): Promise<number> {
    if (this.#server === null) return 0;
    const server = this.#server;
    this.#server = null;
    try {
      server.kill("SIGTERM");
    } catch {
      // It has ended already, and its status says how.
    }
    return (await server.status).code;
  }

  async clean(): Promise<void> {
    await this.stopServer();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

async function tell(demo: Demo): Promise<void> {
  const connect = (uid: string) => ["ipcauth", "run-as", uid, "--", "ipcauth", "connect"];
  const refused = { code: 77, says: ["Failed to connect to server"] };
  const greeting = (name: string) => ({
    code: 0,
    says: [`${name} connected from 127.0.0.1 using console on `],
  });
  const showAlice = "show running-config aaa authentication users user alice";

  await demo.step(["ipcauth", "users", "list"], { code: 0, says: ["alice", "bob"] });

  say(`alice (uid ${ALICE}) may not come in, bob (uid ${BOB}) may:`);
  await demo.step(connect(ALICE), refused);
  await demo.step(connect(BOB), {
    code: 0,
    says: [...greeting("bob").says, " local_ipc_access false"],
  }, showAlice);

  say("Why?");
  await demo.step(["ipcauth", "users", "check", ALICE], { code: 77, says: ["user-denied"] });

  say("Flip both flags; the next connection knows:");
  await demo.step(["ipcauth", "users", "allow", "alice"], { code: 0 });
  await demo.step(["ipcauth", "users", "deny", "bob"], { code: 0 });
  await demo.step(connect(ALICE), {
    code: 0,
    says: [...greeting("alice").says, " local_ipc_access true"],
  }, showAlice);
  await demo.step(connect(BOB), refused);

  say("And back again, from root's own console:");
  await demo.step(["ipcauth", "connect", "-c", "deny alice", "-c", "allow bob"], { code: 0 });
  await demo.step(connect(ALICE), refused);
  await demo.step(connect(BOB), greeting("bob"), "who");
}

async function untilItListens(log: ReadableStream<Uint8Array>): Promise<void> {
  let text = "";
  const reader = log.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) fail(`the server did not start: ${text}`);
    text += decoder.decode(value, { stream: true });
    if (/ listen .*\n/.test(text)) break;
  }
  print(text);
  // The log goes on; a pipe that nobody reads would stop the server some day.
  (async () => {
    while (!(await reader.read()).done);
  })();
}

class DemoError extends Error {}

function fail(what: string): never {
  throw new DemoError(what);
}

function print(text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
}

function say(text: string): void {
  print(`\n# ${text}\n`);
}

function prompt(command: string): void {
  print(`$ ${command}\n`);
}

async function main(args: readonly string[]): Promise<number> {
  const interactive = args.includes("--interactive");
  if (args.some((arg) => arg !== "--interactive")) {
    console.error("usage: deno task demo [--interactive]");
    return 64;
  }
  if (Deno.uid() !== 0) {
    console.error(
      "error: the demo becomes alice and bob, which needs root\nhint: sudo deno task demo",
    );
    return 77;
  }
  const { directory, bin } = await stage(PREFIX);
  const demo = new Demo(directory, bin);
  const interrupted = () => demo.clean().finally(() => Deno.exit(130));
  // At the prompt, Ctrl-C is the console's.
  if (!interactive) Deno.addSignalListener("SIGINT", interrupted);
  Deno.addSignalListener("SIGTERM", interrupted);
  try {
    await demo.prepare();
    await demo.startServer();
    if (interactive) await demo.interact();
    else await tell(demo);
    const code = await demo.stopServer();
    if (code !== 0) fail(`the server ended with ${code}`);
    if (!interactive) {
      say("Every step came out as it must. The server is stopped, nothing is left.");
    }
    return 0;
  } catch (error) {
    if (!(error instanceof DemoError)) throw error;
    console.error(`\ndemo failed: ${error.message}`);
    return 1;
  } finally {
    await demo.clean();
  }
}

Deno.exit(await main(Deno.args));
