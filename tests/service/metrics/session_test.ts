import { connect, createServer, type Socket } from "node:net";
import { assertEquals, assertStringIncludes } from "@std/assert";
import {
  answerTo,
  MetricsSession,
  type ServerFacts,
} from "../../../lib/service/metrics/session.ts";

const HEALTHY: ServerFacts = { stats: { sessions: 2, allowed: 5 }, problem: null };
const BAD: ServerFacts = { ...HEALTHY, problem: "the file is not in force: line 3" };

const ask = (line: string, fields: string[] = ["Host: x"], source = HEALTHY) =>
  answerTo([line, ...fields].join("\r\n"), source);

Deno.test("answerTo() answers the counts as OpenMetrics text", () => {
  const { status, type, body, withBody, keepAlive } = ask("GET /metrics HTTP/1.1");
  assertEquals([status, withBody, keepAlive], ["200 OK", true, true]);
  assertEquals(type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  assertStringIncludes(body, "ipcauth_sessions 2\n");
  assertEquals(body.endsWith("# EOF\n"), true);
});

Deno.test("answerTo() says whether the server is healthy, and why not", () => {
  const { status, body } = ask("GET /healthz HTTP/1.1");
  assertEquals([status, body], ["200 OK", "ok\n"]);
  const bad = ask("GET /healthz?x=1 HTTP/1.1", ["Host: x"], BAD);
  assertEquals([bad.status, bad.body], [
    "503 Service Unavailable",
    "the file is not in force: line 3\n",
  ]);
});

Deno.test("answerTo() keeps a connection as the version and the client say", () => {
  assertEquals(ask("GET /healthz HTTP/1.0", []).keepAlive, false);
  assertEquals(ask("GET /healthz HTTP/1.1", ["Host: x", "Connection: close"]).keepAlive, false);
  assertEquals(ask("GET /healthz HTTP/1.1", ["Host: x", "Connection: Keep-Alive"]).keepAlive, true);
});

Deno.test("answerTo() sends no body to HEAD", () => {
  const { status, withBody, body } = ask("HEAD /healthz HTTP/1.1");
  assertEquals([status, withBody, body], ["200 OK", false, "ok\n"]);
});

Deno.test("answerTo() refuses other methods, resources, bodies and broken heads", () => {
  for (
    const [line, fields, status, keepAlive] of [
      ["POST /metrics HTTP/1.1", ["Host: x"], "405 Method Not Allowed", true],
      ["GET / HTTP/1.1", ["Host: x"], "404 Not Found", true],
      ["GET /metrics HTTP/1.1", [], "400 Bad Request", false],
      ["GET metrics HTTP/1.1", ["Host: x"], "400 Bad Request", false],
      ["GET /metrics HTTP/2.0", ["Host: x"], "400 Bad Request", false],
      ["GET /metrics", ["Host: x"], "400 Bad Request", false],
      ["GET  /metrics HTTP/1.1", ["Host: x"], "400 Bad Request", false],
      ["GET /metrics HTTP/1.1", ["Host : x"], "400 Bad Request", false],
      ["GET /metrics HTTP/1.1", ["Host: x", " folded"], "400 Bad Request", false],
      ["GET /metrics HTTP/1.1", ["Host: x", "Content-Length: 3"], "413 Content Too Large", false],
      [
        "GET /metrics HTTP/1.1",
        ["Host: x", "Transfer-Encoding: chunked"],
        "413 Content Too Large",
        false,
      ],
      ["", ["Host: x"], "400 Bad Request", false],
    ] as const
  ) {
    const answer = ask(line, [...fields]);
    assertEquals([line, answer.status, answer.keepAlive], [line, status, keepAlive]);
  }
});

Deno.test("a session ends with its client, which has sent more than was answered", async () => {
  const source = {
    confirm: () => Promise.resolve(true),
    stats: () => Promise.resolve({}),
    problem: () => Promise.resolve(null),
  };
  const directory = await Deno.makeTempDir();
  const path = `${directory}/m.sock`;
  const server = createServer({ allowHalfOpen: true });
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const client = connect(path);
  const session = new MetricsSession(await accepted, source);
  const ended = session.run();
  try {
    client.write("no request\r\n\r\n");
    const answer = await new Promise<Uint8Array>((resolve) => client.once("data", resolve));
    assertStringIncludes(new TextDecoder().decode(answer), "400 Bad Request");
    client.end("more");
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      session.terminate();
    }, 20_000);
    const { bytesIn, failed } = await ended;
    clearTimeout(timer);
    assertEquals([bytesIn, failed, isLate], [18, false, false]);
  } finally {
    session.terminate();
    client.destroy();
    server.close();
    await Deno.remove(directory, { recursive: true });
  }
});
