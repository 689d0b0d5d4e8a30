/** The examples do what their READMEs say. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { parseConfig } from "../../lib/config/schema.ts";
import { ExitCode } from "../../lib/errors.ts";
import { drain } from "../support/connections.ts";
import { isInstalled } from "../support/installed.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const EXAMPLES = fromFileUrl(new URL("../../examples/", import.meta.url));

Deno.test({
  name: "run-one-command: a fixed command for two users (needs root and socat)",
  ignore: !isRoot || !isInstalled("socat"),
  async fn() {
    await using program = await Program.install();
    const { code, stdout, stderr } = await program.execute([`${EXAMPLES}run-one-command/try.sh`]);
    assertEquals([code, stderr], [0, ""], stdout);
    assertStringIncludes(stdout, "asked for by bob, uid 579");
    assertStringIncludes(stdout, "Every step came out as it must.");
  },
});

for (const name of ["run-one-command", "postgresql"]) {
  Deno.test(`${name}: the script says what it misses, each thing in a line`, async () => {
    const { code, stdout, stderr } = await new Deno.Command("/bin/bash", {
      args: [`${EXAMPLES}${name}/try.sh`],
      // Without the program, and without the tools of the script.
      env: { PATH: "/nonexistent" },
    }).output();
    assertEquals([code, new TextDecoder().decode(stdout)], [1, ""]);
    const said = new TextDecoder().decode(stderr);
    assertStringIncludes(said, "failed: this needs ipcauth on PATH\n");
    const other = name === "postgresql" ? "psql" : "socat";
    assertStringIncludes(said, `failed: this needs ${other} on PATH\n`);
  });
}

Deno.test("systemd: the unit starts what install.sh installs, not again after a refusal", async () => {
  const unit = await Deno.readTextFile(`${EXAMPLES}systemd/ipcauth.service`);
  const installer = await Deno.readTextFile(`${EXAMPLES}../tools/packaging/install.sh`);
  const prefix = /^ {2}prefix=(.*)$/m.exec(installer)![1];
  assertStringIncludes(unit, `\nExecStart=${prefix}/bin/ipcauth serve `);
  const { usage, refused, config } = ExitCode;
  assertStringIncludes(unit, `\nRestartPreventExitStatus=${usage} ${refused} ${config}\n`);
});

Deno.test("systemd: the configuration is valid, and names the socket of the unit", async () => {
  const text = await Deno.readTextFile(`${EXAMPLES}systemd/config.yaml`);
  const { listeners } = parseConfig(text, "config.yaml", {
    overflowUid: 65534,
  });
  const unit = await Deno.readTextFile(`${EXAMPLES}systemd/ipcauth.socket`);
  const [listener] = listeners!;
  assertEquals(listener?.kind, "unix");
  assertStringIncludes(unit, `\nListenStream=${listener?.kind === "unix" && listener.path}\n`);
});

Deno.test({
  name: "systemd: the exposure level of the unit is that of its README (needs systemd-analyze)",
  ignore: !isInstalled("systemd-analyze"),
  async fn() {
    await using program = await Program.install();
    const directory = program.path("units");
    await Deno.mkdir(`${directory}/ipcauth.service.d`, { recursive: true });
    const copy = (name: string, to = name) =>
      Deno.copyFile(`${EXAMPLES}systemd/${name}`, `${directory}/${to}`);
    await copy("ipcauth.service");
    await copy("ipcauth.socket");
    const exposure = async () => {
      const argv = ["systemd-analyze", "security", "--offline=true", "--no-pager"];
      const { stdout } = await program.execute([...argv, `${directory}/ipcauth.service`]);
      return Number(/exposure level for ipcauth\.service: ([0-9.]+)/.exec(stdout)?.[1] ?? NaN);
    };
    const readme = await Deno.readTextFile(`${EXAMPLES}systemd/README.md`);
    // Another version of systemd may rate some settings differently, by 0.1 or 0.2.
    const near = (one: number, other: number) => Math.abs(one - other) <= 0.2;
    const promised = Number(/exposure is \*\*([0-9.]+)\*\*/.exec(readme)![1]);
    assertEquals([await exposure()].map((found) => near(found, promised)), [true]);
    await copy("as-others.conf", "ipcauth.service.d/as-others.conf");
    const asOthers = Number(/three capabilities; exposure ([0-9.]+)/.exec(readme)![1]);
    assertEquals([await exposure()].map((found) => near(found, asOthers)), [true]);
  },
});

/** The unit alone, and with the drop-in, by the service that is tried. */
const FILTERED = [
  { name: "the unit", dropIn: null, service: "{ exec: [/usr/bin/id, -u] }", said: "0\n" },
  {
    ...{ name: "as-others.conf", dropIn: "as-others.conf", said: "579\n" },
    service: "{ exec: [/usr/bin/id, -u], run_as: peer }",
  },
];

