/** An exec service: what its programs inherit from the server, and what happens to them with it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { childrenOf, ended, ExecServer, readLine } from "../support/exec_server.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const options = { ignore: !isRoot };

/** Reads until end-of-file, which says that no process holds the connection; at most for 10 s. */
async function readToEnd(connection: Deno.Conn): Promise<"end" | "open"> {
  const timeout = Promise.withResolvers<"open">();
  const timer = setTimeout(() => timeout.resolve("open"), 10_000);
  const buffer = new Uint8Array(64);
  const reading = (async () => {
    while (await connection.read(buffer).catch(() => null) !== null);
    return "end" as const;
  })();
  const result = await Promise.race([reading, timeout.promise]);
  clearTimeout(timer);
  return result;
}

Deno.test(
  "exec: programs end with a server that is killed (needs root)",
  options,
  async () => {
    const stubborn = "trap '' TERM HUP; exec 2>/dev/null; echo $$; while :; do sleep 1000; done";
    await using fixture = await ExecServer.open({
      own: { script: stubborn },
      peer: { script: stubborn, runAs: "peer" },
      bob: { script: stubborn, runAs: "bob" },
    });
    const names = ["own", "peer", "bob"];
    const connections = await Promise.all(names.map((name) => fixture.openConnection(name)));
    const pids = await Promise.all(connections.map(async (one) => Number(await readLine(one))));
    // The data plane allows another connection when it has finished what it did before.
    using another = await fixture.openConnection("console");
    await fixture.server.events("allow", names.length + 1);
    await fixture.server.stop("SIGKILL");
    assertEquals(await readToEnd(another), "end");
    assertEquals(await Promise.all(connections.map(readToEnd)), ["end", "end", "end"]);
    await Promise.all(pids.map(ended));
    connections.forEach((connection) => connection.close());
  },
);

/** A program that prints what it has inherited, one line each. */
const REPORT = `
import ctypes, os, platform
lines = [line.partition(":\\t") for line in open("/proc/self/status")]
status = {name: value.strip() for name, _, value in lines}
print("ignored", status["SigIgn"])
print("blocked", status["SigBlk"])
print("umask", status["Umask"])
print("nice", os.nice(0))
print("policy", os.sched_getscheduler(0))
ioprio_get = {"x86_64": 252, "aarch64": 31}[platform.machine()]
# The class of this process (IOPRIO_WHO_PROCESS); 1 is real-time.
print("input and output class", ctypes.CDLL(None).syscall(ioprio_get, 1, 0) >> 13)
print("oom", open("/proc/self/oom_score_adj").read().strip())
print("capabilities", status["CapInh"], status["CapAmb"])
`;

/** Sets what a server may have been started with, and becomes the program. */
const START = `
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
for one in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGCHLD):
    signal.signal(one, signal.SIG_IGN)
os.umask(0)
os.setpriority(os.PRIO_PROCESS, 0, -5)
try:
    with open("/proc/self/oom_score_adj", "w") as file: file.write("-500")
except OSError: pass  # without CAP_SYS_RESOURCE
os.execvp(sys.argv[1], sys.argv[1:])
`;

/** A server that was started with another priority, mask, ignored signals and capabilities. */
async function startUnusually(program: Program, config: string): Promise<RunningServer> {
  const child = program.command([
    ...["setpriv", "--inh-caps=+net_raw", "--ambient-caps=+net_raw", "python3", "-c", START],
    ...["ionice", "-c1", "-n0", "ipcauth", "serve", "--config", config],
  ]).spawn();
  const server = new RunningServer(child);
  await server.events("listen", 2);
  return server;
}

