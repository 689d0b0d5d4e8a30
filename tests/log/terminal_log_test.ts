/** The log of a server at a terminal, and the one rule for colour. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { isRoot, Program } from "../support/program.ts";

const TERMINAL = await Deno.readTextFile(new URL("../support/terminal.py", import.meta.url));
const STAMP = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`;
const RED = "\\x1b\\[31m";
const END = "\\x1b\\[0m";

/** Connects once as a user who is refused, with a program that Python runs. */
const CLIENT = `import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.recv(1)
`;

/** Runs a server at a terminal, until a client has been refused. @returns The screen. */
async function screenOf(program: Program, flags: readonly string[], env: Record<string, string>) {
  const socket = program.path("ipc.sock");
  const config = await program.write(
    "config.yaml",
    "users:\n  - { name: alice, uid: 578, local_ipc_access: false }\n",
  );
  const client = await program.write("client.py", CLIENT);
  const script = [
    ["expect", "listen"],
    ["run", `setpriv --reuid=578 --clear-groups python3 ${client} ${socket}`],
    ["expect", "user-denied"],
    ["run", "kill -TERM $PROGRAM"],
  ];
  const { code, stdout, stderr } = await program.execute([
    ...["python3", "-c", TERMINAL, JSON.stringify(script)],
    ...["ipcauth", "serve", `--unix=${socket}`, "--config", config, ...flags],
  ], { env });
  assertEquals(code, 0, stdout + stderr);
  return stdout.replaceAll("\r\n", "\n");
}

Deno.test("at a terminal the log has local time, colour and the real program (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  // The zone is 5 hours and a half before UTC all year.
  const screen = await screenOf(program, [], { TZ: "Asia/Kolkata", TERM: "xterm" });
  const [line] = /^.*user-denied.*$/m.exec(screen)!;
  assertMatch(line, new RegExp(`^${STAMP} ${RED}deny  ${END} listener=unix:\\S+ pid=`));
  assertMatch(line, / uid=578 gid=\d+ program=client\.py user=alice reason=user-denied$/);
  const [shown] = new RegExp(STAMP).exec(line)!;
  const before = Date.parse(`${shown.replace(" ", "T")}Z`) - Date.now();
  assert(before <= 5.5 * 3_600_000 && before > 5.4 * 3_600_000, shown);
  // Events that refuse no client have no colour.
  assertMatch(screen, new RegExp(`^${STAMP} listen listener=`, "m"));
  const plain = /^(.*user-denied)$/m;
  for (const [flags, env] of [[[], { NO_COLOR: "1" }], [["--color", "never"], {}]] as const) {
    const [, text] = plain.exec(await screenOf(program, flags, { TERM: "xterm", ...env }))!;
    assertMatch(text!, new RegExp(`^${STAMP} deny   listener=`));
  }
});

Deno.test("colour follows one rule in every command", async () => {
  await using program = await Program.install();
  const config = await program.write("config.yaml", "users:\n  - { name: alice, uid: 578 }\n");
  const commands = [
    ["help"],
    ["users", "--config", config],
    ["config", "check", config],
    ["config", "show", "--config", config],
    ["connect", `--unix=${program.path("none.sock")}`],
    ["status", `--unix=${program.path("none.sock")}`],
  ];
  for (const command of commands) {
    const run = async (flags: string[], env: Record<string, string> = {}) => {
      const { stdout, stderr } = await program.run([...flags, ...command], { env });
      return stdout + stderr;
    };
    const always = ["--color", "always"];
    const plain = await run([]);
    assert(!plain.includes("\x1b"), command.join(" "));
    // The flag goes before the variable.
    assertStringIncludes(await run(always, { NO_COLOR: "1" }), "\x1b[", command.join(" "));
  }
});
