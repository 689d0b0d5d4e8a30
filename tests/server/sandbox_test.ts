/** A server in its sandbox, as an attacker sees it who runs code in the server. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { BUILT_IN } from "../../lib/config/load.ts";
import { neededPaths } from "../../lib/dataplane/sandbox_needs.ts";
import { commandAtTerminal } from "../support/at_terminal.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { hasLandlock } from "../support/landlock.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const ATTACKER = fromFileUrl(new URL("../support/sandboxed_attacker.ts", import.meta.url));

/** Runs it. @param more Its second argument. */
async function attack(more: readonly string[]) {
  await using program = await Program.install();
  const ports = [freePort(), freePort()];
  for (const name of ["inside", "outside", "conf"]) await Deno.mkdir(program.path(name));
  for (const name of ["secret", "movable", "victim"]) await program.write(`outside/${name}`, "x");
  await program.write("conf/movable", "x");
  await Deno.copyFile("/bin/true", program.path("conf/program"));
  await Deno.symlink(program.path("outside/secret"), program.path("inside/link"));
  const key = await writeKey(program, "inside/bob.key");
  await program.write("inside/ports", ports.join(" "));
  await program.write(
    "conf/config.yaml",
    `listeners: [{ tcp: "127.0.0.1:${ports[0]}", keys: [{ file: ${key} }], service: console }]
sandbox: on
`,
  );
  using abstract = Deno.listen({ transport: "unix", path: `\0${program.directory}` });
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--allow-all", ATTACKER, program.directory, ...more],
  }).output();
  abstract.close();
  const text = new TextDecoder().decode(success ? stdout : stderr);
  if (!success) throw new Error(text);
  return JSON.parse(text) as Record<string, Record<string, string>>;
}

const options = { ignore: !hasLandlock };

Deno.test("an attacker in a sandboxed server gets out of it in no thread", options, async () => {
  const { main, worker, elsewhere, needed } = await attack([]);
  for (const results of [main!, worker!, elsewhere!]) {
    assertEquals(results, all(results, "refused"));
  }
  assertEquals(needed!, all(needed!, "done"));
});

/** The same outcome of every attempt. */
function all(results: Record<string, string>, outcome: string): Record<string, string> {
  return Object.fromEntries(Object.keys(results).map((what) => [what, outcome]));
}

Deno.test("without a sandbox the same code does all of it", async () => {
  const { main, elsewhere, needed } = await attack(["free"]);
  const { "connect to a port": connect, ...others } = elsewhere!;
  // Nothing listens there: the kernel has let it try.
  assertEquals(connect, "ECONNREFUSED");
  for (const results of [main!, others, needed!]) assertEquals(results, all(results, "done"));
});

Deno.test("a signal that comes while a server goes into its sandbox is kept", options, async () => {
  assertEquals((await attack(["signal"])).signal as unknown, "SIGTERM");
});

Deno.test("neededPaths() leaves no directory above one that is missing, such as a home", () => {
  const places = { paths: ["/nonexistent/.config/ipcauth/config.yaml"], explicit: false };
  assertEquals(neededPaths(BUILT_IN, [], { places, inherited: [] }), []);
});

/** Answers a system call with an error (`seccomp(2)`): its number, and that of the error. */
const WITHOUT_CALL = `
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def code(*one): return struct.pack("HBBI", *one)
program = code(0x20, 0, 0, 0) + code(0x15, 0, 1, int(sys.argv[1]))
program += code(6, 0, 0, 0x50000 | int(sys.argv[2]))
program += code(6, 0, 0, 0x7fff0000)
buffer = ctypes.create_string_buffer(program)
header = struct.pack("HxxxxxxQ", 4, ctypes.addressof(buffer))
libc.prctl(38, 1, 0, 0, 0)
if libc.prctl(22, 2, ctypes.c_char_p(header), 0, 0): sys.exit(f"seccomp: {ctypes.get_errno()}")
os.execvp(sys.argv[3], sys.argv[3:])
`;

