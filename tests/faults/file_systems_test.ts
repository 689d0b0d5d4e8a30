/** File systems below a server that fill, turn read-only, and come back. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort, writeKey } from "../support/keys.ts";
import { MountedDisk } from "../support/mounted_disk.ts";
import { type AuditEvent, Program, RunningServer } from "../support/program.ts";
import { RpcSession } from "../support/rpc.ts";
import { TestClient } from "../support/test_client.ts";

const options = { ignore: !MountedDisk.areSupported() };
const USERS = `users:
  - { name: alice, uid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, local_ipc_access: true }
limits: { grace: 0s }
`;

/** The events in a file, without the part of a line at its end. */
function eventsIn(path: string): AuditEvent[] {
  return Deno.readTextFileSync(path).split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

/** Which of the two are let in. */
async function admitted(socket: string): Promise<string[]> {
  const names: string[] = [];
  for (const [name, uid] of [["alice", 578], ["bob", 579]] as const) {
    using client = TestClient.unix(socket, uid);
    if (await client.line() !== null) names.push(name);
  }
  return names;
}

/** Starts a server whose log is a file, and waits until it has a session. */
async function serve(program: Program, config: string, socket: string): Promise<RunningServer> {
  const server = new RunningServer(
    program.command(["ipcauth", "serve", "--config", config]).spawn(),
  );
  for (let attempt = 1;; attempt++) {
    try {
      await admitted(socket);
      return server;
    } catch (error) {
      if (attempt === 500) throw new Error(server.text, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

Deno.test(
  "with a full disk no line of the log is lost without a count (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    using disk = MountedDisk.inMemory(program.path("log"), 64);
    const [socket, log] = [program.path("ipc.sock"), `${disk.directory}/audit.log`];
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${socket} }]\n${USERS}log: { file: ${log} }\n`,
    );
    await using server = await serve(program, config, socket);
    const filler = disk.fill();
    // What is left of the last block takes some lines.
    while (server.of("close").length === 0) assertEquals(await admitted(socket), ["bob"]);
    assertStringIncludes(server.text, "no space left on the device");
    for (let round = 0; round < 5; round++) assertEquals(await admitted(socket), ["bob"]);
    await Deno.remove(filler);
    assertEquals(await admitted(socket), ["bob"]);
    assertEquals(await server.stop(), 0);
    const written = eventsIn(log);
    const counts = written.flatMap(({ message }) =>
      /^(\d+) lines? of the log (?:is|are) missing here/.exec(String(message))?.slice(1).map(
        Number,
      ) ??
        []
    );
    // All that is not in the file is on standard error, and the file says how many. A short line
    // may fit in between.
    assertEquals(counts.reduce((sum, one) => sum + one), server.log.length);
    const all = [...written, ...server.log];
    const sessions = (kind: string) =>
      all.filter(({ event }) => event === kind).map(({ session }) => Number(session))
        .sort((one, other) => one - other);
    const ids = Array.from({ length: sessions("allow").length }, (_, index) => index + 1);
    assertEquals([sessions("allow"), sessions("close")], [ids, ids]);
    assert(all.filter(({ event }) => event === "deny").length >= ids.length);
  },
);

Deno.test(
  "a read-only configuration is in force, and is edited when it can be (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    using disk = MountedDisk.inMemory(program.path("etc"), 512);
    const [socket, config] = [program.path("ipc.sock"), `${disk.directory}/config.yaml`];
    await Deno.writeTextFile(config, `listeners: [{ unix: ${socket} }]\n${USERS}`);
    await using server = await program.serve(["--config", config]);
    const before = await Deno.readTextFile(config);
    using root = await RpcSession.unix(socket);
    const allowAlice = { name: "alice", field: "local_ipc_access", value: true };
    disk.setReadOnly(true);
    const { code, stderr } = await program.run(["users", "allow", "alice", "--config", config]);
    assertEquals(code, 71);
    assertMatch(stderr, /: the file system is read-only\nhint: findmnt -T \/\S+\n$/);
    const key = await program.run(["gen-key", `${disk.directory}/ipc.key`]);
    assertEquals(key.code, 71);
    assertMatch(key.stderr, /: the file system is read-only\nhint: findmnt -T \/\S+\n$/);
    const { error } = await root.call("users.set", allowAlice);
    assertStringIncludes(String(error?.message), "the file system is read-only");
    assertEquals([await admitted(socket), await Deno.readTextFile(config)], [["bob"], before]);
    disk.setReadOnly(false);
    assertEquals((await root.call("users.set", allowAlice)).error, undefined);
    assertEquals(await admitted(socket), ["alice", "bob"]);
    assertEquals([...Deno.readDirSync(disk.directory)].map(({ name }) => name), ["config.yaml"]);
    assertEquals((await server.events("change", 1)).length, 1);
  },
);

Deno.test(
  "a server goes on and ends on a broken disk, and starts again when it is repaired (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    using disk = MountedDisk.withDevice(program.path("disk"), 8);
    const at = (name: string) => `${disk.directory}/${name}`;
    const [socket, config, log] = [at("ipc.sock"), at("config.yaml"), at("audit.log")];
    const key = await writeKey(program, "disk/bob.key");
    await Deno.writeTextFile(
      config,
      `listeners:
  - { unix: ${socket} }
  - { unix: ${at("other.sock")} }
  - { tcp: "127.0.0.1:${freePort()}", keys: [{ file: ${key}, user: bob }] }
${USERS}log: { file: ${log} }
`,
    );
    {
      await using server = await serve(program, config, socket);
      disk.break();
      for (let round = 0; round < 3; round++) assertEquals(await admitted(socket), ["bob"]);
      await server.event("close");
      assertStringIncludes(server.text, `Cannot write to the log file ${log}: `);
      assertEquals(await server.stop(), 0);
      const { code, stderr } = await program.run(["serve", "--config", config]);
      assertEquals([code, stderr.includes("the file system is read-only")], [71, true], stderr);
    }
    disk.repair();
    // The sockets and locks are those of the server that could not remove them.
    await using server = await serve(program, config, socket);
    assertEquals(await admitted(socket), ["bob"]);
    assertEquals(await server.stop(), 0);
    assertEquals(server.text, "");
  },
);
