/** A log file is where the configuration says, whatever other users do to its path. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { openTrustedDirectory } from "../../lib/files/trusted_directory.ts";
import { descriptorStatus, fileStatus } from "../../lib/libc/file_status.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const options = { ignore: !isRoot };
const BOB = 579;

/** A server whose log file is `logs/audit.log`. */
class Fixture implements AsyncDisposable {
  readonly victim: string;

  private constructor(readonly program: Program, readonly config: string) {
    this.victim = program.path("victim");
  }

  static async open(): Promise<Fixture> {
    const program = await Program.install();
    await Deno.mkdir(program.path("logs"), { mode: 0o755 });
    await Deno.mkdir(program.path("bob"), { mode: 0o755 });
    await program.write("victim", "untouched\n", 0o600);
    const config = await program.write(
      "c.yaml",
      `listeners: [{ unix: ${program.path("ipc.sock")} }]\n` +
        `log: { file: ${program.path("logs/audit.log")}, format: json }\n`,
    );
    const fixture = new Fixture(program, config);
    await fixture.give("bob");
    return fixture;
  }

  /** Gives a file to bob; of a link, the link itself. */
  async give(name: string): Promise<void> {
    await this.program.execute(["chown", "-h", String(BOB), this.program.path(name)]);
  }

  /** Checks that no server starts. @param part Of the error. */
  async refuses(part: string): Promise<void> {
    const { code, stderr } = await this.program.run(["serve", "--config", this.config]);
    assertEquals(code, 78);
    assertStringIncludes(stderr, part);
    assertStringIncludes(stderr, "\nhint: ");
    assertEquals(await Deno.readTextFile(this.victim), "untouched\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.remove();
  }
}

Deno.test("log: file: no part of the path is another user's (needs root)", {
  ...options,
}, async (test) => {
  await using fixture = await Fixture.open();
  const { program } = fixture;
  const log = program.path("logs/audit.log");
  await test.step("a directory", async () => {
    await fixture.give("logs");
    await fixture.refuses(`The directory of the log file ${program.path("logs")} belongs to uid`);
    await Deno.chown(program.path("logs"), 0, 0);
    await Deno.chmod(program.path("logs"), 0o777);
    await fixture.refuses(`${program.path("logs")} is writable by others`);
    await Deno.chmod(program.path("logs"), 0o755);
  });
  await test.step("a link", async () => {
    await Deno.rename(program.path("logs"), program.path("real"));
    await Deno.symlink("real", program.path("logs"));
    await fixture.give("logs");
    await fixture.refuses(`${program.path("logs")} is a link of uid ${BOB}`);
    await Deno.remove(program.path("logs"));
    await Deno.rename(program.path("real"), program.path("logs"));
  });
  await test.step("the file", async () => {
    await Deno.writeTextFile(log, "");
    await fixture.give("logs/audit.log");
    await fixture.refuses(`The log file ${log} belongs to uid ${BOB}`);
    await Deno.remove(log);
    await Deno.link(fixture.victim, log);
    await fixture.refuses(`The log file ${log} has another name, too`);
    await Deno.remove(log);
  });
});

Deno.test("log: file: the path is checked again when the file is opened again (needs root)", {
  ...options,
}, async () => {
  await using fixture = await Fixture.open();
  const { program, config } = fixture;
  const [logs, old] = [program.path("logs"), program.path("old")];
  await using server = new RunningServer(
    program.command(["ipcauth", "serve", "--config", config]).spawn(),
  );
  while (!await isIn(`${logs}/audit.log`, '"listen"'));
  await Deno.rename(logs, old);
  await Deno.symlink("bob", logs);
  await fixture.give("logs");
  server.child.kill("SIGHUP");
  while (!await isIn(`${old}/audit.log`, `is a link of uid ${BOB}`));
  assertEquals([...Deno.readDirSync(program.path("bob"))], []);
});

async function isIn(path: string, part: string): Promise<boolean> {
  return await Deno.readTextFile(path).then((text) => text.includes(part), () => false);
}

Deno.test("a directory that is exchanged while it is opened is not used (needs root)", {
  ...options,
}, async () => {
  await using program = await Program.install();
  for (const name of ["a", "bob"]) await Deno.mkdir(program.path(name), { mode: 0o755 });
  await Deno.symlink("bob", program.path("b"));
  await program.execute(["chown", "-h", String(BOB), program.path("b")]);
  const { identity } = fileStatus(program.path("a"));
  // RENAME_EXCHANGE: the name stands for the directory or for the link, and never for nothing.
  const script = `
import ctypes, os, sys
libc = ctypes.CDLL(None)
one, other = os.fsencode(sys.argv[1]), os.fsencode(sys.argv[2])
print("ready", flush=True)
while True:
    libc.renameat2(-100, one, -100, other, 2)
`;
  const exchange = program.command([
    "python3",
    "-c",
    script,
    program.path("a"),
    program.path("b"),
  ]).spawn();
  try {
    await exchange.stdout.getReader().read();
    const outcomes = new Set<string>();
    for (let count = 0; count < 20_000 && outcomes.size < 2; count++) {
      try {
        using directory = openTrustedDirectory(program.path("a", "log"), 0, "The directory");
        outcomes.add("opened");
        assertEquals(descriptorStatus(directory).identity, identity);
      } catch (error) {
        assertStringIncludes((error as Error).message, `is a link of uid ${BOB}`);
        outcomes.add("refused");
      }
    }
    assertEquals([...outcomes].sort(), ["opened", "refused"]);
  } finally {
    exchange.kill("SIGKILL");
    await exchange.status;
    await exchange.stderr.cancel();
  }
});