Deno.test(
  "exec: programs inherit no priority, ignored signal, mask or capability (needs root)",
  options,
  async () => {
    await using program = await Program.install({ privateSystem: true });
    const report = await program.write("report.py", REPORT);
    const [own, bob] = ["own.sock", "bob.sock"].map((name) => program.path(name));
    const exec = `exec: [/usr/bin/python3, ${report}]`;
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${own}, service: { ${exec} } }
  - { unix: ${bob}, service: { ${exec}, run_as: bob } }
users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]
`,
    );
    await using _server = await startUnusually(program, config);

    for (const path of [own!, bob!]) {
      const argv = ["socat", "-t10", "-", `UNIX:${path}`];
      const { stdout } = await program.execute(argv, { input: "" });
      assertEquals(stdout.trim().split("\n"), [
        // Python itself ignores SIGPIPE and SIGXFSZ.
        "ignored 0000000001001000",
        "blocked 0000000000000000",
        "umask 0022",
        "nice 0",
        "policy 0",
        "input and output class 0",
        "oom 0",
        "capabilities 0000000000000000 0000000000000000",
      ]);
    }
  },
);

/** Prints the serial of the session keyring that the program possesses. */
const KEYRING = `
import ctypes, platform
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 250, "aarch64": 219}[platform.machine()]
# KEYCTL_GET_KEYRING_ID of KEY_SPEC_SESSION_KEYRING, without making one
print(libc.syscall(number, 0, -3, 0))
`;

Deno.test(
  "exec: a program of another user has a session keyring of its own (needs root)",
  options,
  async () => {
    await using program = await Program.install({ privateSystem: true });
    const script = await program.write("keyring.py", KEYRING);
    const path = program.path("bob.sock");
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${path}, service: { exec: [/usr/bin/python3, ${script}], run_as: bob } }
users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]
`,
    );
    const own = (await program.execute(["python3", script])).stdout;
    await using _server = await program.serve(["--config", config]);
    const argv = ["socat", "-t10", "-", `UNIX:${path}`];
    const serials = [own];
    for (const _ of [1, 2]) serials.push((await program.execute(argv, { input: "" })).stdout);
    if (own === "-1\n") return assertEquals(serials, [own, own, own]);
    assertEquals(new Set(serials).size, 3, serials.join());
    assert(!serials.includes("-1\n"), serials.join());
  },
);

Deno.test(
  "exec: a program has the soft limit of open files from its start (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    // The kernel gives it another group before its first instruction. A server without
    // CAP_SYS_RESOURCE may not change its limits then (prlimit(2)).
    const tool = program.path("prlimit");
    await program.execute(["cp", "/usr/bin/prlimit", tool]);
    await Deno.chown(tool, 0, 579);
    await Deno.chmod(tool, 0o2755);
    const path = program.path("x.sock");
    const exec = `exec: [${tool}, --nofile, --noheadings, "--output=SOFT,HARD"]`;
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: { ${exec} } }]`,
    );
    await using server = new RunningServer(
      program.command([
        ...["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"],
        ...["sh", "-c", 'ulimit -Sn 300; ulimit -Hn 4096; exec "$@"', "sh"],
        ...["ipcauth", "serve", "--config", config],
      ]).spawn(),
    );
    await server.event("listen");
    // Its limits may be lowered while it runs. It goes on with those that it has.
    for (const own of ["4096:4096", "2000:3000", "200:2500"]) {
      const { code } = await program.execute(
        ["prlimit", `--pid=${server.pid}`, `--nofile=${own}`],
      );
      assertEquals(code, 0);
      const client = ["socat", "-t10", "-", `UNIX:${path}`];
      const { stdout } = await program.execute(client, { input: "" });
      const [soft, hard] = own.split(":");
      assertEquals(stdout.trim().split(/ +/), ["300", hard]);
      const limits = await program.execute(["cat", `/proc/${server.pid}/limits`]);
      assertMatch(limits.stdout, new RegExp(`^Max open files +${soft} +${hard} `, "m"));
    }
  },
);

Deno.test(
  "exec: process 1 of a container reaps what its programs have left (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    const path = program.path("x.sock");
    // Its grandchild ends after it, in a session of its own.
    const script = await program.write(
      "leaves.sh",
      "#!/bin/sh\nexec 3>&1\n(setsid sh -c 'read line <&3; exit 3' <&3 &)\necho left\n",
      0o755,
    );
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: { exec: [${script}] } }]`,
    );
    await using server = new RunningServer(
      program.command([
        ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
        ...["ipcauth", "serve", "--config", config],
      ]).spawn(),
    );
    await server.event("listen");
    const [first] = childrenOf(server.pid);
    for (const _ of [1, 2, 3]) {
      using connection = await Deno.connect({ transport: "unix", path });
      assertEquals(await readLine(connection), "left");
    }
    await server.events("close", 3);
    const until = Date.now() + 10_000;
    while (childrenOf(Number(first)).length > 0) {
      assert(Date.now() < until, childrenOf(Number(first)).join(" "));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
);
