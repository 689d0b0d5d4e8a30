import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RpcClient, RpcServerError } from "../../lib/client/rpc_client.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { MAX_LINE } from "../../lib/service/console/protocol.ts";
import {
  type Answer,
  answerCalls,
  socketPair,
  WELCOME,
  welcomeLine,
} from "../support/fake_console.ts";

const WHERE = "/run/test.sock";

/** What `open` comes to when the server says this first and then closes. */
async function refusalAfter(bytes: string | Uint8Array): Promise<Failure> {
  await using pair = socketPair();
  pair.server.end(bytes);
  return await assertRejects(() => RpcClient.open(pair.client, WHERE, 578), Failure);
}

/** A console that answers as told, and the calls it got. */
async function withConsole(
  answer: (method: string) => Answer,
  run: (remote: RpcClient) => Promise<void>,
): Promise<void> {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  answerCalls(pair.server, ({ method }) => answer(method));
  const { remote } = await RpcClient.open(pair.client, WHERE, 578);
  await run(remote);
  remote.close();
}

Deno.test("a console that greets is open", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const { remote, welcome } = await RpcClient.open(pair.client, WHERE, 578);
  assertEquals(welcome, WELCOME);
  remote.close();
});

Deno.test("a server that closes without a word has refused us", async () => {
  const { message, exit, hint } = await refusalAfter("");
  assertEquals(message, `Failed to connect to server: ${WHERE} refuses uid 578`);
  assertEquals(exit, ExitCode.refused);
  assertStringIncludes(hint!, "ipcauth users check 578");
});

Deno.test("a server that resets the connection has refused us", async () => {
  await using pair = socketPair();
  const opening = assertRejects(() => RpcClient.open(pair.client, WHERE, 578), Failure);
  // What was sent and not read turns the end into a reset (unix(7), ECONNRESET).
  await new Promise((resolve) => pair.client.write("x", resolve));
  pair.server.destroy();
  assertEquals((await opening).exit, ExitCode.refused);
});

for (
  const [what, bytes] of [
    ["text", "220 mail.example ESMTP\r\n"],
    ["half a line", "SSH-2.0"],
    ["half of a greeting", welcomeLine().trimEnd()],
    ["bytes that are not UTF-8", new Uint8Array([0xff, 0xfe, 0x0a])],
    ["JSON that is no object", "[1,2]\n"],
    ["another notification", '{"jsonrpc":"2.0","method":"hello","params":{}}\n'],
    ["another server's greeting", welcomeLine({ server: "other" })],
    ["a greeting without a user", welcomeLine().replace('"user":"bob",', "")],
    ["a greeting whose rights are a text", welcomeLine().replace('"admin":false', '"admin":"no"')],
    ["a line that never ends", "x".repeat(MAX_LINE + 1)],
  ] as const
) {
  Deno.test(`a server that begins with ${what} is not a console`, async () => {
    const { message, exit } = await refusalAfter(bytes);
    assertStringIncludes(
      message,
      `Failed to connect to server: ${WHERE} is not an ipcauth console: `,
    );
    assertEquals(exit, ExitCode.data);
  });
}

Deno.test("a server that says nothing is not a console", async () => {
  await using pair = socketPair();
  const { message, exit } = await assertRejects(
    () => RpcClient.open(pair.client, WHERE, 578, 10),
    Failure,
  );
  assertEquals(
    message,
    `Failed to connect to server: ${WHERE} is not an ipcauth console: it says nothing`,
  );
  assertEquals(exit, ExitCode.data);
  assertEquals(pair.client.destroyed, true);
});

Deno.test("a greeting may come in pieces that end within a character", async () => {
  await using pair = socketPair();
  const opening = RpcClient.open(pair.client, WHERE, 578);
  for (const byte of new TextEncoder().encode(welcomeLine({ user: "žofie" }))) {
    await new Promise((resolve) => pair.server.write(new Uint8Array([byte]), resolve));
  }
  const { remote, welcome } = await opening;
  assertEquals(welcome.user, "žofie");
  remote.close();
});

