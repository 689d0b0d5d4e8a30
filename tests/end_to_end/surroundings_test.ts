/** What the program finds around it: umask, mounts, /proc, standard streams. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { receiveAll } from "../support/connections.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const needsRoot = { ignore: !isRoot };

Deno.test("a umask of 077 shuts users out of no directory that is made (needs root)", {
  ...needsRoot,
}, async () => {
  await using program = await Program.install();
  const shell = (line: string) => program.execute(["sh", "-c", `umask 077; ${line}`]);
  const config = program.path("etc", "ipcauth", "config.yaml");
  const added = await shell(
    `ipcauth users add bob --uid 579 --local-ipc-access --config ${config}`,
  );
  assertEquals([added.code, added.stderr], [0, ""]);
  const listed = await program.run(["users", "list", "--config", config], { uid: 579 });
  // The file is root's, so a client of another user may use it.
  assertEquals([listed.code, listed.stderr], [0, ""]);
  const key = program.path("etc", "keys", "bob.key");
  assertEquals((await shell(`ipcauth gen-key ${key}`)).code, 0);
  assertEquals(Deno.statSync(program.path("etc", "keys")).mode! & 0o7777, 0o755);
  assertEquals(Deno.statSync(key).mode! & 0o7777, 0o600);
  const socket = program.path("run", "ipc.sock");
  const line = `umask 077; exec ipcauth serve --config ${config} --unix=${socket}`;
  await using server = new RunningServer(program.command(["sh", "-c", line]).spawn());
  await server.event("listen");
  const who = await program.run(["connect", `--unix=${socket}`, "-c", "who"], { uid: 579 });
  assertEquals([who.code, who.stderr], [0, ""]);
  await server.stop();
});

Deno.test("a configuration and a key that are mounts of their own are not replaced (needs root)", {
  ...needsRoot,
}, async () => {
  await using program = await Program.install();
  const text = "users: [{ name: bob, uid: 579 }]\n";
  const config = await program.write("config.yaml", text);
  const key = program.path("bob.key");
  await program.run(["gen-key", key]);
  const secret = await Deno.readTextFile(key);
  for (
    const [file, command] of [
      [config, `ipcauth users allow bob --config ${config}`],
      [key, `ipcauth gen-key --force ${key}`],
    ] as const
  ) {
    const line = `mount --bind ${file} ${file} && exec ${command}`;
    const { code, stderr } = await program.execute(["unshare", "-m", "sh", "-c", line]);
    assertEquals(code, 71, stderr);
    assertStringIncludes(stderr, "it is a mount point of its own");
    assertStringIncludes(stderr, "hint: mount the directory of the file");
  }
  assertEquals(await Deno.readTextFile(config), text);
  assertEquals(await Deno.readTextFile(key), secret);
  assertEquals(
    [...Deno.readDirSync(program.directory)].filter(({ name }) =>
      name.includes(".new") || name.startsWith(".")
    ),
    [],
  );
});

Deno.test("/proc without sys, as with ProcSubset=pid, is enough (needs root)", {
  ...needsRoot,
}, async () => {
  await using program = await Program.install();
  await Deno.mkdir(program.path("d"));
  await Deno.chown(program.path("d"), 579, 579);
  const socket = program.path("d", "a.sock");
  const inside = ["unshare", "-m", "sh", "-c"];
  const mounted = "mount -t proc -o subset=pid proc /proc && test ! -e /proc/sys && exec ";
  const asBob = "setpriv --reuid=579 --regid=579 --clear-groups -- ";
  const serve = `${mounted}${asBob}ipcauth serve --unix=${socket}`;
  const child = program.command([...inside, serve]).spawn();
  await using server = new RunningServer(child);
  await server.event("listen");
  const connect = `${mounted}${asBob}ipcauth connect --unix=${socket} -c who`;
  const { code, stderr } = await program.execute([...inside, connect]);
  assertEquals([code, stderr], [0, ""]);
  const runAs = await program.execute([...inside, `${mounted}ipcauth run-as 579 -- id -u`]);
  assertEquals([runAs.code, runAs.stdout], [0, "579\n"]);
  await server.stop();
});

for (const stream of ["stderr", "stdout"] as const) {
  Deno.test(`log: file: /dev/${stream} writes the log to that stream`, async () => {
    await using program = await Program.install();
    const path = program.path("a.sock");
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: { exec: [/bin/echo, hi] } }]\n` +
        `log: { file: /dev/${stream} }\n`,
    );
    // The test reads standard error, and the other stream is thrown away.
    const line = stream === "stderr"
      ? `exec ipcauth serve --config ${config} 1>/dev/null`
      : `exec ipcauth serve --config ${config} 3>&2 1>&3 2>/dev/null`;
    await using server = new RunningServer(program.command(["sh", "-c", line]).spawn());
    await server.event("listen");
    assertEquals(await receiveAll(path), "hi\n");
    await server.event("close");
    await server.stop();
    assertEquals(server.text, "");
  });
}

Deno.test("closed standard streams are no reason to fail, or to print what the runtime says", async () => {
  await using program = await Program.install();
  const path = program.path("a.sock");
  const shell = (line: string) => program.execute(["sh", "-c", line]);
  for (const closed of ["0<&-", "2>&-", "0<&- 2>&-"]) {
    const { code, stdout, stderr } = await shell(`exec ipcauth --version ${closed}`);
    assertEquals([code, stdout.startsWith("ipcauth "), stderr], [0, true, ""]);
  }
  // What a file of the server opens as 0, 1 or 2 would get what is meant for a standard stream.
  const config = await program.write(
    "config.yaml",
    `listeners: [{ unix: ${path}, service: { exec: [/bin/echo, hi] } }]\n` +
      `log: { file: ${program.path("audit.log")} }\n`,
  );
  const child = program.command([
    "sh",
    "-c",
    `exec ipcauth serve --config ${config} 0<&- 1>&- 2>&-`,
  ])
    .spawn();
  await using server = new RunningServer(child);
  const waiting = `until [ -S ${path} ]; do sleep 0.02; done`;
  assertEquals((await shell(`timeout 20 sh -c '${waiting}'`)).code, 0);
  assertEquals(await receiveAll(path), "hi\n");
  assertEquals(await server.stop(), 0);
  const log = await Deno.readTextFile(program.path("audit.log"));
  for (const line of log.trimEnd().split("\n")) JSON.parse(line);
});
