/** The console with the real program, a real server and a real terminal. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { isRoot, type Outcome, Program, type RunningServer } from "../support/program.ts";
import {
  atTerminal,
  commandAtTerminal,
  type Script,
  withFakeServer,
} from "../support/at_terminal.ts";
import { answerCalls, FakeServer, welcomeLine } from "../support/fake_console.ts";

const CONFIG = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, local_ipc_access: true, admin: true }
`;
const BOB = { uid: 579 };
const CAROL = { uid: 580 };

/** A shell command that sends a signal to the child of the terminal's shell. */
function killChild(signal: string): string {
  return `kill -${signal} $(pgrep -P $PROGRAM)`;
}

class ConsoleFixture implements AsyncDisposable {
  constructor(readonly program: Program, readonly server: RunningServer, readonly path: string) {}

  static async open(): Promise<ConsoleFixture> {
    const program = await Program.install();
    const config = await program.write("config.yaml", CONFIG);
    const path = program.path("ipc.sock");
    return new ConsoleFixture(
      program,
      await program.serve([`--unix=${path}`, "--config", config]),
      path,
    );
  }

  /** `connect` with lines on standard input. */
  pipe(who: { uid?: number }, ...lines: string[]): Promise<Outcome> {
    const input = lines.map((line) => line + "\n").join("");
    return this.program.run(["connect", `--unix=${this.path}`], { ...who, input });
  }

  /** `connect -c`. */
  run(who: { uid?: number }, ...commands: string[]): Promise<Outcome> {
    const args = commands.flatMap((command) => ["-c", command]);
    return this.program.run(["connect", `--unix=${this.path}`, ...args], who);
  }

