/** A server for tests of `exec` services, and checks of its processes. */
import { freePort, writeKey } from "./keys.ts";
import { type AuditEvent, Program, type RunningServer } from "./program.ts";

const USERS = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, gid: 1234, local_ipc_access: true }
  - { name: dora, uid: 581, local_ipc_access: true }
`;

/** A server whose services are shell scripts, each on a socket, and a port where asked for. */
export class ExecServer implements AsyncDisposable {
  readonly program: Program;
  readonly server: RunningServer;
  readonly config: string;
  readonly ports: Readonly<Record<string, number>>;

  private constructor(
    program: Program,
    server: RunningServer,
    config: string,
    ports: Record<string, number>,
  ) {
    this.program = program;
    this.server = server;
    this.config = config;
    this.ports = ports;
  }

  static async open(
    scripts: Record<string, { script: string; runAs?: string; tcp?: boolean }>,
    limits = "limits: { grace: 200ms }\n",
    env: Record<string, string> = {},
  ): Promise<ExecServer> {
    const program = await Program.install({ privateSystem: true });
    try {
      const bob = await writeKey(program, "bob.key");
      const dora = await writeKey(program, "dora.key");
      const ports: Record<string, number> = {};
      const listeners = [`  - { unix: ${program.path("console.sock")} }\n`];
      for (const [name, { script, runAs = "server", tcp = false }] of Object.entries(scripts)) {
        const path = await program.write(`${name}.sh`, `#!/bin/sh\n${script}\n`, 0o755);
        const service = `service: { exec: [${path}, "an argument"], run_as: ${runAs} }`;
        listeners.push(`  - { unix: ${program.path(`${name}.sock`)}, ${service} }\n`);
        if (!tcp) continue;
        const port = ports[name] = freePort();
        const keys = `[{ file: ${bob}, user: bob }, { file: ${dora}, user: dora }]`;
        listeners.push(`  - { tcp: "127.0.0.1:${port}", keys: ${keys}, ${service} }\n`);
      }
      const text = `listeners:\n${listeners.join("")}${USERS}${limits}`;
      const config = await program.write("config.yaml", text);
      const server = await program.serve(["--config", config], { env });
      await server.events("listen", listeners.length);
      return new ExecServer(program, server, config, ports);
    } catch (error) {
      await program.remove();
      throw error;
    }
  }

  /** What a client of a uid reads that sends some bytes and then ends its side. */
  async local(name: string, uid: number, input = "", groups: number[] = []): Promise<string> {
    const path = this.program.path(`${name}.sock`);
    const argv = ["socat", "-t10", "-", `UNIX:${path}`];
    return (await this.program.execute(argv, { uid, groups, input })).stdout;
  }

  /** The same over TCP. */
  keyed(name: string, key: string, input = "") {
    const where = `--tcp=127.0.0.1:${this.ports[name]}`;
    const args = ["connect", where, `--key=${this.program.path(key)}`, "--pipe"];
    return this.program.run(args, { input });
  }

  /** A connection as the uid of the tests, which may always connect. */
  openConnection(name: string): Promise<Deno.UnixConn> {
    return Deno.connect({ transport: "unix", path: this.program.path(`${name}.sock`) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

/** The values of some variables in the output of `env`. */
export function variables(text: string, ...names: string[]): (string | undefined)[] {
  const all = new Map(
    text.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  return names.map((name) => all.get(name));
}

/** Reads one line of a connection, a byte at a time, so that the rest stays unread. */
export async function readLine(connection: Deno.Conn): Promise<string> {
  const bytes: number[] = [];
  const one = new Uint8Array(1);
  while (await connection.read(one) !== null && one[0] !== 10) bytes.push(one[0]!);
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** Whether an event is about the socket of a script. */
export function isOf(name: string): (event: AuditEvent) => boolean {
  return ({ listener }) => String(listener).endsWith(`/${name}.sock`);
}

/** Whether a process runs; one that only waits to be reaped does not. */
export function isAlive(pid: number): boolean {
  const state = words("ps", "-o", "stat=", "-p", String(pid));
  return state.length > 0 && !state[0]!.startsWith("Z");
}

/** The children of a process, with those that wait to be reaped. */
export function childrenOf(pid: number): string[] {
  return words("ps", "-o", "pid=,args=", "--ppid", String(pid));
}

/** How many descriptors a process has open. */
export function descriptorsOf(pid: number): number {
  return words("ls", `/proc/${pid}/fd`).length;
}

/**
 * How many descriptors a process has open when it is at rest: for some moments it has more, such as
 * a part of the program that is loaded on demand.
 */
export async function restingDescriptors(pid: number): Promise<number> {
  let last = -1;
  for (let same = 0; same < 8;) {
    const descriptors = descriptorsOf(pid);
    same = descriptors === last ? same + 1 : 0;
    last = descriptors;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return last;
}

/**
 * What a process holds beside the descriptors it had before: an empty text for nothing. Where it
 * has other descriptors, its children are not looked for.
 */
export function leftOf(pid: number, descriptors: number): string {
  const open = descriptorsOf(pid);
  const children = open === descriptors ? childrenOf(pid) : [];
  if (open === descriptors && children.length === 0) return "";
  return `${open} descriptors instead of ${descriptors}, children: ${children.join(" ")}`;
}

/**
 * Waits until a process has no child, and as many descriptors open as before.
 *
 * @throws {Error} When it has more for a long time, which is a leak.
 */
export async function untilNothingIsLeft(pid: number, descriptors: number): Promise<void> {
  const until = performance.now() + LEAK_MS;
  for (let left; (left = leftOf(pid, descriptors)) !== "";) {
    if (performance.now() > until) throw new Error(left);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What a process still holds after this time is leaked, in milliseconds. */
const LEAK_MS = 20_000;

function words(command: string, ...args: string[]): string[] {
  const { stdout } = new Deno.Command(command, { args }).outputSync();
  return new TextDecoder().decode(stdout).split(/\s+/).filter((word) => word !== "");
}
/** Waits until a process that is no child of the test has ended: no event says so. */
export async function ended(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Prints the pid of a child that ignores SIGTERM, and ends at the first line it reads. */
export const IGNORES_SIGTERM = `sh -c 'trap "" TERM; echo $$; exec sleep 1000' & read line`;
