/** A program for each connection: what it is given, how it ends, and that nothing of it is left. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { drain, freePort, writeKey } from "../support/keys.ts";
import { type AuditEvent, isRoot, Lines, Program, type RunningServer } from "../support/program.ts";

const options = { ignore: !isRoot };
const PEOPLE = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, gid: 1234, local_ipc_access: true }
  - { name: dora, uid: 581, local_ipc_access: true }
`;

/** A server that offers shell scripts, each on a socket and a port of its own. */
class Offer implements AsyncDisposable {
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
  ): Promise<Offer> {
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
      const text = `listeners:\n${listeners.join("")}${PEOPLE}${limits}`;
      const config = await program.write("config.yaml", text);
      const server = await program.serve(["--config", config], { env });
      await server.events("listen", listeners.length);
      return new Offer(program, server, config, ports);
    } catch (error) {
      await program.remove();
      throw error;
    }
  }

  /** What a client of a uid gets, who sends something and then ends. */
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

  /** A connection of root's, who is let in everywhere. */
  dial(name: string): Promise<Deno.UnixConn> {
    return Deno.connect({ transport: "unix", path: this.program.path(`${name}.sock`) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

/** The lines of `env`, as they are; and those that are asked for. */
function variables(text: string, ...names: string[]): (string | undefined)[] {
  const all = new Map(
    text.split("\n").map((line) => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  return names.map((name) => all.get(name));
}

async function line(connection: Deno.Conn): Promise<string> {
  const bytes: number[] = [];
  const one = new Uint8Array(1);
  while (await connection.read(one) !== null && one[0] !== 10) bytes.push(one[0]!);
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** Whether an event is about the socket of a script. */
function isOf(name: string): (event: AuditEvent) => boolean {
  return ({ listener }) => String(listener).endsWith(`/${name}.sock`);
}

/** Whether a process runs; one that only waits to be reaped does not. */
function isAlive(pid: number): boolean {
  const state = words("ps", "-o", "stat=", "-p", String(pid));
  return state.length > 0 && !state[0]!.startsWith("Z");
}

/** Children of the server, those included that wait to be reaped. */
function childrenOf(pid: number): string[] {
  return words("ps", "-o", "pid=,args=", "--ppid", String(pid));
}

function descriptorsOf(pid: number): number {
  return words("ls", `/proc/${pid}/fd`).length;
}

function words(command: string, ...args: string[]): string[] {
  const { stdout } = new Deno.Command(command, { args }).outputSync();
  return new TextDecoder().decode(stdout).split(/\s+/).filter((word) => word !== "");
}

Deno.test(
  "exec: the connection is the program's input and output, and it has nothing else (needs root)",
  options,
  async (test) => {
    const env = { KEEP: "this", IPCREMOTEEUID: "0", TCPREMOTEIP: "evil", NOTIFY_SOCKET: "/x" };
    await using offer = await Offer.open(
      {
        cat: { script: "exec cat", tcp: true },
        env: { script: "exec env", tcp: true },
        descriptors: { script: "ls -l /proc/self/fd | sed 's/.*-> //'" },
        // The shell reads it itself: while it starts another program, it blocks everything.
        signals: {
          script: "while read -r name value; do case $name in SigBlk:|SigIgn:) " +
            "printf '%s\\t%s\\n' $name $value;; esac; done < /proc/$$/status; ps -o tty= $$; ulimit -n",
        },
        argument: { script: 'echo "$1, $#"' },
      },
      "",
      env,
    );
    await test.step("what the peer sends comes back, after it has ended its side, too", async () => {
      const text = "line\n".repeat(100_000);
      assertEquals(await offer.local("cat", 579, text), text);
      const { stdout, code } = await offer.keyed("cat", "bob.key", text);
      assertEquals([stdout === text, code], [true, 0]);
    });
    await test.step("its arguments are those of the configuration", async () => {
      assertEquals(await offer.local("argument", 579), "an argument, 1\n");
    });
    await test.step("the environment says who the peer is, and only we have said it", async () => {
      const text = await offer.local("env", 579);
      const names = ["PROTO", "IPCREMOTEEUID", "IPCREMOTEEGID", "IPCREMOTEPATH", "IPCLOCALPATH"];
      const path = offer.program.path("env.sock");
      assertEquals(variables(text, ...names), ["IPC", "579", "579", "", path]);
      const more = ["IPCCONNNUM", "IPCAUTH_USER", "IPCAUTH_KEY_ID", "KEEP"];
      assertEquals(variables(text, ...more), ["1", "bob", "", "this"]);
      assertEquals(variables(text, "TCPREMOTEIP", "NOTIFY_SOCKET"), [undefined, undefined]);
      const [pid] = variables(text, "IPCAUTH_PID");
      const { peer } = await offer.server.event(
        "allow",
        ({ listener }) => listener === `unix:${path}`,
      );
      assertEquals(Number(pid), (peer as { pid: number }).pid);
      assertEquals(text.match(/^IPCREMOTEEUID=/gm)?.length, 1);
    });
    await test.step("over TCP, too", async () => {
      const { stdout } = await offer.keyed("env", "bob.key");
      const names = ["PROTO", "IPCREMOTEEUID", "IPCREMOTEEGID", "IPCAUTH_USER", "IPCAUTH_PID"];
      assertEquals(variables(stdout, ...names), ["IPC", "579", "579", "bob", ""]);
      const [local, remote, key] = variables(
        stdout,
        "IPCLOCALPATH",
        "IPCREMOTEPATH",
        "IPCAUTH_KEY_ID",
      );
      assertEquals(local, `127.0.0.1:${offer.ports.env}`);
      const allow = await offer.server.event("allow", (event) => event.remote === remote);
      assertEquals(allow.key, key);
    });
    await test.step("it inherits no descriptor of the server's", async () => {
      const [out] = (await offer.local("descriptors", 579)).split("\n").filter((one) =>
        one !== "total 0"
      );
      assertMatch(out!, /^(socket|pipe|\/dev)/);
      const all = (await offer.local("descriptors", 579)).trim().split("\n").slice(1);
      // ls: input, output, error, and the directory it reads; sed's pipe is its output.
      assertEquals(all.length, 4, all.join());
      assertEquals(all.filter((one) => one.startsWith("socket:")).length, 1, all.join());
    });
    await test.step("its signals and limits are a program's, and it has no terminal", async () => {
      const [blocked, ignored, terminal, files] = (await offer.local("signals", 579)).split("\n");
      assertEquals(blocked, "SigBlk:\t0000000000000000");
      // SIGPIPE is 1 << 12.
      assertEquals(BigInt(`0x${ignored!.split("\t")[1]}`) & (1n << 12n), 0n);
      assertEquals(terminal, "?");
      const ours = await new Deno.Command("sh", { args: ["-c", "ulimit -n"] }).output();
      assert(Number(files) <= Number(new TextDecoder().decode(ours.stdout)));
    });
    await test.step("who is denied starts nothing", async () => {
      const before = offer.server.log.filter(({ event }) => event === "allow").length;
      assertEquals(await offer.local("env", 578), "");
      await offer.server.event("deny");
      assertEquals(offer.server.log.filter(({ event }) => event === "allow").length, before);
    });
  },
);

Deno.test("exec: run_as decides who the program is (needs root)", options, async (test) => {
  const script = "id -u; id -g; id -G; echo $HOME; grep -E 'Cap(Prm|Eff|Inh|Amb)' /proc/$$/status";
  await using offer = await Offer.open({
    peer: { script, runAs: "peer", tcp: true },
    carol: { script, runAs: "carol" },
    dora: { script, runAs: "dora" },
    server: { script },
  });
  const NONE = "0000000000000000";
  const caps = ["Inh", "Prm", "Eff", "Amb"].map((name) => `Cap${name}:\t${NONE}\n`).join("");
  await test.step("peer: uid, gid and groups of the peer, and no way back", async () => {
    assertEquals(
      await offer.local("peer", 579, "", [2000, 2001]),
      `579\n579\n579 2000 2001\n/\n${caps}`,
    );
    const { stdout } = await offer.keyed("peer", "bob.key");
    assertEquals(stdout, `579\n579\n579\n/\n${caps}`);
  });
  await test.step("a listed user", async () => {
    assertEquals(await offer.local("carol", 579), `580\n1234\n1234\n/\n${caps}`);
  });
  await test.step("the server, where nothing else is said", async () => {
    assertMatch(await offer.local("server", 579), /^0\n0\n/);
  });
  await test.step("a user whose group nobody knows is not guessed at", async () => {
    assertEquals(await offer.local("dora", 579), "");
    const { reason } = await offer.server.event("close", isOf("dora"));
    assertEquals(reason, "exec-failed");
    const { message } = await offer.server.event("error");
    assertStringIncludes(String(message), "primary group of dora");
    assertEquals((await offer.keyed("peer", "dora.key")).stdout, "");
  });
  await test.step("one who is trusted stays what he is", async () => {
    assertMatch(await offer.local("peer", 0), /^0\n0\n/);
  });
});

Deno.test("exec: the log says how a program ended and what it complained about", async (test) => {
  await using offer = await Offer.open({
    three: { script: "exit 3" },
    killed: { script: "kill -SEGV $$" },
    complains: {
      script: `printf 'first\\nsecond "quoted"\\033[2J\\n{"event":"allow"}' >&2; echo done`,
      tcp: true,
    },
    floods: { script: "head -c 300000 /dev/zero | tr '\\\\0' x >&2" },
  });
  const closed = async (name: string) => {
    await drain(await offer.dial(name));
    return await offer.server.event("close", isOf(name));
  };
  await test.step("a status", async () => {
    const { status, reason, bytes_in, duration_ms } = await closed("three");
    assertEquals([status, reason, bytes_in, typeof duration_ms], [3, "end", undefined, "number"]);
  });
  await test.step("a signal", async () => {
    assertEquals((await closed("killed")).status, "SIGSEGV");
  });
  await test.step("its lines, with the session's number; none of them forges one", async () => {
    const { session } = await closed("complains");
    const lines = offer.server.log.filter((event) => event.event === "stderr");
    assertEquals(lines.map(({ message }) => message), [
      "first",
      'second "quoted"\u001b[2J',
      '{"event":"allow"}',
    ]);
    assertEquals(lines.every((one) => one.session === session), true);
    assertEquals(offer.server.text, "");
  });
  await test.step("over TCP what passed is counted", async () => {
    const { stdout } = await offer.keyed("complains", "bob.key");
    assertEquals(stdout, "done\n");
    const { bytes_out, status } = await offer.server.event("close", ({ key }) => key !== undefined);
    assertEquals([bytes_out, status], [5, 0]);
  });
  await test.step("one that never stops complaining is cut into lines", async () => {
    const { session } = await closed("floods");
    const said = offer.server.log.filter((one) =>
      one.event === "stderr" && one.session === session
    );
    assertEquals(said.every(({ message }) => String(message).length <= 4096), true);
    assertEquals(
      said.map(({ message }) => String(message).length).reduce((a, b) => a + b),
      300_000,
    );
  });
});

/** Says the number of a child that ends at no word, and ends itself at the first line it reads. */
const DEAF = `sh -c 'trap "" TERM; echo $$; exec sleep 1000' & read line`;

Deno.test("exec: a session ends with its program, and its program with the session", async (test) => {
  await using offer = await Offer.open({
    waits: { script: "echo $$; exec sleep 1000", tcp: true },
    stubborn: { script: "trap '' TERM; echo $$; while :; do sleep 1000; done" },
    leaves: { script: "sleep 1000 & echo $!; exit 0" },
    cat: { script: "exec cat" },
    deaf: { script: DEAF },
  });
  await test.step("what it leaves behind and does not listen is killed after its grace", async () => {
    using connection = await offer.dial("deaf");
    const pid = Number(await line(connection));
    const start = performance.now();
    await connection.write(new TextEncoder().encode("end\n"));
    const { reason, status } = await offer.server.event("close", isOf("deaf"));
    assertEquals([reason, status, isAlive(pid)], ["end", 0, true]);
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
    assert(performance.now() - start >= 200, "it was killed before its grace was over");
  });
  await test.step("what a program leaves behind goes with it", async () => {
    using connection = await offer.dial("leaves");
    const pid = Number(await line(connection));
    // The end comes although somebody else still holds the other side.
    assertEquals((await drain(connection)).reset, false);
    await offer.server.event("close", isOf("leaves"));
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  await test.step("an administrator ends one", async () => {
    using connection = await offer.dial("waits");
    const pid = Number(await line(connection));
    const { session } = await offer.server.event("allow", isOf("waits"));
    const { code } = await offer.program.run([
      ...["connect", `--unix=${offer.program.path("console.sock")}`],
      ...["-c", `close session ${session}`],
    ]);
    assertEquals(code, 0);
    assertEquals((await drain(connection)).bytes.length, 0);
    const { reason, status } = await offer.server.event("close", isOf("waits"));
    assertEquals([reason, status, isAlive(pid)], ["closed", "SIGTERM", false]);
  });
  await test.step("one that does not want to end is killed", async () => {
    using connection = await offer.dial("stubborn");
    const pid = Number(await line(connection));
    const { session } = await offer.server.event("allow", isOf("stubborn"));
    const where = `--unix=${offer.program.path("console.sock")}`;
    await offer.program.run(["connect", where, "-c", `close session ${session}`]);
    await drain(connection);
    const { status, duration_ms } = await offer.server.event("close", isOf("stubborn"));
    assertEquals([status, isAlive(pid)], ["SIGKILL", false]);
    assert(Number(duration_ms) >= 200, `killed after ${duration_ms} ms, before its grace was over`);
  });
  await test.step("a peer that goes is no reason; a program that waits for it ends", async () => {
    const connection = await offer.dial("cat");
    await connection.write(new TextEncoder().encode("x\n"));
    await line(connection);
    connection.close();
    const { status, reason } = await offer.server.event("close", isOf("cat"));
    assertEquals([status, reason], [0, "end"]);
  });
});

for (const transport of ["unix", "tcp"] as const) {
  Deno.test(
    `exec: who would be refused now is out within a second, over ${transport} (needs root)`,
    options,
    async () => {
      await using offer = await Offer.open({
        waits: { script: "echo $$; exec sleep 1000", tcp: true, runAs: "peer" },
      });
      const client = offer.program.command(
        transport === "unix" ? ["socat", "-u", `UNIX:${offer.program.path("waits.sock")}`, "-"] : [
          ...["ipcauth", "connect", `--tcp=127.0.0.1:${offer.ports.waits}`, "--pipe"],
          `--key=${offer.program.path("bob.key")}`,
        ],
        transport === "unix" ? { uid: 579, input: "" } : { input: "" },
      ).spawn();
      const lines = new Lines(client.stdout);
      const pid = Number(await lines.next());
      assertEquals(isAlive(pid), true);
      const start = performance.now();
      await offer.program.run(["users", "deny", "bob", "--config", offer.config]);
      assertEquals(await lines.next(), null);
      const took = performance.now() - start;
      assert(took < 2_000, `the connection was open for ${took} ms`);
      const { reason, status } = await offer.server.event("close");
      assertEquals([reason, status, isAlive(pid)], ["revoked", "SIGTERM", false]);
      await client.stdin.close().catch(() => {});
      await client.status;
      await client.stderr.cancel();
    },
  );
}

Deno.test("exec: a client on TCP that is gone leaves a program that can be ended all the same", async (test) => {
  for (const how of ["revoked", "closed", "shutdown"] as const) {
    await test.step(how, async () => {
      await using offer = await Offer.open(
        { waits: { script: "trap '' HUP; echo $$; exec sleep 1000", tcp: true } },
        "limits: { grace: 200ms }\n",
      );
      const client = offer.program.command([
        ...["ipcauth", "connect", `--tcp=127.0.0.1:${offer.ports.waits}`, "--pipe"],
        `--key=${offer.program.path("bob.key")}`,
      ], { input: "" }).spawn();
      const lines = new Lines(client.stdout);
      const pid = Number(await lines.next());
      client.kill("SIGKILL");
      await client.status;
      await lines.cancel();
      await client.stdin.close().catch(() => {});
      await client.stderr.cancel();
      const { session } = await offer.server.event("allow");
      if (how === "revoked") {
        await offer.program.run(["users", "deny", "bob", "--config", offer.config]);
        assertEquals((await offer.server.event("revoke")).session, session);
      } else if (how === "closed") {
        const where = `--unix=${offer.program.path("console.sock")}`;
        await offer.program.run(["connect", where, "-c", `close session ${session}`]);
      } else assertEquals(await offer.server.stop(), 0);
      const { status } = await offer.server.event("close", (one) => one.session === session);
      assertEquals([status, isAlive(pid)], ["SIGTERM", false]);
    });
  }
});

Deno.test("exec: the server ends its programs, and does not wait for ever", async (test) => {
  const scripts = {
    waits: { script: "echo $$; exec sleep 1000" },
    stubborn: { script: "trap '' TERM; echo $$; while :; do sleep 1000; done" },
  };
  await test.step("a program that ends in time may", async () => {
    await using offer = await Offer.open(
      { reads: { script: "echo $$; read line; echo got $line" } },
      "limits: { grace: 30s }\n",
    );
    using connection = await offer.dial("reads");
    await line(connection);
    const stopped = offer.server.stop();
    await connection.write(new TextEncoder().encode("it\n"));
    assertEquals(await line(connection), "got it");
    assertEquals(await stopped, 0);
    assertEquals((await offer.server.event("close")).reason, "end");
  });
  await test.step("one that waits is told to end, one that does not listen is killed", async () => {
    await using offer = await Offer.open(scripts, "limits: { grace: 100ms }\n");
    using waits = await offer.dial("waits");
    using stubborn = await offer.dial("stubborn");
    const pids = [Number(await line(waits)), Number(await line(stubborn))];
    assertEquals(await offer.server.stop(), 0);
    assertEquals(pids.map(isAlive), [false, false]);
    const ends = offer.server.log.filter(({ event }) => event === "close");
    assertEquals(ends.map(({ status }) => status), ["SIGTERM", "SIGKILL"]);
    assertEquals(ends.map(({ reason }) => reason), ["shutdown", "shutdown"]);
  });
  await test.step("what a program has left behind does not outlive the server", async () => {
    await using offer = await Offer.open({ deaf: { script: DEAF } }, "limits: { grace: 1h }\n");
    using connection = await offer.dial("deaf");
    const pid = Number(await line(connection));
    await connection.write(new TextEncoder().encode("end\n"));
    await offer.server.event("close");
    assertEquals(isAlive(pid), true);
    assertEquals(await offer.server.stop(), 0);
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  await test.step("a second signal ends them at once", async () => {
    await using offer = await Offer.open(scripts, "limits: { grace: 1h }\n");
    const stubborn = await offer.dial("stubborn");
    const pid = Number(await line(stubborn));
    offer.server.child.kill("SIGTERM");
    // The socket is gone: the first one has arrived.
    const path = offer.program.path("stubborn.sock");
    while (await Deno.lstat(path).then(() => true, () => false));
    assertEquals(await offer.server.stop("SIGTERM"), 0);
    assertEquals(isAlive(pid), false);
    stubborn.close();
  });
});

Deno.test("exec: 300 sessions leave no child and no descriptor", async () => {
  await using offer = await Offer.open({ echo: { script: "echo hello", tcp: true } });
  const { pid } = offer.server;
  await drain(await offer.dial("echo"));
  await offer.server.events("close", 1);
  const before = descriptorsOf(pid);
  for (let round = 0; round < 20; round++) {
    const said = await Promise.all(
      Array.from({ length: 15 }, async () => {
        using connection = await offer.dial("echo");
        return new TextDecoder().decode((await drain(connection)).bytes);
      }),
    );
    assertEquals(new Set(said), new Set(["hello\n"]));
  }
  await offer.keyed("echo", "bob.key");
  await offer.server.events("close", 302);
  assertEquals(childrenOf(pid), []);
  assertEquals(descriptorsOf(pid), before);
});

Deno.test("exec: what cannot be offered is refused at the start", async (test) => {
  await using program = await Program.install();
  const socket = `--unix=${program.path("a.sock")}`;
  const serve = (...argv: string[]) => program.run(["serve", socket, "--exec", "--", ...argv]);
  await test.step("a program that is not there", async () => {
    const { code, stderr } = await serve("/nowhere/report");
    assertEquals(code, 78);
    assertStringIncludes(stderr, "Cannot offer the program /nowhere/report: no such file");
    assertEquals((await serve("no-such-program-anywhere")).code, 64);
  });
  await test.step("one that is not executable, or a directory", async () => {
    const path = await program.write("data", "x");
    assertStringIncludes((await serve(path)).stderr, "it is not executable");
    assertStringIncludes((await serve("/tmp")).stderr, "it is not a file");
  });
  await test.step({
    name: "becoming somebody else, without root",
    ignore: !isRoot,
    fn: async () => {
      const config = await program.write(
        "config.yaml",
        `listeners: [{ unix: ${
          program.path("d", "a.sock")
        }, service: { exec: [/bin/cat], run_as: peer } }]\n`,
      );
      await Deno.mkdir(program.path("d"));
      await Deno.chown(program.path("d"), 579, 579);
      const { code, stderr } = await program.run(["serve", "--config", config], { uid: 579 });
      assertEquals(code, 78);
      assertStringIncludes(stderr, "run_as: peer needs a server that is root");
    },
  });
  await test.step("a name is looked for in PATH, once", async () => {
    await using server = await program.serve([socket, "--exec", "--", "echo", "found"]);
    using connection = await Deno.connect({ transport: "unix", path: program.path("a.sock") });
    assertEquals(await line(connection), "found");
    await server.stop();
  });
});