Deno.test("auto does without a sandbox where the kernel has none, and on does not", async () => {
  await using program = await Program.install();
  const key = await writeKey(program, "bob.key");
  const address = `127.0.0.1:${freePort()}`;
  const [landlock, seccomp] = [444, Deno.build.arch === "x86_64" ? 317 : 277];
  const start = (call: number, errno: number, ...args: string[]) => {
    const before = ["python3", "-c", WITHOUT_CALL, `${call}`, `${errno}`];
    return program.command([...before, "ipcauth", "serve", ...args]);
  };
  for (
    const [call, errno, reason] of [
      [landlock, 38, "this kernel has no Landlock"],
      [landlock, 1, "operation not permitted"],
      [landlock, 95, "not enabled in this kernel"],
      [seccomp, 1, "system calls cannot be filtered here"],
    ] as const
  ) {
    await using server = new RunningServer(
      start(call, errno, `--tcp=${address}`, `--key=${key}`).spawn(),
    );
    await server.event("error", ({ message }) => `${message}`.includes(reason));
    await server.event("listen");
    const status = ["status", "--json", `--tcp=${address}`, `--key=${key}`];
    const { sandbox } = JSON.parse((await program.run(status)).stdout);
    assertEquals([sandbox.active, sandbox.landlock], [false, null]);
    assertStringIncludes(sandbox.reason, reason);
    assertEquals(await server.stop(), 0);
  }
  const config = await program.write("on.yaml", "sandbox: on\nusers: []\n");
  const { code, stderr } = await start(
    landlock,
    38,
    `--tcp=${address}`,
    `--key=${key}`,
    "--config",
    config,
  )
    .output();
  const text = new TextDecoder().decode(stderr);
  assertEquals(code, 71, text);
  assertStringIncludes(text, "this kernel has no Landlock");
  assertStringIncludes(text, "\nhint: ");
});

/** Runs a program as a user in a root directory that this user cannot read. */
const UNREADABLE_ROOT = `
mount -t tmpfs -o mode=0711 none "$1"
for path in /*; do
  if [ -L "$path" ]; then cp -a "$path" "$1$path"
  elif [ -d "$path" ]; then mkdir "$1$path" && mount --rbind "$path" "$1$path"; fi
done
shift
exec chroot "$0" setpriv --reuid 578 --regid 578 --clear-groups "$@"
`;

Deno.test({
  name: "a variable of a sandbox that is not in force is refused, whatever it says (needs root)",
  ignore: !isRoot || !hasLandlock,
  async fn() {
    await using program = await Program.install();
    const root = program.path("root");
    await Deno.mkdir(root);
    const forged = JSON.stringify({
      ...{ version: 7, paths: [["write", "/"]], bind: [], connect: [], abstractSockets: true },
      madeDirectories: [],
    });
    const unreadable = ["unshare", "--mount", "--propagation=private", "sh", "-ec"];
    for (
      const [before, value] of [
        [[], forged],
        [[...unreadable, UNREADABLE_ROOT, root, root], forged],
        [[...unreadable, UNREADABLE_ROOT, root, root], "{}"],
      ] as const
    ) {
      const start = 'IPCAUTH_SANDBOX="$$ $0" exec ipcauth serve --unix="$1"';
      const { code, stderr } = await program.execute(
        [...before, "sh", "-c", start, value, program.path("a.sock")],
      );
      const [message] = stderr.split("\n");
      assertEquals([code, message], [71, "ipcauth: error: The sandbox is not in force"]);
    }
  },
});

/** Runs a program where `/etc/hosts` is a link to a file in a directory elsewhere. */
const LINKED_HOSTS = `
cp -a /etc "$0/etc"
ln -sf "$0/elsewhere/hosts" "$0/etc/hosts"
mount --bind "$0/etc" /etc
exec "$@"
`;

