/** The log file is opened again at SIGHUP, and a full disk does not stop the server. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { receiveAll } from "../support/connections.ts";
import { Program, RunningServer } from "../support/program.ts";
import { exists } from "../support/temporary_directory.ts";

Deno.test("a log file is opened again at SIGHUP, and may be on a full disk", async (test) => {
  await using program = await Program.install();
  const [path, log] = [program.path("a.sock"), program.path("audit.log")];
  const write = (file: string) =>
    program.write(
      "config.yaml",
      `listeners: [{ unix: ${path}, service: { exec: [/bin/true] } }]\nlog: { file: ${file} }\n`,
    );
  const config = await write(log);
  const child = program.command(["ipcauth", "serve", "--config", config]).spawn();
  await using server = new RunningServer(child);
  const text = async (file: string) => await Deno.readTextFile(file).catch(() => "");
  const until = async (matches: () => Promise<boolean>) => {
    while (!await matches()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await test.step("it is created with mode 0640", async () => {
    await until(async () => (await text(log)).includes('"event":"listen"'));
    assertEquals((await Deno.stat(log)).mode! & 0o777, 0o640);
    await receiveAll(path);
    await until(async () => (await text(log)).includes('"event":"close"'));
  });
  await test.step("a renamed file is written to until SIGHUP", async () => {
    await Deno.rename(log, `${log}.1`);
    await receiveAll(path);
    await until(async () => (await text(`${log}.1`)).match(/"event":"close"/g)?.length === 2);
    server.child.kill("SIGHUP");
    await until(() => exists(log));
    await until(async () => (await text(log)).includes('"event":"reload"'));
    await receiveAll(path);
    await until(async () => (await text(log)).includes('"event":"close"'));
  });
  await test.step("a full disk is reported on standard error", async () => {
    await write("/dev/full");
    await receiveAll(path);
    await server.event("close");
    assertStringIncludes(server.text, "Cannot write to the log file /dev/full: no space left");
  });
  await test.step("a file that cannot be opened leaves the old one in use", async () => {
    await write(log);
    await receiveAll(path);
    await write(program.path("no", "such", "directory"));
    await until(async () => (await text(log)).includes("Cannot open the log file"));
  });
  await test.step("a file that cannot be opened is refused at the start", async () => {
    const { code, stderr } = await program.run(["serve", "--config", config]);
    assertEquals(code, 71);
    assertStringIncludes(stderr, "Cannot open the log file");
  });
  await server.stop();
});
