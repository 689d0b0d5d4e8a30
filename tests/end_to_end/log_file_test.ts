/** A log in a file: a full disk, a FIFO, and a server with --drop-to. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { receiveAll } from "../support/connections.ts";
import { type AuditEvent, isRoot, Program, RunningServer } from "../support/program.ts";

const options = { ignore: !isRoot };

/** The complete lines of a file, as events; null for a line that is no event. */
async function linesOf(path: string): Promise<(AuditEvent | null)[]> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").slice(0, -1).map((line) => {
    try {
      return JSON.parse(line);
    } catch {
      return null;
    }
  });
}

/** Waits for an event in a file. */
async function eventIn(path: string, matches: (event: AuditEvent) => boolean): Promise<AuditEvent> {
  for (;;) {
    const found = (await linesOf(path)).find((event) => event !== null && matches(event));
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const isMissing = ({ event, message }: AuditEvent) =>
  event === "error" && / missing here, and went to standard error$/.test(`${message}`);

for (const isAppendOnly of [false, true]) {
  const kind = isAppendOnly ? " that may only grow (needs root)" : "";
  Deno.test(`a log file${kind} on a full disk has the number of missing lines later`, async () => {
    await using program = await Program.install();
    const [path, log] = [program.path("a.sock"), await program.write("audit.log", "")];
    const attribute = (change: string) =>
      program.execute(["sh", "-c", `chattr ${change} ${log}`]).then(({ code }) => code === 0);
    if (isAppendOnly && !await attribute("+a")) return console.log("skipped: no such files here");
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: { exec: [/bin/true] } }]\nlog: { file: ${log} }\n`,
    );
    // As on a full disk, the kernel writes what fits, and refuses the rest.
    const command = `trap "" XFSZ; exec ipcauth serve --config ${config}`;
    await using server = new RunningServer(program.command(["sh", "-c", command]).spawn());
    const limit = async (size: number | "unlimited") => {
      const set = ["prlimit", `--pid=${server.pid}`, `--fsize=${size}:`];
      assertEquals((await program.execute(set)).code, 0);
    };
    try {
      await eventIn(log, ({ event }) => event === "listen");
      await receiveAll(path);
      await eventIn(log, ({ event }) => event === "close");
      const before = await Deno.readTextFile(log);
      await limit(before.length + 100);
      await receiveAll(path);
      await server.event("close");
      assertStringIncludes(server.text, `Cannot write to the log file ${log}: the file would be`);
      const torn = (await Deno.readTextFile(log)).slice(before.length);
      assertEquals(torn.length, isAppendOnly ? 100 : 0);
      await limit("unlimited");
      await receiveAll(path);
      const { message } = await eventIn(log, isMissing);
      assertEquals(message, "2 lines of the log are missing here, and went to standard error");
      assertEquals(server.log.map(({ event }) => event), ["allow", "close"]);
      await eventIn(log, ({ event, session }) => event === "close" && session === 3);
      const lines = await linesOf(log);
      // It is reported once, and no line follows the incomplete one without a line end.
      assertEquals(lines.filter((event) => event !== null && isMissing(event)).length, 1);
      assertEquals(lines.filter((event) => event === null).length, isAppendOnly ? 1 : 0);
      assertEquals(await server.stop(), 0);
    } finally {
      if (isAppendOnly) await attribute("-a");
    }
  });
}

Deno.test("a log file that is a FIFO is refused without delay", async (test) => {
  await using program = await Program.install();
  const [path, fifo] = [program.path("a.sock"), program.path("fifo")];
  await program.execute(["mkfifo", fifo]);
  const write = (file: string) =>
    program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: { exec: [/bin/true] } }]\nlog: { file: ${file} }\n`,
    );
  const config = await write(fifo);
  const refused = async () => {
    const { code, stderr } = await program.run(["serve", "--config", config]);
    assertEquals(code, 71);
    assertMatch(
      stderr,
      RegExp(
        "^ipcauth: error: Cannot open the log file \\S+: " +
          "it is neither a regular file nor a character device\nhint: .*\n$",
      ),
    );
  };
  await test.step("without a reader", refused);
  await test.step("with a reader", async () => {
    using _reader = await Deno.open(fifo, { read: true, write: true });
    await refused();
  });
  await test.step("while the server runs", async () => {
    const log = program.path("audit.log");
    await write(log);
    await using server = new RunningServer(
      program.command(["ipcauth", "serve", "--config", config]).spawn(),
    );
    await eventIn(log, ({ event }) => event === "listen");
    await write(fifo);
    await eventIn(
      log,
      ({ event, message }) =>
        event === "error" && `${message}`.startsWith(`Cannot open the log file ${fifo}`),
    );
    await receiveAll(path);
    await eventIn(log, ({ event }) => event === "close");
    assertEquals(await server.stop(), 0);
  });
});

Deno.test(
  "with --drop-to the log file belongs to the user, and can be rotated (needs root)",
  options,
  async (test) => {
    await using program = await Program.install();
    const [path, directory] = [program.path("a.sock"), program.path("log")];
    const log = `${directory}/audit.log`;
    const [uid, gid] = await Promise.all(
      ["-u", "-g"].map(async (flag) =>
        Number((await program.execute(["id", flag, "daemon"])).stdout)
      ),
    ) as [number, number];
    await Deno.mkdir(directory);
    await Deno.chown(directory, uid, gid);
    const write = (file: string) =>
      program.write(
        "config.yaml",
        `listeners: [{ unix: ${path}, service: { exec: [/bin/true] } }]\nlog: { file: ${file} }\n`,
      );
    const config = await write(log);
    const args = ["serve", "--config", config, "--drop-to", "daemon"];
    await test.step("each new file belongs to the user", async () => {
      await using server = new RunningServer(program.command(["ipcauth", ...args]).spawn());
      const owner = async () => {
        const { uid, gid, mode } = await Deno.stat(log);
        return [uid, gid, mode! & 0o777];
      };
      await eventIn(log, ({ event }) => event === "listen");
      assertEquals(await owner(), [uid, gid, 0o640]);
      // Only the user that the server has become can open the next file.
      await receiveAll(path);
      await eventIn(log, ({ event }) => event === "close");
      await Deno.rename(log, `${log}.1`);
      server.child.kill("SIGHUP");
      await eventIn(log, ({ event }) => event === "reload");
      assertEquals(await owner(), [uid, gid, 0o640]);
      assertEquals(await server.stop(), 0);
      assertEquals(server.text, "");
    });
    const refused = async (file: string, hint: string) => {
      await write(file);
      const { code, stderr } = await program.run(args);
      assertEquals(code, 78);
      assertStringIncludes(
        stderr,
        `uid ${uid} cannot write to the log file ${file} (permission den`,
      );
      assertStringIncludes(stderr, `hint: ${hint}\n`);
    };
    await test.step("a file of another user is refused", async () => {
      const other = await program.write("root.log", "", 0o640);
      await refused(other, `chown ${uid}:${gid} ${other}`);
      assertEquals((await Deno.stat(other)).uid, 0);
      await program.execute(["sh", "-c", `chown ${uid}:${gid} ${other}`]);
      const child = program.command(["ipcauth", ...args]).spawn();
      await using _server = new RunningServer(child);
      await eventIn(other, ({ event }) => event === "listen");
    });
    await test.step("so is a file in a directory that the user may not enter", async () => {
      await Deno.mkdir(program.path("closed"), { mode: 0o700 });
      const other = program.path("closed", "audit.log");
      await refused(other, `namei -l ${other}`);
    });
  },
);
