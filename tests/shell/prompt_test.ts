/** The prompt with the real program at a real terminal, against a fake console. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Answer, Call } from "../support/fake_console.ts";
import { atTerminal, commandAtTerminal, withFakeServer } from "../support/at_terminal.ts";

const PROMPT = "bob@ipcauth# ";
const USERS = ["alice", "bob"].map((name, at) => ({
  name,
  uid: 578 + at,
  gid: null,
  local_ipc_access: true,
  admin: false,
}));

/** A server that knows two users. Any uid or name has access. */
function answer({ method, params }: Call): Answer {
  if (method === "users.list") return { result: USERS };
  if (method !== "access.check") return { result: {} };
  const { uid = 0, name = null } = params;
  return { result: { uid, user: name, allow: true, rule: "user", where: null, change: null } };
}

Deno.test("Ctrl-Z stops the prompt with the shell's terminal, and fg has the typed text", () =>
  withFakeServer(answer, async (program, path, calls) => {
    const { code, stdout } = await commandAtTerminal(program, ["bash", "--norc", "-i"], [
      ["send", "PS1='sh''ell> '; before=$(stty -g)\r"],
      ["expect", "shell> "],
      ["send", `ipcauth connect --unix=${path}\r`],
      ["expect", PROMPT],
      ["send", "check ace\x1b[D\x1b[D\x1a"],
      ["expect", "^Z"],
      ["expect", "Stopped"],
      ["expect", "shell> "],
      // bash's readline has a mode of its own while it reads; a command finds the shell's.
      ["send", '[ "$(stty -g)" = "$before" ] && echo same terminal"."\r'],
      ["expect", "same terminal."],
      ["expect", "shell> "],
      ["send", "fg\r"],
      ["expect", `${PROMPT}check ace`],
      // The cursor is where it was.
      ["send", "li\r"],
      ["expect", "(alice) would be let in"],
      ["expect", PROMPT],
      ["send", "check b"],
      ["expect", "check b"],
      ["run", "kill -TSTP $(pgrep -P $PROGRAM)"],
      ["expect", "Stopped"],
      ["expect", "shell> "],
      ["send", "fg\r"],
      ["expect", `${PROMPT}check b`],
      ["send", "ob\rexit\r"],
      ["expect", "(bob) would be let in"],
      ["expect", "shell> "],
      ["send", '[ "$(stty -g)" = "$before" ] && echo same again"."\r'],
      ["expect", "same again."],
      ["send", "exit\r"],
    ]);
    assertEquals(code, 0, stdout);
    assertEquals(calls.map(({ params }) => params.name), ["alice", "bob"]);
  }));

for (
  const [what, signals] of [
    ["SIGSTOP and SIGCONT draw the prompt again", [
      "kill -STOP $PROGRAM",
      "timeout 10 sh -c 'until grep -q ^State:.T /proc/$PROGRAM/status; do :; done'",
      "kill -CONT $PROGRAM",
    ]],
    // Here no shell could continue it: the kernel discards the signal (setpgid(2)).
    ["SIGTSTP in an orphaned process group does not end the prompt", ["kill -TSTP $PROGRAM"]],
  ] as const
) {
  Deno.test(what, () =>
    withFakeServer(answer, async (program, path, calls) => {
      const { code, stdout } = await atTerminal(program, path, [
        ["expect", PROMPT],
        ["send", "check al"],
        ["expect", "check al"],
        ["run", signals.join("; ")],
        ["expect", `${PROMPT}check al`],
        ["send", "ice\r"],
        ["expect", "(alice) would be let in"],
        ["send", "\x04"],
      ]);
      assertEquals(code, 0, stdout);
      assertEquals(calls.map(({ params }) => params.name), ["alice"]);
    }));
}

Deno.test("? explains what may come next, and is no part of the line", () =>
  withFakeServer(answer, async (program, path, calls) => {
    const { code, stdout } = await atTerminal(program, path, [
      ["expect", PROMPT],
      ["send", "sh?"],
      ["expect", "  show  what the server knows"],
      ["expect", `${PROMPT}`],
      ["send", "ow use?"],
      ["expect", "  users  all users, as a table"],
      ["expect", "show use"],
      ["send", "rs ?"],
      ["expect", "  <enter>  all users, as a table"],
      ["expect", "show users "],
      // Within the line, and the cursor stays there.
      ["send", "\x01\x1b[C\x1b[C?"],
      ["expect", "  show  what the server knows"],
      ["expect", "show users "],
      ["send", "\x0bow users\r"],
      ["expect", "alice  578"],
      ["expect", PROMPT],
      ["send", "check 'who?'\r"],
      ["expect", "(who?) would be let in"],
      ["expect", PROMPT],
      ["send", "\x1b[200~check a?b\x1b[201~\r"],
      ["expect", "(a?b) would be let in"],
      ["expect", PROMPT],
      ["send", "\x04"],
    ]);
    assertEquals(code, 0, stdout);
    assertEquals(calls.map(({ method }) => method), ["users.list", "access.check", "access.check"]);
    assertEquals(stdout.includes("error"), false, stdout);
  }));

