/** The signals of a server and of a tunnel, however they were started. */
import { assert, assertEquals } from "@std/assert";
import { forwardServer, RunningTunnel } from "../support/backend.ts";
import { Program, RunningServer } from "../support/program.ts";

/**
 * Blocks some signals, ignores others, and becomes the program. What the test itself was started to
 * ignore, as by nohup(1), does not count.
 */
const START = `
import signal, sys, os
blocked, ignored = ([getattr(signal, name) for name in text.split()] for text in sys.argv[1:3])
signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
for one in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1:
    signal.signal(one, signal.SIG_DFL)
for one in ignored: signal.signal(one, signal.SIG_IGN)
os.execvp(sys.argv[3], sys.argv[3:])
`;

function started(how: { blocked?: string; ignored?: string }): string[] {
  return ["python3", "-c", START, how.blocked ?? "", how.ignored ?? ""];
}

/** Signals without a meaning for the program, by number: SIGUSR1, SIGUSR2, SIGALRM, … */
const MEANINGLESS = [10, 12, 14, 16, 26, 27, 29, 30, 34, 40, 64];

async function send(pid: number, signal: string | number): Promise<void> {
  await new Deno.Command("kill", { args: [`-${signal}`, String(pid)] }).output();
}

function exists(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}

async function startServer(program: Program, prefix: string[] = []): Promise<RunningServer> {
  const argv = [...prefix, "ipcauth", "serve", `--unix=${program.path("s.sock")}`];
  const server = new RunningServer(program.command(argv).spawn());
  await server.event("listen");
  return server;
}

Deno.test("a server that was started with its signals blocked obeys them", async () => {
  await using program = await Program.install();
  const names = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;
  for (const signal of names) {
    const blocked = "SIGTERM SIGINT SIGHUP SIGQUIT";
    await using server = await startServer(program, started({ blocked }));
    await send(server.pid, "HUP");
    await server.event("reload");
    assertEquals([await server.stop(signal), await exists(program.path("s.sock"))], [0, false]);
  }
});

Deno.test("a server that was started by nohup reloads at SIGHUP", async () => {
  await using program = await Program.install();
  await using server = await startServer(program, started({ ignored: "SIGHUP SIGINT" }));
  await send(server.pid, "HUP");
  await server.event("reload");
  assertEquals(await server.stop("SIGINT"), 0);
});

Deno.test("no signal without a meaning ends a server, and SIGQUIT ends it at once", async () => {
  await using program = await Program.install();
  await using server = await startServer(program);
  for (const signal of MEANINGLESS) await send(server.pid, signal);
  await send(server.pid, "HUP");
  await server.event("reload");
  const open = await Deno.connect({ transport: "unix", path: program.path("s.sock") });
  await server.event("allow");
  assertEquals([await server.stop("SIGQUIT"), await exists(program.path("s.sock"))], [0, false]);
  assertEquals(server.of("close").map(({ reason }) => reason), ["shutdown"]);
  open.close();
});

Deno.test("SIGHUP does not end the start of a server", async () => {
  await using program = await Program.install();
  const argv = ["ipcauth", "serve", `--unix=${program.path("s.sock")}`];
  await using server = new RunningServer(program.command(argv).spawn());
  // From the first moment in which the runtime runs, until the server listens. An executable's stub
  // blocks the signal, which can be seen (the lowest bit of SigBlk). A launcher can only ignore it,
  // which the runtime ends for the moment in which it registers its first listener.
  const script = `until case $(cat /proc/$0/comm) in
deno) ;; ipcauth) grep -q '^SigBlk:.*[13579bdf]$' /proc/$0/status;; *) false; esac; do :; done
while kill -HUP $0 && [ $2 = compiled ] && ! [ -e "$1" ]; do sleep 0.002; done`;
  const path = program.path("s.sock");
  const build = Deno.env.get("IPCAUTH_BUILD") ?? "source";
  const args = ["-c", script, String(server.pid), path, build];
  await new Deno.Command("sh", { args }).output();
  await server.event("listen");
  assertEquals(await server.stop(), 0);
});

/** Whether SIGUSR1 cannot reach a process: it is ignored, or blocked. */
async function isDeafToUsr1(program: Program, pid: number): Promise<boolean> {
  const { stdout } = await program.execute(["grep", "^Sig[IB]", `/proc/${pid}/status`]);
  const masks = stdout.trim().split("\n").map((line) => BigInt(`0x${line.split("\t")[1]}`));
  // SIGUSR1 is 1 << 9.
  return masks.some((mask) => (mask & (1n << 9n)) !== 0n);
}

