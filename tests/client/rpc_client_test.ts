import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { RpcClient } from "../../lib/client/rpc_client.ts";
import { RpcServerError } from "../../lib/client/rpc_error.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { StreamError } from "../../lib/client/stream_error.ts";
import { MAX_REQUEST_BYTES } from "../../lib/service/console/protocol.ts";
import {
  type Answer,
  answerCalls,
  socketPair,
  WELCOME,
  welcomeLine,
} from "../support/fake_console.ts";

const WHERE = "/run/test.sock";

/** The failure of `open` when the server sends these bytes and closes. */
async function failureAfter(bytes: string | Uint8Array): Promise<Failure> {
  await using pair = socketPair();
  pair.server.end(bytes);
  return await assertRejects(() => RpcClient.open(pair.client, WHERE, 578), Failure);
}

/** Runs a client against a console with the given answers. */
async function withConsole(
  answer: (method: string) => Answer,
  run: (client: RpcClient) => Promise<void>,
): Promise<void> {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  answerCalls(pair.server, ({ method }) => answer(method));
  const { client } = await RpcClient.open(pair.client, WHERE, 578);
  await run(client);
  client.close();
}

Deno.test("RpcClient.open() returns the welcome", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const { client, welcome } = await RpcClient.open(pair.client, WHERE, 578);
  assertEquals(welcome, WELCOME);
  client.close();
});

Deno.test("a welcome that has come while the client was stopped is in time", async () => {
  await using pair = socketPair();
  const opening = RpcClient.open(pair.client, WHERE, 578, 100);
  pair.server.write(welcomeLine());
  // As SIGSTOP does, until the time is over.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  const { client, welcome } = await opening;
  assertEquals(welcome, WELCOME);
  client.close();
});

Deno.test("a server that closes without sending a byte has refused the caller", async () => {
  const { message, exit, hint } = await failureAfter("");
  const why = `${WHERE} has closed without sending data: uid 578 has no access, or`;
  assertStringIncludes(message, `Failed to connect to server: ${why}`);
  assertEquals(exit, ExitCode.refused);
  assertStringIncludes(hint!, "ipcauth users check 578");
});

Deno.test("a server that closes after it has accepted a key has refused no user", async () => {
  await using pair = socketPair();
  pair.server.end();
  const { message, exit } = await assertRejects(
    () => RpcClient.open(pair.client, WHERE, null),
    Failure,
  );
  assertStringIncludes(message, "has accepted the key, and has closed the session");
  assertEquals(exit, ExitCode.unavailable);
});

Deno.test("a server that resets the connection has refused the caller", async () => {
  await using pair = socketPair();
  const opening = assertRejects(() => RpcClient.open(pair.client, WHERE, 578), Failure);
  // Closing with unread data is a reset to the peer (unix(7), ECONNRESET).
  await pair.client.write(new TextEncoder().encode("x"));
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
    ["a line that never ends", "x".repeat(MAX_REQUEST_BYTES + 1)],
  ] as const
) {
  Deno.test(`a server that begins with ${what} is not a console`, async () => {
    const { message, exit } = await failureAfter(bytes);
    assertStringIncludes(
      message,
      `Failed to connect to server: ${WHERE} is not an ipcauth console: `,
    );
    assertEquals(exit, ExitCode.data);
  });
}

Deno.test("a server that sends nothing is not a console", async () => {
  await using pair = socketPair();
  const { message, exit, hint } = await assertRejects(
    () => RpcClient.open(pair.client, WHERE, 578, 10),
    Failure,
  );
  assertEquals(hint, "ipcauth connect --pipe, where another service or program listens there");
  assertEquals(
    message,
    `Failed to connect to server: ${WHERE} is not an ipcauth console: it sends nothing`,
  );
  assertEquals(exit, ExitCode.data);
  assertEquals(pair.client.isOpen, false);
});

Deno.test("a server whose first line does not end in time is not a console", async () => {
  await using pair = socketPair();
  await new Promise((resolve) => pair.server.write('{"jsonrpc"', resolve));
  const { message } = await assertRejects(
    () => RpcClient.open(pair.client, WHERE, 578, 100),
    Failure,
  );
  assertStringIncludes(message, "is not an ipcauth console: its first line does not end");
});

Deno.test("the welcome may arrive in chunks that end within a character", async () => {
  await using pair = socketPair();
  const opening = RpcClient.open(pair.client, WHERE, 578);
  for (const byte of new TextEncoder().encode(welcomeLine({ user: "žofie" }))) {
    await new Promise((resolve) => pair.server.write(new Uint8Array([byte]), resolve));
  }
  const { client, welcome } = await opening;
  assertEquals(welcome.user, "žofie");
  client.close();
});

Deno.test("answers resolve their calls in any order", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const calls = answerCalls(pair.server, ({ id, method }) => {
    if (method === "first") return { noAnswer: true };
    pair.server.write('{"jsonrpc":"2.0","method":"news","params":{}}\n');
    pair.server.write(`{"jsonrpc":"2.0","id":${id},"result":"second"}\n`);
    pair.server.write(`{"jsonrpc":"2.0","id":${calls[0]!.id},"result":"first"}\n`);
    return { noAnswer: true };
  });
  const { client } = await RpcClient.open(pair.client, WHERE, 578);
  assertEquals(await Promise.all([client.call("first"), client.call("second", { n: 1 })]), [
    "first",
    "second",
  ]);
  assertEquals(calls.map(({ method, params }) => [method, params]), [
    ["first", {}],
    ["second", { n: 1 }],
  ]);
  client.close();
});