Deno.test({
  name: "a sandbox leaves what links in /etc lead to, such as the hosts (needs root)",
  ignore: !isRoot || !hasLandlock,
  async fn() {
    await using program = await Program.install();
    const socket = program.path("run", "a.sock");
    for (const name of ["conf", "elsewhere"]) await Deno.mkdir(program.path(name));
    await program.write("elsewhere/hosts", "127.0.0.1 backend.test\n");
    using target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = target.addr;
    const listener = `{ unix: ${socket}, service: { forward: "tcp:backend.test:${port}" } }`;
    const file = await program.write("conf/a.yaml", `listeners: [${listener}]\nsandbox: on\n`);
    const linked = ["unshare", "--mount", "--propagation=private", "sh", "-ec", LINKED_HOSTS];
    const start = [...linked, program.directory, "ipcauth", "serve", "--config", file];
    await using server = new RunningServer(program.command(start).spawn());
    await server.event("listen");
    using client = await Deno.connect({ transport: "unix", path: socket });
    await client.write(new Uint8Array(1));
    const accepted = await Promise.race([
      target.accept().catch(() => null),
      // End-of-file where the backend is not found.
      client.read(new Uint8Array(1)),
    ]);
    if (typeof accepted !== "object" || accepted === null) throw new Error("no backend is found");
    accepted.close();
    assertEquals(await server.stop(), 0);
  },
});

Deno.test("auto takes no function from a server, and says why", options, async () => {
  await using program = await Program.install();
  const socket = program.path("a.sock");
  const key = await writeKey(program, "bob.key");
  const [address, other] = [`127.0.0.1:${freePort()}`, `127.0.0.1:${freePort()}`];
  const listener = `{ tcp: "${other}", keys: [{ file: ${key} }], service: console }`;
  const [line, off] = [
    await program.write("line.yaml", `listeners: [${listener}]\n`),
    await program.write("off.yaml", "sandbox: off\nusers: []\n"),
  ];
  const keyed = [`--tcp=${address}`, `--key=${key}`];
  for (
    const [serve, where, reason] of [
      [[`--unix=${socket}`], [`--unix=${socket}`], "executables of peers"],
      [["--config", line], [`--tcp=${other}`, `--key=${key}`], "a reload could not add a listener"],
      [[...keyed, "--config", off], keyed, "sandbox: off"],
      [[...keyed, "--no-sandbox"], keyed, "--no-sandbox"],
      [keyed, keyed, null],
    ] as const
  ) {
    await using server = await program.serve(serve);
    const { stdout } = await program.run(["status", "--json", ...where]);
    const { sandbox } = JSON.parse(stdout);
    assertEquals(sandbox.active, reason === null, stdout);
    if (reason !== null) assertStringIncludes(sandbox.reason, reason);
    const { stdout: text } = await program.run(["status", ...where]);
    assertStringIncludes(text, reason === null ? "sandbox        on" : `sandbox        off: `);
    assertEquals(server.text, "");
    assertEquals(await server.stop(), 0);
  }
});

Deno.test("on with a service that starts programs is refused, wherever it stands", async () => {
  await using program = await Program.install();
  const listener = `{ unix: ${program.path("a.sock")}, service: { exec: [/bin/true] } }`;
  const file = await program.write("exec.yaml", `listeners: [${listener}]\nsandbox: on\n`);
  const on = await program.write("on.yaml", "sandbox: on\nusers: []\n");
  const flags = [`--unix=${program.path("b.sock")}`, "--exec", "--", "/bin/true"];
  for (
    const args of [
      ["config", "check", file],
      ["serve", "--config", file],
      ["serve", "--config", on, ...flags],
      ["serve", "--check", "--config", on, ...flags],
    ]
  ) {
    const { code, stderr } = await program.run(args);
    assertEquals(code, 78, args.join(" ") + stderr);
    assertStringIncludes(stderr, "would inherit");
    assertStringIncludes(stderr, "hint: ");
  }
});