/** The runtime catches SIGUSR1 after 500 ms: waits until it has had the time. */
const untilCaught = () => new Promise((resolve) => setTimeout(resolve, 700));

Deno.test("SIGUSR1 opens no debugger, in a server or in a tunnel", async () => {
  await using fixture = await forwardServer();
  const { program, port, server } = fixture;
  const key = program.path("bob.key");
  const address = `unix:${program.path("tunnel.sock")}`;
  await using tunnel = await RunningTunnel.open(program, { port, key, address });
  await untilCaught();
  for (const { pid } of [server, tunnel]) assert(await isDeafToUsr1(program, pid));
});

Deno.test("SIGUSR1 opens no debugger, in a command that waits for its reader", async (test) => {
  await using program = await Program.install();
  await program.write("config.yaml", "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n");
  const config = `--config=${program.path("config.yaml")}`;
  const commands = [
    ["users", "list", config],
    ["gen-key", program.path("new.key")],
    ["run-as", "no-such-user", "--", "true"],
    // Without the C library it can do nothing about it; the executable's stub can.
    ...Deno.env.get("IPCAUTH_BUILD") === "compiled" ? [["help"], ["--version"]] : [],
  ];
  for (const args of commands) {
    await test.step(args[0]!, async () => {
      // It writes to a pipe that is full (pipe(7)), as its output and its error.
      const line = 'head -c 65536 /dev/zero; exec ipcauth "$@" 2>&1';
      const child = program.command(["sh", "-c", line, "sh", ...args], { input: "" }).spawn();
      // At first it is a shell, which blocks signals while it starts `head`.
      const until = Date.now() + 10_000;
      for (let deaf = false; !deaf; deaf = await isDeafToUsr1(program, child.pid)) {
        assert(Date.now() < until, "the signal reaches it");
        await untilCaught();
      }
      child.kill("SIGKILL");
      await child.output();
    });
  }
});

Deno.test("run-as hands on whether SIGUSR1 is ignored", async () => {
  await using program = await Program.install();
  const argv = [
    "ipcauth",
    "run-as",
    String(Deno.uid()),
    "--",
    "grep",
    "SigIgn",
    "/proc/self/status",
  ];
  const masked = async (ignored: string) => {
    const { stdout } = await program.execute([...started({ ignored }), ...argv]);
    // SIGHUP is 1 << 0, SIGUSR1 is 1 << 9. Python itself ignores SIGPIPE and SIGXFSZ.
    return BigInt(`0x${stdout.trim().split("\t")[1]}`) & 0x201n;
  };
  assertEquals(await masked(""), 0n);
  // Where the start takes half a second, the runtime has caught SIGUSR1 before.
  for (const until = Date.now() + 10_000; await masked("SIGUSR1 SIGHUP") !== 0x201n;) {
    assert(Date.now() < until, "it is not ignored any more");
  }
});

Deno.test("a tunnel goes on ignoring what it was started to ignore", async () => {
  await using fixture = await forwardServer();
  const { program, port } = fixture;
  const path = program.path("tunnel.sock");
  const key = program.path("bob.key");
  const prefix = started({ ignored: "SIGHUP SIGINT SIGQUIT", blocked: "SIGTERM" });
  const args = [`--tcp=127.0.0.1:${port}`, `--key=${key}`, "--listen", `unix:${path}`];
  let attempts = 0;
  for (let hasAnswered = false; !hasAnswered; attempts++) {
    // Where the start takes half a second, the runtime has caught SIGHUP and SIGINT before.
    assert(attempts < 10, "it does not ignore them any more");
    const child = program.command([...prefix, "ipcauth", "connect", ...args]).spawn();
    await using tunnel = new RunningTunnel(child);
    await tunnel.line("listening on ");
    for (const signal of ["HUP", "INT", "QUIT", ...MEANINGLESS]) await send(tunnel.pid, signal);
    // It is still there to answer: a connection is made, and ends with the missing backend.
    using connection = await Deno.connect({ transport: "unix", path }).catch(() => null);
    if (connection === null) continue;
    await fixture.server.event("allow");
    connection.close();
    assertEquals([await tunnel.stop(), await exists(path)], [0, false]);
    hasAnswered = true;
  }
});

Deno.test("a tunnel ends at each signal that it was not started to ignore", async () => {
  await using fixture = await forwardServer();
  const { program, port } = fixture;
  const path = program.path("tunnel.sock");
  for (const signal of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const) {
    const key = program.path("bob.key");
    await using tunnel = await RunningTunnel.open(program, { port, key, address: `unix:${path}` });
    assert(await exists(path));
    assertEquals([await tunnel.stop(signal), await exists(path)], [0, false], signal);
  }
});
