/** An exec service: the descriptors, arguments, variables, signals and limits of its program. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ExecServer, variables } from "../support/exec_server.ts";
import { isRoot } from "../support/program.ts";

const options = { ignore: !isRoot };

Deno.test(
  "exec: a program inherits the connection, its variables, and nothing else (needs root)",
  options,
  async (test) => {
    const env = { KEEP: "this", IPCREMOTEEUID: "0", TCPREMOTEIP: "evil", NOTIFY_SOCKET: "/x" };
    await using fixture = await ExecServer.open(
      {
        cat: { script: "exec cat", tcp: true },
        env: { script: "exec env", tcp: true },
        descriptors: { script: "ls -l /proc/self/fd | sed 's/.*-> //'" },
        // The shell reads it itself: it blocks signals while it starts another program.
        signals: {
          script: "while read -r name value; do case $name in SigBlk:|SigIgn:) " +
            "printf '%s\\t%s\\n' $name $value;; esac; done < /proc/$$/status; " +
            "ps -o tty= $$; ulimit -n",
        },
        argument: { script: 'echo "$1, $#"' },
      },
      "",
      env,
    );
    await test.step("data comes back, also after the peer has ended its side", async () => {
      const text = "line\n".repeat(100_000);
      assertEquals(await fixture.local("cat", 579, text), text);
      const { stdout, code } = await fixture.keyed("cat", "bob.key", text);
      assertEquals([stdout === text, code], [true, 0]);
    });
    await test.step("its arguments are those of the configuration", async () => {
      assertEquals(await fixture.local("argument", 579), "an argument, 1\n");
    });
    await test.step("the environment names the peer, and no inherited variable can", async () => {
      const text = await fixture.local("env", 579);
      const names = ["PROTO", "IPCREMOTEEUID", "IPCREMOTEEGID", "IPCREMOTEPATH", "IPCLOCALPATH"];
      const path = fixture.program.path("env.sock");
      assertEquals(variables(text, ...names), ["IPC", "579", "579", "", path]);
      const more = ["IPCCONNNUM", "IPCAUTH_USER", "IPCAUTH_KEY_ID", "KEEP"];
      assertEquals(variables(text, ...more), ["1", "bob", "", "this"]);
      assertEquals(variables(text, "TCPREMOTEIP", "NOTIFY_SOCKET"), [undefined, undefined]);
      const [pid] = variables(text, "IPCAUTH_PID");
      const { peer } = await fixture.server.event(
        "allow",
        ({ listener }) => listener === `unix:${path}`,
      );
      assertEquals(Number(pid), (peer as { pid: number }).pid);
      assertEquals(text.match(/^IPCREMOTEEUID=/gm)?.length, 1);
    });
    await test.step("over TCP, too", async () => {
      const { stdout } = await fixture.keyed("env", "bob.key");
      const names = ["PROTO", "IPCREMOTEEUID", "IPCREMOTEEGID", "IPCAUTH_USER", "IPCAUTH_PID"];
      assertEquals(variables(stdout, ...names), ["IPC", "579", "579", "bob", ""]);
      const [local, remote, key] = variables(
        stdout,
        "IPCLOCALPATH",
        "IPCREMOTEPATH",
        "IPCAUTH_KEY_ID",
      );
      assertEquals(local, `127.0.0.1:${fixture.ports.env}`);
      const allow = await fixture.server.event("allow", (event) => event.remote === remote);
      assertEquals(allow.key, key);
    });
    await test.step("it inherits no descriptor of the server", async () => {
      const [out] = (await fixture.local("descriptors", 579)).split("\n").filter((one) =>
        one !== "total 0"
      );
      assertMatch(out!, /^(socket|pipe|\/dev)/);
      const all = (await fixture.local("descriptors", 579)).trim().split("\n").slice(1);
      // ls has its input, output and error, and the directory it reads. Its output is a pipe.
      assertEquals(all.length, 4, all.join());
      assertEquals(all.filter((one) => one.startsWith("socket:")).length, 1, all.join());
    });
    await test.step("it has default signals and limits, and no terminal", async () => {
      const [blocked, ignored, terminal, files] = (await fixture.local("signals", 579)).split("\n");
      assertEquals(blocked, "SigBlk:\t0000000000000000");
      // SIGPIPE is 1 << 12.
      assertEquals(BigInt(`0x${ignored!.split("\t")[1]}`) & (1n << 12n), 0n);
      assertEquals(terminal, "?");
      const own = await new Deno.Command("sh", { args: ["-c", "ulimit -n"] }).output();
      assert(Number(files) <= Number(new TextDecoder().decode(own.stdout)));
    });
    await test.step("a denied peer starts no program", async () => {
      assertEquals(await fixture.local("env", 578), "");
      await fixture.server.event("deny");
      const allowed = fixture.server.of("allow").map(({ peer }) => (peer as { uid?: number })?.uid);
      assertEquals(allowed.includes(578), false, allowed.join());
    });
  },
);