Deno.test("answers find their calls, in whatever order they come", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const calls = answerCalls(pair.server, ({ id, method }) => {
    if (method === "first") return { noAnswer: true };
    pair.server.write('{"jsonrpc":"2.0","method":"news","params":{}}\n');
    pair.server.write(`{"jsonrpc":"2.0","id":${id},"result":"second"}\n`);
    pair.server.write('{"jsonrpc":"2.0","id":99,"result":"nobody asked"}\n');
    pair.server.write(`{"jsonrpc":"2.0","id":${calls[0]!.id},"result":"first"}\n`);
    return { noAnswer: true };
  });
  const { remote } = await RpcClient.open(pair.client, WHERE, 578);
  assertEquals(await Promise.all([remote.call("first"), remote.call("second", { n: 1 })]), [
    "first",
    "second",
  ]);
  assertEquals(calls.map(({ method, params }) => [method, params]), [
    ["first", {}],
    ["second", { n: 1 }],
  ]);
  remote.close();
});

Deno.test("an error of the server has its code, its sentence and its hint", () =>
  withConsole(
    () => ({ error: { code: -32003, message: 'There is no user "x"', data: { hint: "who" } } }),
    async (remote) => {
      const error = await assertRejects(() => remote.call("users.get"), RpcServerError);
      assertEquals([error.code, error.message, error.hint], [
        -32003,
        'There is no user "x"',
        "who",
      ]);
    },
  ));

Deno.test("what a server says in an error cannot move a terminal's cursor", () =>
  withConsole(
    () => ({ error: { code: -32001, message: "no\x1b[2J\nx\u202e", data: { hint: "\x9b1m" } } }),
    async (remote) => {
      const { message, hint } = await assertRejects(() => remote.call("x"), RpcServerError);
      assertEquals(message, "no\\u{1b}[2J\\u{a}x\\u{202e}");
      assertEquals(hint, "\\u{9b}1m");
    },
  ));

for (const error of [null, "no", {}, { code: "x", message: 1, data: { hint: 2 } }]) {
  Deno.test(`the error ${JSON.stringify(error)} is still an error`, () =>
    withConsole(() => ({ error }), async (remote) => {
      await assertRejects(
        () => remote.call("x"),
        RpcServerError,
        "the server answered with an error",
      );
    }));
}

Deno.test("a call that is longer than a server reads is not sent", () =>
  withConsole(() => ({ result: "here" }), async (remote) => {
    await assertRejects(
      () => remote.call("x", { text: "x".repeat(MAX_LINE) }),
      RpcServerError,
      "longer than a server reads",
    );
    assertEquals(await remote.call("x"), "here");
  }));

Deno.test("calls that wait end when the server goes away, and so do those that come later", () =>
  withConsole(
    (method) => method === "last" ? { hangUp: true } : { noAnswer: true },
    async (remote) => {
      const waiting = [remote.call("first"), remote.call("last")];
      for (const call of waiting) {
        const { message, exit } = await assertRejects(() => call, Failure);
        assertEquals(message, "The server has closed the session");
        assertEquals(exit, ExitCode.unavailable);
      }
      assertEquals((await remote.gone).exit, ExitCode.unavailable);
      await assertRejects(() => remote.call("later"), Failure, "The server has closed the session");
    },
  ));

Deno.test("a server that stops speaking the console's language ends the session", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const { remote } = await RpcClient.open(pair.client, WHERE, 578);
  const call = assertRejects(() => remote.call("x"), Failure);
  pair.server.write("nonsense\n");
  const { message, exit } = await call;
  assertStringIncludes(message, "The server speaks something else than the console");
  assertEquals(exit, ExitCode.data);
});

Deno.test("an answer may be longer than a request: the users of a large configuration", async () => {
  const name = "x".repeat(64);
  const many = Array.from({ length: 40_000 }, () => name);
  await withConsole(() => ({ result: many }), async (remote) => {
    assertEquals(await remote.call("users.list"), many);
  });
});