for (const { name, dropIn, service, said } of FILTERED) {
  Deno.test({
    name: `systemd: the server serves without the system calls that ${name} forbids ` +
      "(needs root, strace, socat and systemd-analyze)",
    ignore: !isRoot || !["strace", "socat", "systemd-analyze"].every(isInstalled),
    async fn() {
      await using program = await Program.install();
      const { stdout } = await program.execute(["systemd-analyze", "syscall-filter"]);
      const setting = async (file: string, name: RegExp) => {
        const text = await Deno.readTextFile(`${EXAMPLES}systemd/${file}`);
        return name.exec(text)![1]!.split(" ").flatMap((word) => membersOf(stdout, word));
      };
      const denied = await setting("ipcauth.service", /^SystemCallFilter=~(.*)$/m);
      assertEquals(["capset", "sched_setscheduler"].filter((call) => !denied.includes(call)), []);
      const allowed = dropIn === null ? [] : await setting(dropIn, /^SystemCallFilter=(.*)$/m);
      const calls = denied.filter((call) => !allowed.includes(call));
      const inject = `inject=${calls.map((call) => `?${call}`).join(",")}:error=EPERM`;
      const path = program.path("a.sock");
      const config = await program.write(
        "config.yaml",
        `listeners: [{ unix: ${path}, service: ${service} }]\n` +
          "users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]\n",
      );
      const strace = ["strace", "-D", "--follow-forks", "--output=/dev/null", "-e", inject];
      const serve = ["ipcauth", "serve", "--config", config, "--log-format=json"];
      await using server = new RunningServer(program.command([...strace, ...serve]).spawn());
      await server.event("listen");
      const client = await program.execute(["socat", "-u", `UNIX:${path}`, "-"], { uid: 579 });
      assertEquals(client.stdout, said);
    },
  });
}

/** A system call; or those of a set, and of the sets in it, in the output of `syscall-filter`. */
function membersOf(listing: string, set: string): string[] {
  if (!set.startsWith("@")) return [set];
  const lines = listing.split("\n");
  const members: string[] = [];
  for (const line of lines.slice(lines.indexOf(set) + 1)) {
    const member = line.trim();
    if (member === "" || !line.startsWith(" ")) break;
    if (member.startsWith("#")) continue;
    members.push(...membersOf(listing, member));
  }
  return members;
}

Deno.test({
  name: "systemd: its own socket activation starts the server (needs systemd-socket-activate)",
  ignore: !isInstalled("systemd-socket-activate"),
  async fn() {
    await using program = await Program.install();
    const path = program.path("a.sock");
    const config = await program.write("config.yaml", "users: []\n");
    const child = program.command([
      ...["systemd-socket-activate", "-l", path, "-E", `PATH=${program.bin}:/usr/bin:/bin`],
      ...[`${program.bin}/ipcauth`, "serve", "--config", config, "--exec", "--", "echo", "hello"],
    ]).spawn();
    await using server = new RunningServer(child);
    await server.printed(`Listening on ${path} as 3.`);
    // The first connection starts it, and waits until it is answered.
    using connection = await Deno.connect({ transport: "unix", path });
    assertEquals(new TextDecoder().decode((await drain(connection)).bytes), "hello\n");
    assertEquals((await server.event("listen")).listener, `unix:${path}`);
    assertEquals(await server.stop(), 0);
  },
});

Deno.test({
  name: "as-others: three capabilities are enough to run and connect as the peer (needs root)",
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const unit = await Deno.readTextFile(`${EXAMPLES}systemd/as-others.conf`);
    const capabilities = /^CapabilityBoundingSet=(.*)$/m.exec(unit)![1]!
      .split(" ").map((name) => `+${name.replace("CAP_", "").toLowerCase()}`).join(",");
    const path = program.path("a.sock");
    const config = await program.write(
      "config.yaml",
      `listeners:
  - unix: ${path}
    service: { exec: [/bin/sh, -c, "id -u; exec sleep 1000"], run_as: peer }
users: [{ name: bob, uid: 579, gid: 579, local_ipc_access: true }]
limits: { grace: 100ms }
`,
    );
    const argv = ["setpriv", `--bounding-set=-all,${capabilities}`, "ipcauth", "serve"];
    await using server = new RunningServer(program.command([...argv, "--config", config]).spawn());
    await server.event("listen");
    const client = program.command(["socat", "-u", `UNIX:${path}`, "-"], { uid: 579 }).spawn();
    await server.event("allow");
    assertEquals((await program.run(["users", "deny", "bob", "--config", config])).code, 0);
    // Ending a process of another user needs a capability, too.
    const { status } = await server.event("close");
    assertEquals(status, "SIGTERM");
    const { stdout } = await client.output();
    assertEquals(new TextDecoder().decode(stdout), "579\n");
    assertEquals(await server.stop(), 0);
  },
});
