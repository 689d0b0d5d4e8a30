/** `show log` and `monitor`: what each reader is shown of the log, and until when. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { RpcClient } from "../../lib/client/rpc_client.ts";
import { followLog } from "../../lib/shell/log_lines.ts";
import { answerCalls, socketPair, welcomeLine } from "../support/fake_console.ts";
import { isRoot, Lines, Program } from "../support/program.ts";

const USERS = `users:
  - { name: alice, uid: 578, local_ipc_access: true }
  - { name: bob, uid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, local_ipc_access: true, admin: true }
  - { name: dave, uid: 581, local_ipc_access: false }
`;

async function serve(program: Program) {
  const [socket, noisy] = [program.path("ipc.sock"), program.path("noisy.sock")];
  const config = await program.write(
    "config.yaml",
    `listeners:
  - { unix: ${socket}, mode: "0666", service: console }
  - unix: ${noisy}
    mode: "0666"
    service: { exec: [/bin/sh, -c, "echo secret >&2"] }
${USERS}`,
  );
  const server = await program.serve(["--config", config]);
  const console = (uid: number, ...lines: string[]) =>
    program.run(["connect", `--unix=${socket}`, ...lines.flatMap((one) => ["-c", one])], { uid });
  const connect = (path: string, uid: number) =>
    program.run(["connect", "--pipe", `--unix=${path}`], { uid });
  return { server, socket, noisy, config, console, connect };
}

Deno.test("show log has the last lines, and keeps from others what is not theirs (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const { server, socket, noisy, console, connect } = await serve(program);
  await using _server = server;
  await connect(noisy, 578);
  await server.event("close", ({ user }) => user === "alice");
  await connect(socket, 581);
  await server.event("deny");
  const shown = async (uid: number, what: string): Promise<Record<string, unknown>[]> => {
    const { stdout, stderr } = await console(uid, `${what} | json`);
    assertEquals(stderr, "");
    return JSON.parse(stdout);
  };
  const events = (lines: Record<string, unknown>[]) => lines.map(({ event }) => event);
  const ofAlice = ["allow", "stderr", "close"];
  // Alice reads what her own program wrote; bob does not, and carol is an administrator.
  assertEquals(events(await shown(578, "show log user alice")).slice(0, 3), ofAlice);
  assertEquals(events(await shown(580, "show log user alice")).slice(0, 3), ofAlice);
  const toBob = await shown(579, "show log user alice");
  assertEquals(events(toBob).slice(0, 2), ["allow", "close"]);
  assert(!JSON.stringify(toBob).includes("secret"));
  assertEquals(Object.keys(toBob[0]!.peer as object), ["pid", "uid", "gid"]);
  const denied = await shown(579, "show log denied last 5");
  assertEquals(denied.map(({ user, reason }) => [user, reason]), [["dave", "user-denied"]]);
  assertEquals(await shown(579, "show log denied user dave last 9"), denied);
  assertEquals(events(await shown(0, "show log last 1")), ["allow"]);
  const text = await console(579, "show log denied");
  assertMatch(text.stdout, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d deny +listener=\S+ .*user=dave .*\n$/);
  const bad = await console(579, "show log last 0");
  assertEquals([bad.code, bad.stdout], [64, ""]);
});

Deno.test("monitor prints the log as it goes on, and ends with the server (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const { server, socket, console, connect } = await serve(program);
  await using _server = server;
  const argv = ["ipcauth", "connect", `--unix=${socket}`, "-c", "monitor denied"];
  const monitor = program.command(argv, { uid: 579 }).spawn();
  const lines = new Lines(monitor.stdout);
  await server.event("allow");
  // Its first question has been answered when a later session is answered.
  let seen: string | null = null;
  const next = lines.next().then((line) => seen = line);
  while (seen === null) {
    await connect(socket, 581);
    await Promise.race([next, console(579, "who")]);
  }
  assertStringIncludes(seen, "user=dave reason=user-denied");
  monitor.kill("SIGINT");
  await lines.cancel();
  await monitor.stderr.cancel();
  assertEquals((await monitor.status).code, 130);
});

Deno.test("monitor counts in their place the lines that it came too late for", async () => {
  await using pair = socketPair();
  pair.server.write(welcomeLine());
  const line = { time: "2026-01-02T03:04:05.678Z", event: "deny", reason: "unknown-uid" };
  const results = [
    { lines: [line], next: 10, dropped: 9 },
    { lines: [line], next: 5_000, dropped: 4_000 },
    { lines: [], next: 5_000, dropped: 0 },
  ];
  const stop = new AbortController();
  const calls = answerCalls(pair.server, () => ({ result: results.shift() ?? results.at(-1) }));
  const { client } = await RpcClient.open(pair.client, "here", 0);
  let printed = "";
  const out = (text: string) => {
    printed += text;
    stop.abort();
  };
  await followLog(client, { denied: true }, { out, color: false, stopped: stop.signal });
  client.close();
  assertMatch(
    printed,
    /^4000 lines are not shown here: .*\n2026-\d\d-\d\d \S+ deny +reason=unknown-uid\n$/,
  );
  assertEquals(calls.map(({ params }) => params), [{ last: 1 }, { denied: true, after: 10 }]);
});

/** A program in Python that is refused again and again, for two seconds. */
function refusals(path: string): string {
  return `
import socket, time
for _ in range(20):
    client = socket.socket(socket.AF_UNIX)
    client.connect("${path}")
    client.recv(1)
    time.sleep(0.1)
`;
}

Deno.test("Ctrl-C ends monitor, and the prompt goes on (needs root and python3)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const { server, socket } = await serve(program);
  await using _server = server;
  const script = [
    ["expect", "root@ipcauth# "],
    ["send", "monitor\r"],
    // More than one, because the first may come before the server is asked.
    ["run", `setpriv --reuid=581 --clear-groups python3 -c '${refusals(socket)}' &`],
    ["expect", "user-denied"],
    ["send", "\x03"],
    ["expect", "^C"],
    ["expect", "root@ipcauth# "],
    ["send", "show listeners\r"],
    ["expect", "listening"],
    ["send", "exit\r"],
  ];
  const python = await Deno.readTextFile(new URL("../support/terminal.py", import.meta.url));
  const { code, stdout, stderr } = await program.execute(
    ["python3", "-c", python, JSON.stringify(script), "ipcauth", "connect", `--unix=${socket}`],
  );
  assertEquals(code, 0, stdout + stderr);
});
