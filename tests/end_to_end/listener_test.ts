/** The Unix listener: its directory, its lock, its mode, and its removal. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { isRoot, type Outcome, Program, RunningServer } from "../support/program.ts";
import { exists } from "../support/temporary_directory.ts";

function refused(outcome: Outcome, code: number, text: string): void {
  assertStringIncludes(outcome.stderr, text);
  assertMatch(outcome.stderr, /^ipcauth: error: .*\nhint: .*\n$/);
  assertEquals(outcome.code, code);
  assertEquals(outcome.stdout, "");
}

Deno.test("the socket has exactly the configured mode, whatever the umask", async () => {
  await using program = await Program.install();
  for (const mode of ["0600", "0660", "0666", "0000"]) {
    const socket = program.path(`s${mode}`);
    const file = await program.write(
      "c.yaml",
      `listeners: [{ unix: ${socket}, mode: "${mode}" }]\n`,
    );
    const child = program.command([
      "sh",
      "-c",
      `umask 027; exec ipcauth serve --config ${file}`,
    ]).spawn();
    await using server = new RunningServer(child);
    await server.event("listen");
    assertEquals((Deno.lstatSync(socket).mode! & 0o7777).toString(8).padStart(4, "0"), mode);
    assertEquals(await server.stop(), 0);
  }
});

Deno.test("the socket never exists with another mode", async () => {
  await using program = await Program.install();
  const socket = program.path("ipc.sock");
  const file = await program.write("c.yaml", `listeners: [{ unix: ${socket}, mode: "0640" }]\n`);
  // strace records each call that makes a file or changes a mode.
  const trace = program.path("trace");
  const available = await program.execute(["sh", "-c", "command -v strace"]);
  if (available.code !== 0) return console.log("skipped: strace is not installed");
  const child = program.command([
    "strace",
    ...["-f", "-o", trace, "-e", "trace=bind,umask,chmod,fchmod,fchmodat,unshare"],
    ...["ipcauth", "serve", "--config", file],
  ]).spawn();
  await using server = new RunningServer(child);
  await server.event("listen");
  const [line] = (await Deno.readTextFile(trace)).split("\n").filter((line) =>
    line.includes(`bind(`) && line.includes(socket)
  );
  const thread = line!.split(" ")[0]!;
  const own = (await Deno.readTextFile(trace)).split("\n").filter((line) =>
    line.startsWith(thread + " ")
  ).map((line) => line.slice(thread.length).trim());
  const at = own.findIndex((call) => call.startsWith("bind("));
  assertMatch(own[at - 1]!, /^umask\(0137\)/);
  assertEquals(own.some((call) => call.includes("chmod")), false);
  // The umask is that of this thread alone.
  assertEquals(own.some((call) => call.startsWith("unshare(CLONE_FS)")), true);
  await program.execute(["pkill", "-TERM", "-f", `serve --config ${file}`]);
  await server.child.status;
});

Deno.test("a second server reports that one is running, and the first one goes on", async () => {
  await using program = await Program.install();
  const flags = [`--unix=${program.path("ipc.sock")}`];
  await using _server = await program.serve(flags);
  refused(await program.run(["serve", ...flags]), 69, "already running");
  assertEquals((await program.run(["connect", ...flags, "-c", "who"])).code, 0);
});

Deno.test("of ten servers started at the same time exactly one serves", async () => {
  await using program = await Program.install();
  const flags = ["serve", `--unix=${program.path("ipc.sock")}`];
  const children = Array.from({ length: 10 }, () => program.command(["ipcauth", ...flags]).spawn());
  const codes: number[] = [];
  const winner = Promise.withResolvers<void>();
  const all = children.map(async (child) => {
    const { code } = await child.output();
    codes.push(code);
    if (codes.length === 9) winner.resolve();
  });
  await winner.promise;
  assertEquals(codes, Array(9).fill(69));
  assertEquals((await program.run(["connect", flags[1]!, "-c", "who"])).code, 0);
  for (const child of children) {
    try {
      child.kill("SIGTERM");
    } catch {
      // One of the nine others.
    }
  }
  await Promise.all(all);
  assertEquals(codes.at(-1), 0);
});

Deno.test("a socket that a killed server left is replaced", async () => {
  await using program = await Program.install();
  const flags = [`--unix=${program.path("ipc.sock")}`];
  const server = await program.serve(flags);
  await server.stop("SIGKILL");
  const gone = await program.run(["connect", ...flags]);
  assertEquals(gone.code, 69);
  assertStringIncludes(gone.stderr, "no server is listening");
  await using _again = await program.serve(flags);
  assertEquals((await program.run(["connect", ...flags, "-c", "who"])).code, 0);
});

Deno.test("a live socket of another program is never replaced, even a busy one", async () => {
  await using program = await Program.install();
  const path = program.path("busy.sock");
  const busy = program.command([
    "python3",
    "-c",
    `
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
full = []
try:
    while True:
        c = socket.socket(socket.AF_UNIX); c.setblocking(False)
        c.connect(sys.argv[1]); full.append(c)
except BlockingIOError: pass
print("full", flush=True)
sys.stdin.read()
`,
    path,
  ], { input: "" }).spawn();
  const reader = busy.stdout.getReader();
  assertStringIncludes(new TextDecoder().decode((await reader.read()).value), "full");
  refused(await program.run(["serve", `--unix=${path}`]), 69, "already running");
  assertEquals(Deno.lstatSync(path).isSocket, true);
  await busy.stdin.close();
  await reader.cancel();
  await busy.stderr.cancel();
  await busy.status;
});

Deno.test("a file that is not a socket is never replaced", async () => {
  await using program = await Program.install();
  const path = await program.write("precious", "data\n");
  refused(await program.run(["serve", `--unix=${path}`]), 73, "is not a socket");
  assertEquals(await Deno.readTextFile(path), "data\n");
  const link = program.path("link");
  await Deno.symlink(path, link);
  refused(await program.run(["serve", `--unix=${link}`]), 73, "is not a socket");
});

Deno.test("a directory where others could replace the socket is refused", async () => {
  await using program = await Program.install();
  const directory = program.path("d");
  await Deno.mkdir(directory);
  for (const mode of [0o777, 0o775, 0o757]) {
    await Deno.chmod(directory, mode);
    refused(await program.run(["serve", `--unix=${directory}/s`]), 78, "writable by others");
  }
  await Deno.chmod(directory, 0o1777);
  await using server = await program.serve([`--unix=${directory}/s`]);
  assertEquals(await server.stop(), 0);
});

Deno.test({
  name: "a directory of another user is refused (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const directory = program.path("d");
    await Deno.mkdir(directory);
    await Deno.chown(directory, 578, 578);
    refused(await program.run(["serve", `--unix=${directory}/s`]), 78, "belongs to uid 578");
  },
});

Deno.test("paths that no Unix socket can have are refused before a file is made", async () => {
  await using program = await Program.install();
  const long = await program.run(["serve", `--unix=${program.path("x".repeat(120))}`]);
  assertEquals(long.code, 64);
  assertStringIncludes(long.stderr, "at most 107");
  refused(await program.run(["serve", "--unix=@abstract"]), 64, "abstract");
  assertEquals((await program.run(["connect", "--unix=@abstract"])).code, 64);
});

Deno.test("a server that ends removes its own socket and lock, and no others", async () => {
  await using program = await Program.install();
  const directory = program.path("d");
  await Deno.mkdir(directory);
  const path = `${directory}/ipc.sock`;
  const server = await program.serve([`--unix=${path}`]);
  assertEquals(await server.stop(), 0);
  assertEquals([...Deno.readDirSync(directory)], []);
  const second = await program.serve([`--unix=${path}`]);
  await Deno.remove(path);
  await Deno.writeTextFile(path, "of another program");
  assertEquals(await second.stop("SIGINT"), 0);
  assertEquals(await Deno.readTextFile(path), "of another program");
});

Deno.test("a missing directory is made and said, and others may not write to it", async () => {
  await using program = await Program.install();
  const serve = () => program.serve([`--unix=${program.path("new", "ipc.sock")}`]);
  for (const message of [`made the directory ${program.path("new")}`, undefined]) {
    await using server = await serve();
    assertEquals((await server.event("listen")).message, message);
    assertEquals(Deno.statSync(program.path("new")).mode! & 0o7777, 0o755);
  }
});

Deno.test("SIGTERM leaves a session its grace time, and a second SIGTERM closes it", async () => {
  await using program = await Program.install();
  const file = await program.write("c.yaml", "limits: { grace: 1h }\n");
  const socket = program.path("ipc.sock");
  await using server = await program.serve([`--unix=${socket}`, "--config", file]);
  const client = await Deno.connect({ transport: "unix", path: socket });
  const lines = client.readable.pipeThrough(new TextDecoderStream()).getReader();
  assertStringIncludes((await lines.read()).value!, "welcome");
  server.child.kill("SIGTERM");
  // New connections fail as soon as the path is removed; before that they have a session.
  while (await exists(socket));
  assertEquals((await program.run(["connect", `--unix=${socket}`])).code, 69);
  const writer = client.writable.getWriter();
  await writer.write(new TextEncoder().encode('{"jsonrpc":"2.0","id":7,"method":"stats"}\n'));
  assertStringIncludes((await lines.read()).value!, '"id":7');
  server.child.kill("SIGTERM");
  assertEquals((await lines.read()).done, true);
  assertEquals(await server.ended(), 0);
  await writer.close().catch(() => {});
  assertEquals(server.of("close").map(({ reason }) => reason), ["shutdown"]);
  assertEquals(server.log.at(-1)!.event, "stop");
});

Deno.test("a bad configuration stops a start, and leaves a running server as it is", async () => {
  await using program = await Program.install();
  const socket = program.path("ipc.sock");
  const file = await program.write(
    "c.yaml",
    "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n",
  );
  await using server = await program.serve([`--unix=${socket}`, "--config", file]);
  await program.write("c.yaml", "users:\n  - { name: bob, uid: -1 }\n");
  server.child.kill("SIGHUP");
  const reload = await server.event("reload", ({ reason }) => reason === "bad-config");
  assertStringIncludes(String(reload.message), `${file}:2:23: users[0].uid: -1`);
  // The file is reported once in the log. A later reload reports the same problem again.
  server.child.kill("SIGHUP");
  const again = await server.event("reload", ({ reason }) => reason === "unchanged");
  assertEquals(again.message, reload.message);
  const shown = await program.run([
    "connect",
    `--unix=${socket}`,
    "-c",
    "show users",
    "-c",
    "show config",
  ]);
  assertStringIncludes(shown.stdout, "bob   579");
  assertStringIncludes(shown.stdout, "# the file on disk is bad since 20");
  refused(
    await program.run(["serve", `--unix=${program.path("other")}`, "--config", file]),
    78,
    `${file}:2:23: users[0].uid`,
  );
  assertEquals(server.log.filter(({ reason }) => reason === "bad-config").length, 1);
});

Deno.test("a socket is made where no other user leads the server (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  for (const name of ["own", "other", "other/own"]) await Deno.mkdir(program.path(name));
  await Deno.symlink(program.path("own"), program.path("other", "link"));
  await Deno.symlink(program.path("own"), program.path("link"));
  const [other, link] = [program.path("other"), program.path("link")];
  await program.execute(["chown", "-h", "579:579", other, link]);
  for (const [path, place] of [["link", link], ["other/link", other], ["other/own", other]]) {
    for (const below of ["ipc.sock", "new/ipc.sock", "../own/ipc.sock"]) {
      const socket = `${program.directory}/${path}/${below}`;
      const file = await program.write("c.yaml", `listeners: [{ unix: ${socket} }]\n`);
      refused(await program.run(["serve", "--config", file]), 78, `The socket directory ${place} `);
    }
  }
  assertEquals([...Deno.readDirSync(program.path("own"))], []);
  assertEquals([...Deno.readDirSync(program.path("other", "own"))], []);
});
