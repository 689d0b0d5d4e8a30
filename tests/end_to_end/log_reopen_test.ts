/** The log file is opened again at SIGHUP, and a full disk does not stop the server. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { drain } from "../support/keys.ts";
import { Program, RunningServer } from "../support/program.ts";

async function hear(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  return new TextDecoder().decode((await drain(connection)).bytes);
}

function exists(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}

Deno.test("the log goes to a file, is opened again at SIGHUP, and survives a full disk", async (test) => {
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
  const until = async (fits: () => Promise<boolean>) => {
    while (!await fits()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await test.step("it is made for its owner and group", async () => {
    await until(async () => (await text(log)).includes('"event":"listen"'));
    assertEquals((await Deno.stat(log)).mode! & 0o777, 0o640);
    await hear(path);
    await until(async () => (await text(log)).includes('"event":"close"'));
  });
  await test.step("moved away, it is written to until it is opened again", async () => {
    await Deno.rename(log, `${log}.1`);
    await hear(path);
    await until(async () => (await text(`${log}.1`)).match(/"event":"close"/g)?.length === 2);
    server.child.kill("SIGHUP");
    await until(() => exists(log));
    await until(async () => (await text(log)).includes('"event":"reload"'));
    await hear(path);
    await until(async () => (await text(log)).includes('"event":"close"'));
  });
  await test.step("what does not fit on a disk goes to standard error", async () => {
    await write("/dev/full");
    await hear(path);
    await server.event("close");
    assertStringIncludes(server.text, "Cannot write to the log file /dev/full: no space left");
  });
  await test.step("one that cannot be opened leaves the old one in use", async () => {
    await write(log);
    await hear(path);
    await write(program.path("no", "such", "directory"));
    await until(async () => (await text(log)).includes("Cannot open the log file"));
  });
  await test.step("at the start it is refused", async () => {
    const { code, stderr } = await program.run(["serve", "--config", config]);
    assertEquals(code, 71);
    assertStringIncludes(stderr, "Cannot open the log file");
  });
  await server.stop();
});
