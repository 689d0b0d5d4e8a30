import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Failure } from "../../lib/errors.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { fileLimitProblem, requireFiles } from "../../lib/dataplane/file_limit.ts";

function problem(maxFiles: number, limits: string, ...services: string[]): string | null {
  const lines = services.map((service) => `  - { ${service} }\n`).join("");
  const config = parseConfig(`limits: { ${limits} }\nlisteners:\n${lines}`, "/c.yaml", {
    overflowUid: 65534,
  });
  return fileLimitProblem(config.limits, config.listeners ?? [], maxFiles);
}

const TCP = "tcp: 127.0.0.1:1, keys: [{ file: /k }]";

Deno.test("limits that fit into the limit of open files are no problem", () => {
  assertEquals(problem(20_000, "max_connections: 1024", "unix: /a", TCP), null);
  assertEquals(problem(164, "max_connections: 100", "unix: /a"), null);
  assertEquals(problem(Infinity, "max_connections: 1000000", "unix: /a"), null);
});

Deno.test("limits that do not fit are named with both numbers and what would fit", () => {
  const text = problem(163, "max_connections: 100", "unix: /a") ?? "";
  assertStringIncludes(text, "max_connections 100 may need 164 file descriptors");
  assertStringIncludes(text, "this process may open 163");
  assertStringIncludes(text, "max_connections: 99");
});

Deno.test("the service with the most descriptors counts, and so do pending handshakes", () => {
  const exec = "unix: /b, service: { exec: [/x] }";
  assertEquals(problem(564, "max_connections: 100", "unix: /a", exec), null);
  assertStringIncludes(problem(563, "max_connections: 100", "unix: /a", exec) ?? "", "564");
  const limits = "max_connections: 100, max_pending_handshakes: 50";
  assertStringIncludes(problem(413, limits, "unix: /a", TCP) ?? "", "may need 414");
});

Deno.test("a server with too few files for its workers does not start, and one worker may", () => {
  requireFiles(1, 100, 4);
  requireFiles(1, 64, 1);
  requireFiles(1, 0, 1);
  for (
    const [listeners, files, workers, needed, hint] of [
      [1, 99, 4, 100, 1024],
      [2, 79, 2, 80, 1024],
      [20, 1024, 64, 5608, 5608],
    ] as const
  ) {
    const failure = assertThrows(() => requireFiles(listeners, files, workers), Failure);
    assertEquals(
      [failure.message, failure.exit, failure.hint],
      [
        `A process may open too few files here: ${files}, and ${workers} workers need ${needed}`,
        71,
        `ulimit -n ${hint}`,
      ],
    );
  }
});
