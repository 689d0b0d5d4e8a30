/** The service `metrics`: HTTP on a Unix socket, and Prometheus through a tunnel. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RunningTunnel } from "../support/backend.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { isInstalled } from "../support/installed.ts";
import { isRoot, Program } from "../support/program.ts";

const USERS = `users:
  - { name: alice, uid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, local_ipc_access: true }
`;

/** A server with metrics on a Unix socket and on TCP. */
async function serve(program: Program) {
  const [unix, port] = [program.path("m.sock"), freePort()];
  const key = await writeKey(program, "k.key");
  const config = await program.write(
    "config.yaml",
    `listeners:
  - { unix: ${unix}, service: metrics }
  - { tcp: "127.0.0.1:${port}", service: metrics, keys: [{ file: ${key} }] }
${USERS}`,
  );
  const server = await program.serve(["--config", config]);
  const curl = (uid: number, ...argv: string[]) =>
    program.execute(
      ["curl", "--silent", "--show-error", "--max-time", "20", "--unix-socket", unix, ...argv],
      { uid },
    );
  return { server, unix, port, key, config, curl };
}

Deno.test("metrics are answered to a user with access, and to no other (needs root and curl)", {
  ignore: !isRoot || !isInstalled("curl"),
}, async () => {
  await using program = await Program.install();
  const { server, config, curl } = await serve(program);
  await using _server = server;
  const { code, stdout } = await curl(579, "--include", "http://x/metrics");
  assertEquals(code, 0);
  assertMatch(
    stdout,
    /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/openmetrics-text; version=1/,
  );
  assertStringIncludes(stdout, "\nipcauth_sessions 1\n");
  assertEquals((await curl(578, "http://x/metrics")).code === 0, false);
  assertEquals((await server.event("deny")).reason, "user-denied");
  // Many requests on one connection.
  const many = await curl(579, "http://x/healthz?[1-50]");
  assertEquals(many.stdout, "ok\n".repeat(50));
  const two = await curl(
    579,
    "--write-out",
    "%{num_connects}\n",
    "http://x/healthz",
    "http://x/healthz",
  );
  assertEquals(two.stdout, "ok\n1\nok\n0\n");
  await Deno.writeTextFile(config, "typo: 1\n");
  await server.event("reload");
  const bad = await curl(579, "--write-out", "%{http_code}", "http://x/healthz");
  assertMatch(bad.stdout, /^the file is not in force: .*typo[^]*503$/);
});

Deno.test("a session of metrics ends when its user is denied (needs root and curl)", {
  ignore: !isRoot || !isInstalled("curl"),
}, async () => {
  await using program = await Program.install();
  const { server, unix, config } = await serve(program);
  await using _server = server;
  const client = program.command(["sh", "-c", `exec socat - UNIX:${unix}`], { uid: 579, input: "" })
    .spawn();
  await server.event("allow");
  const writer = client.stdin.getWriter();
  const request = new TextEncoder().encode("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  await writer.write(request);
  const reader = client.stdout.getReader();
  assertStringIncludes(new TextDecoder().decode((await reader.read()).value), "ok\n");
  assertEquals((await program.run(["users", "deny", "bob", "--config", config])).code, 0);
  assertEquals((await server.event("close")).reason, "revoked");
  await writer.close().catch(() => {});
  await reader.cancel();
  await client.stderr.cancel();
  await client.status;
});

Deno.test("Prometheus reads the metrics through a tunnel (needs prometheus)", {
  ignore: !isInstalled("prometheus") || !isInstalled("curl"),
}, async () => {
  await using program = await Program.install();
  const { server, port, key } = await serve(program);
  await using _server = server;
  const [local, web] = [freePort(), freePort()];
  const address = `tcp:127.0.0.1:${local}`;
  await using _tunnel = await RunningTunnel.open(program, { port, key, address });
  const scrape = await program.write(
    "prometheus.yml",
    `scrape_configs:
  - job_name: ipcauth
    scrape_interval: 1s
    static_configs: [{ targets: ["127.0.0.1:${local}"] }]
`,
  );
  const prometheus = program.command([
    "prometheus",
    `--config.file=${scrape}`,
    `--storage.tsdb.path=${program.path("data")}`,
    `--web.listen-address=127.0.0.1:${web}`,
  ]).spawn();
  try {
    await server.event("allow");
    const query = `http://127.0.0.1:${web}/api/v1/query?query=up{job="ipcauth"}`;
    const up = `curl -s -g --retry 60 --retry-all-errors --retry-delay 1 --fail '${query}'`;
    const line = `until ${up} | grep '"value":\\[[0-9.]*,"1"\\]'; do sleep 0.2; done`;
    const { code } = await program.execute(["timeout", "60", "sh", "-c", line]);
    assertEquals(code, 0);
    const sessions = await program.execute([
      "curl",
      "-s",
      "-g",
      `http://127.0.0.1:${web}/api/v1/query?query=ipcauth_allowed_total`,
    ]);
    assertMatch(sessions.stdout, /"status":"success".*"value":\[[\d.]+,"[1-9]/);
  } finally {
    prometheus.kill("SIGKILL");
    await Promise.all([prometheus.stdout.cancel(), prometheus.stderr.cancel()]);
    await prometheus.status;
  }
});
