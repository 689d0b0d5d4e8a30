/** `ipcauth status` where a server does not answer as it should. */
import { PLAIN } from "../../lib/text/view.ts";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { parseCommandLine } from "../../lib/cli/arguments.ts";
import { status } from "../../lib/cli/status.ts";
import type { StatusCommand } from "../../lib/cli/command_line.ts";
import { Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { type Answer, answerCalls, FakeServer, welcomeLine } from "../support/fake_console.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Runs `status --json` on a server. @returns The exit code and the object printed. */
const ask = (path: string) => run(["status", "--json", `--unix=${path}`]);

async function run(argv: string[], config: string | null = null) {
  const { command } = parseCommandLine(argv);
  let out = "";
  const code = await status(command as StatusCommand, {
    environment: { uid: effectiveUid(), variables: { XDG_RUNTIME_DIR: "/nonexistent" } },
    config,
    color: false,
    view: () => PLAIN,
    out: (text) => out += text,
    err: () => {},
    version: "0.1.0",
    self: import.meta.url,
    errSink: Deno.stderr,
    startLookups: () => {
      throw new Error("no name service");
    },
  });
  return { code, answer: JSON.parse(out) };
}

function server(answer: () => Answer) {
  return FakeServer.open((socket) => {
    socket.write(welcomeLine());
    answerCalls(socket, answer);
  });
}

Deno.test("status ends with 69 where a server accepts, and does not answer", async () => {
  await using silent = await server(() => ({ noAnswer: true }));
  const { code, answer } = await ask(silent.path);
  assertEquals([code, answer.alive], [69, false]);
  assertStringIncludes(answer.problem, "has not answered for 5 s");
});

Deno.test("status says of a server that is older than itself what it is", async () => {
  await using older = await server(() => ({
    error: { code: -32601, message: 'There is no method "status"' },
  }));
  const { code, answer } = await ask(older.path);
  assertEquals([code, answer.alive], [65, false]);
  assertStringIncludes(answer.hint, "older than this client");
});

Deno.test("status prints nothing of an answer that is none", async () => {
  for (const result of [null, [], { version: 1 }, { version: "0.1.0", config: {} }]) {
    await using odd = await server(() => ({ result }));
    const { code, answer } = await ask(odd.path);
    assertEquals([code, answer.alive], [65, false]);
  }
});

Deno.test("status --json throws what is a usage error", () => {
  for (const argv of [["status", "x"], ["status", "--", "x"], ["status", "--unix", "--tcp"]]) {
    try {
      parseCommandLine(argv);
      throw new Error(`accepted: ${argv}`);
    } catch (error) {
      assertEquals(error instanceof Failure && error.exit, 64, String(error));
    }
  }
});

Deno.test("status ends with 78 where a mistake in the file hides where the server is", async () => {
  using directory = new TemporaryDirectory();
  const none = directory.at("none.sock");
  const file = (text: string) => directory.write("config.yaml", text);
  const cases: readonly (readonly [text: string, code: number])[] = [
    ["listners: []\n", 78],
    ["listeners: [\n", 78],
    ["\u0000", 78],
    [`listeners: [{ unix: ${none}, service: { forward: "unix:/x" } }]\ntypo: 1\n`, 78],
    // The rest of the file says where it would be, or it has no mistake.
    [`listeners: [{ unix: ${none} }]\ntypo: 1\n`, 69],
    [`listeners: [{ unix: ${none} }]\n`, 69],
    ["users: []\n", 69],
  ];
  for (const [text, expected] of cases) {
    const { code, answer } = await run(["status", "--json"], file(text));
    assertEquals([code, answer.alive], [expected, false], text);
    if (expected === 69) continue;
    assertStringIncludes(answer.problem, "the configuration has a mistake");
    assertStringIncludes(answer.hint, "ipcauth config check ");
  }
  // An address that was given is certain.
  const { code } = await run(["status", "--json", `--unix=${none}`], file("listners: []\n"));
  assertEquals(code, 69);
});