for (const [what, start, end] of [["typed", "", ""], ["marked", "\x1b[200~", "\x1b[201~"]]) {
  Deno.test(`a paste of 500 lines is run line by line: ${what}`, () =>
    withFakeServer(answer, async (program, path, calls) => {
      const lines = Array.from({ length: 500 }, (_, at) => `check ${at}`);
      const { code, stdout } = await atTerminal(program, path, [
        ["expect", PROMPT],
        ["send", `${start}${lines.join("\r")}\r${end}`],
        ["expect", "uid 499 would be let in"],
        ["send", "exit\r"],
      ]);
      assertEquals(code, 0);
      assertEquals(calls.map(({ params }) => params.uid), lines.map((_, at) => at));
      const answers = stdout.match(/uid \d+ would/g)!;
      assertEquals(answers, lines.map((_, at) => `uid ${at} would`));
      // Each line stands behind its prompt: no answer came between them.
      assertStringIncludes(stdout, "check 499");
    }));
}

Deno.test("a paste with tabs and control characters is text", () =>
  withFakeServer(answer, async (program, path, calls) => {
    const { code, stdout } = await atTerminal(program, path, [
      ["expect", PROMPT],
      ["send", "\x1b[200~check\tal\x03\x1a\x15\x1b[Aice\nwho"],
      ["send", "\x1b[20"],
      ["send", "1~\x15\x04"],
      ["expect", "\n"],
    ]);
    assertEquals(code, 0, stdout);
    assertEquals(calls.map(({ params }) => params.name), ["al[Aice"]);
  }));

Deno.test("Ctrl-C while a line runs drops the lines that were typed ahead", () =>
  withFakeServer(() => ({ noAnswer: true }), async (program, path, calls) => {
    const { code, stdout } = await atTerminal(program, path, [
      ["expect", PROMPT],
      ["send", "check 1\rcheck 2\r"],
      ["expect", "check 1\r"],
      ["send", "\x03"],
      ["expect", "^C"],
    ]);
    assertEquals([code, calls.length], [130, 1], stdout);
  }));

Deno.test("a server that does not complete a word does not keep the prompt", () =>
  withFakeServer(
    (call) => call.method === "users.list" ? { noAnswer: true } : answer(call),
    async (program, path, calls) => {
      const { code, stdout } = await atTerminal(program, path, [
        ["expect", PROMPT],
        ["send", "check al\tice\r"],
        ["expect", "(alice) would be let in"],
        ["send", "\x04"],
      ]);
      assertEquals(code, 0, stdout);
      assertEquals(calls.map(({ method }) => method), ["users.list", "access.check"]);
    },
  ));

Deno.test("the line is edited in a terminal of 40 columns, and after a resize", () =>
  withFakeServer(answer, async (program, path, calls) => {
    const word = "x".repeat(60);
    const { code, stdout } = await atTerminal(program, path, [
      ["resize", "40x10"],
      ["expect", PROMPT],
      ["send", `check ${word}`],
      ["expect", "xxxxx"],
      ["resize", "30x10"],
      ["send", "\x01\x1b[C?"],
      ["expect", "check"],
      ["send", "\x05y\r"],
      ["expect", "would be let in"],
      ["send", "\x04"],
    ]);
    assertEquals(code, 0, stdout);
    assertEquals(calls.map(({ params }) => params.name), [`${word}y`]);
  }));

Deno.test("a terminal that hangs up ends the prompt with 129, without a word", () =>
  withFakeServer(logAnswer, async (program, path) => {
    const errors = program.path("errors");
    const connect = `exec ipcauth connect --unix=${path} 2>${errors}`;
    for (
      const script of [
        [],
        [["send", "check al"], ["expect", "check al"]],
        [["send", "monitor\r"], ["expect", "monitor\r"]],
        [["send", "show users\r"], ["expect", "-- more --"]],
      ] as const
    ) {
      const steps = [["expect", PROMPT], ...script, ["hangup", ""]] as const;
      const { code } = await commandAtTerminal(program, ["sh", "-c", connect], steps);
      assertEquals([code, await Deno.readTextFile(errors)], [129, ""]);
    }
  }));

/** As {@linkcode answer}, with more users than the terminal has lines, and a log without any. */
function logAnswer(call: Call): Answer {
  if (call.method === "log.list") return { result: { lines: [], next: 0, dropped: 0 } };
  if (call.method === "users.list") return { result: Array(30).fill(USERS[0]) };
  return answer(call);
}