Deno.test({
  name: "a server that gives up root has a sandbox, with all that it does (needs root)",
  ignore: !isRoot || !hasLandlock,
  async fn() {
    await using program = await Program.install();
    for (const name of ["conf", "log"]) await Deno.mkdir(program.path(name));
    const [socket, log] = [program.path("run", "a.sock"), program.path("log", "a.log")];
    const text = `users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: false, admin: true }]
log: { file: ${log} }
`;
    const config = await program.write("conf/a.yaml", text);
    await program.execute(["chown", "-R", "daemon:daemon", program.path("conf")]);
    await program.execute(["chown", "daemon:daemon", program.path("log")]);
    const flags = [`--unix=${socket}`, "--drop-to", "daemon", "--workers", "2"];
    const start = program.command(["ipcauth", "serve", "--config", config, ...flags]);
    await using server = new RunningServer(start.spawn());
    await until(log, '"event":"listen"');
    const at = ["--server-user", "daemon", `--unix=${socket}`];
    const ask = async (uid: number, ...commands: string[]) => {
      const words = commands.flatMap((one) => ["-c", one]);
      const { code, stdout, stderr } = await program.run(["connect", ...at, ...words], { uid });
      assertEquals([code, stderr], [0, ""], stdout);
      return stdout;
    };
    const { stdout } = await program.run(["status", "--json", ...at]);
    assertEquals(JSON.parse(stdout).sandbox.active, true, stdout);
    // Each thread of the runtime's is restricted, and root no more.
    const uid = (await program.execute(["id", "-u", "daemon"])).stdout.trim();
    const read = ["sh", "-c", 'cat "$0"/task/*/status', `/proc/${server.pid}`];
    const { stdout: threads } = await program.execute(read);
    const valuesOf = (field: string) =>
      new Set(
        [...threads.matchAll(new RegExp(`^${field}:\\s*(\\S+)`, "gm"))].map(([, one]) => one),
      );
    assertEquals(
      ["Uid", "NoNewPrivs", "Seccomp", "CapPrm"].map((field) => [...valuesOf(field)]),
      [[uid], ["1"], ["2"], ["0".repeat(16)]],
    );
    // Both planes, edits that are confirmed and that are not, and a group of the name service.
    await ask(0, "allow bob");
    const edit = "aaa authentication users user bob local_ipc_access false";
    await ask(0, "config", edit, "commit confirmed 1");
    await until(log, '"reason":"rolled-back"');
    await Deno.writeTextFile(
      config,
      (await Deno.readTextFile(config)) + "groups: [{ name: mail, local_ipc_access: true }]\n",
    );
    const mail = Number((await program.execute(["getent", "group", "mail"])).stdout.split(":")[2]);
    const groups = { uid: 580, groups: [mail] };
    const member = await program.run(["connect", ...at, "-c", "who"], groups);
    assertEquals([member.code, member.stderr], [0, ""]);
    // A log that is copied and cut short, and one that is moved away.
    await Deno.truncate(log);
    await ask(579, "who");
    assertMatch(await Deno.readTextFile(log), /^\{/);
    await Deno.rename(log, `${log}.1`);
    server.child.kill("SIGHUP");
    await until(log, '"event":"reload"');
    assertEquals(await server.stop(), 0);
  },
});

Deno.test({
  name: "no thread of a server that gives up root types at root's terminal (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const at = `--unix=${program.path("run", "a.sock")}`;
    // It answers when it has given root up.
    const look = `ipcauth status --server-user daemon ${at} && cat /proc/$PROGRAM/task/*/status`;
    const { code, stdout } = await commandAtTerminal(
      program,
      ["ipcauth", "serve", at, "--drop-to", "daemon", "--no-sandbox"],
      [["expect", "a.sock"], ["run", look], ["send", "\x03"]],
    );
    assertEquals(code, 0, stdout);
    assertMatch(stdout, /sandbox +off: --no-sandbox/);
    const filters = stdout.match(/^Seccomp:.*$/gm) ?? [];
    assertEquals([filters.length > 4, ...new Set(filters)], [true, "Seccomp:\t2"]);
  },
});

/** Waits until a text is in a file. */
async function until(path: string, part: string): Promise<void> {
  while (!(await Deno.readTextFile(path).catch(() => "")).includes(part)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