  /** `connect` at a terminal. */
  atTerminal(who: { uid?: number }, script: Script): Promise<Outcome> {
    return atTerminal(this.program, this.path, script, who);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

Deno.test({ name: "the console (needs root)", ignore: !isRoot }, async (t) => {
  await using fixture = await ConsoleFixture.open();

  await t.step(
    "from a pipe the banner goes to standard error; it skips comments, and prints no prompt and no echo",
    async () => {
      const { code, stdout, stderr } = await fixture.pipe(
        BOB,
        "# a script",
        "",
        "! a configuration",
        "show running-config aaa authentication users user",
      );
      assertEquals(code, 0);
      const banner = /^bob connected from 127\.0\.0\.1 using console on \S+\n$/;
      assertEquals(banner.test(stderr), true, stderr);
      assertEquals(
        stdout.split("\n").slice(0, 10).join("\n"),
        `aaa authentication users user alice
 uid 578
 gid 578
 local_ipc_access false
 admin false
!
aaa authentication users user bob
 uid 579
 local_ipc_access true
 admin false`,
      );
    },
  );

  await t.step("-c prints nothing but the answers", async () => {
    const { code, stdout } = await fixture.run(BOB, "check bob", "# who", "check 1");
    assertEquals(code, 0);
    assertEquals(stdout.startsWith("uid 579 (bob) would be let in: user\n"), true);
    assertStringIncludes(stdout, "uid 1 ");
    assertEquals(stdout.includes("connected from"), false);
  });

  await t.step("a write without permission is an error, and the session continues", async () => {
    const { code, stdout, stderr } = await fixture.pipe(BOB, "allow alice", "who");
    assertEquals(code, 77);
    assertStringIncludes(stderr, "\nipcauth: error: Permission denied: bob may read");
    assertStringIncludes(stderr, "\nhint: root or a user with admin: true may");
    assertStringIncludes(stdout, "\n*  ");
  });

  await t.step("the first command that fails gives the exit code, and the others run", async () => {
    for (
      const [commands, expected] of [
        [["bogus", "allow alice"], 64],
        [["show running-config aaa authentication users user none", "bogus"], 65],
        [["deny alice", "show nonsense"], 77],
        [["close session x"], 64],
        [["add user eve uid 0day"], 64],
      ] as const
    ) {
      const { code, stdout } = await fixture.run(BOB, ...commands, "who");
      assertEquals(code, expected, commands.join("; "));
      assertStringIncludes(stdout, "SESSION");
    }
  });

  await t.step("exit ends the session, and the lines after it are not run", async () => {
    const { code, stdout } = await fixture.pipe(BOB, "exit", "show users");
    assertEquals([code, stdout], [0, ""]);
  });

  await t.step("an administrator adds, changes and removes a user", async () => {
    const { code, stdout, stderr } = await fixture.run(
      CAROL,
      "add user dave uid 581 admin true",
      "set user dave admin false",
      "set aaa authentication users user dave local_ipc_access true",
      "show running-config aaa authentication users user dave",
      "remove user dave",
      "set user dave admin true",
    );
    assertEquals(code, 65, stderr);
    assertStringIncludes(
      stdout,
      `aaa authentication users user dave
 uid 581
 local_ipc_access true
 admin false
!
removed dave
`,
    );
    assertEquals(stderr.startsWith('ipcauth: error: There is no user "dave"'), true);
  });

  await t.step("closing the own session reports that the server has closed it", async () => {
    const { stdout } = await fixture.run(CAROL, "who");
    const own = Number(/^\*\s+(\d+)/m.exec(stdout)![1]) + 1;
    const argv = ["ipcauth", "connect", `--unix=${fixture.path}`];
    const child = fixture.program.command(argv, { ...CAROL, input: "" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`close session ${own}\n`));
    // Its input stays open: the end of the session ends it.
    const { code, stderr: bytes } = await child.output();
    await writer.close().catch(() => {});
    const stderr = new TextDecoder().decode(bytes);
    assertEquals(code, 69, stderr);
    assertStringIncludes(stderr, "error: The server has closed the session\n");
    assertEquals(stderr.includes("Failed to connect"), false);
  });

  await t.step(
    "at a terminal it prompts, completes, has a history and ends with Ctrl-D",
    async () => {
      const { code, stdout, stderr } = await fixture.atTerminal(BOB, [
        ["expect", "bob connected from 127.0.0.1 using console on "],
        ["expect", "bob@ipcauth# "],
        ["send", "check al"],
        ["expect", "check al"],
        ["send", "\t"],
        ["expect", "ice "],
        ["send", "\r"],
        ["expect", "uid 578 (alice) would be refused: user-denied"],
        ["expect", "bob@ipcauth# "],
        ["send", "\x1b[A"],
        ["expect", "check alice"],
        ["send", "\r"],
        ["expect", "uid 578 (alice) would be refused: user-denied"],
        ["expect", "bob@ipcauth# "],
        ["send", "bogus\r"],
        ["expect", 'error: "bogus" does not fit here'],
        ["expect", "bob@ipcauth# "],
        ["send", "\x04"],
      ]);
      assertEquals([code, stderr], [0, ""], stdout);
    },
  );

  await t.step("at a terminal Ctrl-C clears the line and nothing else", async () => {
    const { code, stdout, stderr } = await fixture.atTerminal(BOB, [
      ["expect", "bob@ipcauth# "],
      ["send", "deny bob"],
      ["expect", "deny bob"],
      ["send", "\x1b[D\x1b[D\x03"],
      ["expect", "^C"],
      ["expect", "bob@ipcauth# "],
      ["send", "show users\r"],
      ["expect", "carol"],
      ["expect", "bob@ipcauth# "],
      ["send", "quit\r"],
    ]);
    assertEquals([code, stderr], [0, ""], stdout);
    assertEquals(stdout.includes("error"), false, stdout);
  });

  await t.step("at a terminal pasted lines are run, also before a Ctrl-D", async () => {
    const { code, stdout } = await fixture.atTerminal(BOB, [
      ["expect", "bob@ipcauth# "],
      ["send", "check alice\r# nothing\rwho\rcheck carol\r\x04"],
    ]);
    assertEquals(code, 0);
    const answers = ["uid 578 (alice) would be", "SESSION", "uid 580 (carol) would be"];
    const places = answers.map((answer) => stdout.indexOf(answer));
    assertEquals(places.includes(-1), false, stdout);
    assertEquals(places, places.toSorted((a, b) => a - b));
    assertEquals(stdout.endsWith("\n\x1b[?2004l"), true);
  });

  await t.step("at a terminal a revoked session ends at once", async () => {
    const { stdout } = await fixture.run(CAROL, "who");
    const before = Number(/^\*\s+(\d+)/m.exec(stdout)![1]);
    const ended = fixture.atTerminal(BOB, [["expect", "your access was revoked"]]);
    await fixture.server.event("allow", (event) => Number(event.session) > before);
    assertEquals((await fixture.run(CAROL, "deny bob")).code, 0);
    const { code, stdout: screen } = await ended;
    assertEquals(code, 77, screen);
    assertEquals((await fixture.run(CAROL, "allow bob")).code, 0);
  });

  await t.step("a closed pipe ends it without an error message", async () => {
    const line = `ipcauth connect --unix=${fixture.path} -c 'show config' -c 'show config' | true`;
    const { code, stderr } = await fixture.program.execute(["sh", "-c", line], BOB);
    assertEquals([code, stderr], [0, ""]);
  });

  await t.step("SIGINT ends -c and a pipe with status 130", async () => {
    for (const args of [["-c", "who"], []]) {
      const called = Promise.withResolvers<void>();
      await using server = await FakeServer.open((socket) => {
        socket.write(welcomeLine());
        answerCalls(socket, () => {
          called.resolve();
          return { noAnswer: true };
        });
      });
      const connect = ["ipcauth", "connect", `--unix=${server.path}`, ...args];
      const child = fixture.program.command(connect, { input: "" }).spawn();
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode("who\n"));
      await called.promise;
      child.kill("SIGINT");
      const { code } = await child.output();
      assertEquals(code, 130);
      await writer.close().catch(() => {});
    }
  });
});

Deno.test("Ctrl-C ends the program while a server does not answer", () =>
  withFakeServer(
    () => ({ noAnswer: true }),
    async (program, path) => {
      const { code, stdout } = await atTerminal(program, path, [
        ["expect", "bob@ipcauth# "],
        ["send", "who\r"],
        ["expect", "who\r"],
        ["send", "\x03"],
        ["expect", "^C"],
      ]);
      assertEquals(code, 130, stdout);
    },
  ));

for (const [signal, code] of [["TERM", 143], ["HUP", 129]] as const) {
  Deno.test(`SIG${signal} at the prompt restores the terminal`, () =>
    withFakeServer(
      () => ({ result: [] }),
      async (program, path) => {
        const script = `before=$(stty -g); ipcauth connect --unix=${path}; code=$?
          [ "$(stty -g)" = "$before" ] && echo same terminal; exit $code`;
        const { code: status, stdout } = await commandAtTerminal(program, ["sh", "-c", script], [
          ["expect", "bob@ipcauth# "],
          ["run", killChild(signal)],
          ["expect", "same terminal"],
        ]);
        assertEquals(status, code, stdout);
      },
    ));
}

Deno.test("the prompt works with a server that has no users.list", () =>
  withFakeServer(
    () => ({ error: { code: -32601, message: "no\x1b[2Jmethod" } }),
    async (program, path) => {
      const { code, stdout } = await atTerminal(program, path, [
        ["expect", "bob@ipcauth# "],
        ["send", "show users\r"],
        ["expect", "error: no\\u{1b}[2Jmethod"],
        ["expect", "bob@ipcauth# "],
        ["send", "exit\r"],
      ]);
      assertEquals(code, 0, stdout);
    },
  ));

Deno.test("a server that closes the session while no line runs ends the prompt", async () => {
  await using program = await Program.install();
  await using server = await FakeServer.open((socket) => {
    socket.write(welcomeLine());
    answerCalls(socket, ({ id }) => {
      socket.end(JSON.stringify({ jsonrpc: "2.0", id, result: [] }) + "\n");
      return { noAnswer: true };
    });
  });
  const { code, stdout } = await atTerminal(program, server.path, [
    ["expect", "bob@ipcauth# "],
    // Completion calls the server.
    ["send", "check \t"],
    ["expect", "The server has closed the session. Connect again? (y/n) "],
    ["send", "n\r"],
  ]);
  assertEquals(code, 69, stdout);
});