Deno.test("an error of the server has its code, message and hint", () =>
  withConsole(
    () => ({ error: { code: -32003, message: 'There is no user "x"', data: { hint: "who" } } }),
    async (client) => {
      const error = await assertRejects(() => client.call("users.get"), RpcServerError);
      assertEquals([error.code, error.message, error.hint], [
        -32003,
        'There is no user "x"',
        "who",
      ]);
    },
  ));

Deno.test("the text of an error is escaped for a terminal", () =>
  withConsole(
    () => ({ error: { code: -32001, message: "no\x1b[2J\nx\u202e", data: { hint: "\x9b1m" } } }),
    async (client) => {
      const { message, hint } = await assertRejects(() => client.call("x"), RpcServerError);
      assertEquals(message, "no\\u{1b}[2J\\u{a}x\\u{202e}");
      assertEquals(hint, "\\u{9b}1m");
    },
  ));

for (const error of [null, "no", {}, { code: "x", message: 1, data: { hint: 2 } }]) {
  Deno.test(`the error ${JSON.stringify(error)} rejects the call`, () =>
    withConsole(() => ({ error }), async (client) => {
      await assertRejects(
        () => client.call("x"),
        RpcServerError,
        "the server answered with an error",
      );
    }));
}

Deno.test("a call that is longer than a server reads is not sent", () =>
  withConsole(() => ({ result: "here" }), async (client) => {
    await assertRejects(
      () => client.call("x", { text: "x".repeat(MAX_REQUEST_BYTES) }),
      RpcServerError,
      "longer than a server reads",
    );
    assertEquals(await client.call("x"), "here");
  }));

Deno.test("pending and later calls fail when the server closes the session", () =>
  withConsole(
    (method) => method === "last" ? { hangUp: true } : { noAnswer: true },
    async (client) => {
      const waiting = [client.call("first"), client.call("last")];
      for (const call of waiting) {
        const { message, exit } = await assertRejects(() => call, Failure);
        assertEquals(message, "The server has closed the session");
        assertEquals(exit, ExitCode.unavailable);
      }
      assertEquals((await client.lost).exit, ExitCode.unavailable);
      await assertRejects(() => client.call("later"), Failure, "The server has closed the session");
    },
  ));

Deno.test("a line that is not JSON ends the session", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const { client } = await RpcClient.open(pair.client, WHERE, 578);
  const call = assertRejects(() => client.call("x"), Failure);
  pair.server.write("nonsense\n");
  const { message, exit } = await call;
  assertStringIncludes(message, "The server does not speak the console's protocol");
  assertEquals(exit, ExitCode.data);
});

Deno.test("a line that is nested too deep to be shown ends the session", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const { client } = await RpcClient.open(pair.client, WHERE, 578);
  const call = client.call("stats");
  pair.server.write(
    `{"jsonrpc":"2.0","id":1,"result":${"[".repeat(60_000)}${"]".repeat(60_000)}}\n`,
  );
  const failure = await assertRejects(() => call, Failure, "nested too deep");
  assertEquals(failure.exit, ExitCode.data);
});

Deno.test("an answer may be longer than a request may be", async () => {
  const name = "x".repeat(64);
  const many = Array.from({ length: 40_000 }, () => name);
  await withConsole(() => ({ result: many }), async (client) => {
    assertEquals(await client.call("users.list"), many);
  });
});

Deno.test("an answer to a call that was not made ends the session", async () => {
  for (const id of [2, null, "1"]) {
    await using pair = socketPair();
    pair.server.write(welcomeLine());
    const { client } = await RpcClient.open(pair.client, WHERE, 578);
    const call = client.call("stats");
    pair.server.write(JSON.stringify({ jsonrpc: "2.0", id, result: {} }) + "\n");
    const { exit, message } = await assertRejects(() => call, Failure);
    assertEquals(exit, ExitCode.data);
    assertStringIncludes(message, "an answer to a call that was not made");
  }
});

Deno.test("a few notifications are passed over, and many end the session", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const { client } = await RpcClient.open(pair.client, WHERE, 578);
  const notification = '{"jsonrpc":"2.0","method":"news","params":{}}\n';
  const first = client.call("stats");
  pair.server.write(notification.repeat(64) + '{"jsonrpc":"2.0","id":1,"result":7}\n');
  assertEquals(await first, 7);
  const second = client.call("stats");
  pair.server.write(notification.repeat(65));
  const { exit, message } = await assertRejects(() => second, Failure);
  assertEquals(exit, ExitCode.data);
  assertStringIncludes(message, "more than 64 notifications");
});

Deno.test("a connection that is cut before the welcome is a failure", async () => {
  await using pair = socketPair();
  // As a stream with records does where the server cuts the connection right after ACCEPT.
  pair.client.close(StreamError.ofRecord("truncated"));
  const opening = RpcClient.open(pair.client, WHERE, 578);
  const { exit, message } = await assertRejects(() => opening, Failure);
  assertEquals(exit, ExitCode.data);
  assertEquals(message, `Failed to connect to server: ${WHERE}: the connection was cut`);
});

Deno.test("a receiver gets every notification behind the welcome", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const { client } = await RpcClient.open(pair.client, WHERE, 578);
  const got: unknown[] = [];
  client.onNotification = (method, params) => got.push([method, params]);
  const call = client.call("stats");
  pair.server.write(
    '{"jsonrpc":"2.0","method":"news","params":{"n":1}}\n'.repeat(65) +
      '{"jsonrpc":"2.0","id":1,"result":7}\n',
  );
  assertEquals(await call, 7);
  assertEquals(got, Array.from({ length: 65 }, () => ["news", { n: 1 }]));
  client.close();
});
