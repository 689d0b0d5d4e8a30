/** An exec service: a program that others could change is not started. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { isRoot, Program, type RunningServer } from "../support/program.ts";

const options = { ignore: !isRoot };
const [BOB, CAROL] = [579, 580];

/** A server with a program in `bin/`, which others may or may not change. */
class Fixture implements AsyncDisposable {
  #sessions = 0;
  #refused = 0;

  private constructor(readonly program: Program, readonly server: RunningServer) {}

  /** @param path Of the program, below the directory. @param runAs As in the configuration. */
  static async open(path = "bin/report", runAs = "server"): Promise<Fixture> {
    const program = await Program.install();
    await Deno.mkdir(program.path("bin"), { mode: 0o755 });
    await program.write("bin/report", "#!/bin/sh\necho report\n", 0o755);
    if (path !== "bin/report") await Deno.symlink("bin/report", program.path(path));
    const service = `{ exec: [${program.path(path)}], run_as: ${runAs} }`;
    const config = await program.write(
      "c.yaml",
      `listeners: [{ unix: ${program.path("ipc.sock")}, service: ${service} }]\n` +
        `users: [{ name: bob, uid: ${BOB}, gid: ${BOB} }]\n`,
    );
    return new Fixture(program, await program.serve(["--config", config]));
  }

  path(name: string): string {
    return this.program.path(name);
  }

  /** Gives a file to a user; of a link, the link itself. */
  async give(name: string, uid: number): Promise<void> {
    await this.program.execute(["chown", "-h", String(uid), this.path(name)]);
  }

  async read(): Promise<string> {
    this.#sessions++;
    const argv = ["socat", "-t5", "-u", `UNIX:${this.path("ipc.sock")}`, "-"];
    return (await this.program.execute(argv)).stdout;
  }

  /** Checks that the program is not started. @param part Of the sentence that says why. */
  async refuses(part: string): Promise<void> {
    assertEquals(await this.read(), "");
    this.#refused++;
    const { message } = (await this.server.events("error", this.#refused))[this.#refused - 1]!;
    assertStringIncludes(String(message), part);
    const { reason } = (await this.server.events("close", this.#sessions))[this.#sessions - 1]!;
    assertEquals(reason, "exec-failed");
  }

  async accepts(): Promise<void> {
    assertEquals(await this.read(), "report\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

Deno.test("exec: a program is checked whenever it is started (needs root)", options, async () => {
  await using fixture = await Fixture.open();
  await fixture.accepts();
  await Deno.chmod(fixture.path("bin/report"), 0o775);
  await fixture.refuses("is writable by others (mode 0775)");
  await Deno.chmod(fixture.path("bin/report"), 0o755);
  await fixture.accepts();
  await fixture.give("bin/report", BOB);
  await fixture.refuses(`belongs to uid ${BOB}`);
  await fixture.give("bin/report", 0);
  await Deno.chmod(fixture.path("bin"), 0o777);
  await fixture.refuses("could be replaced by another user");
  await Deno.chmod(fixture.path("bin"), 0o755);
  await fixture.give("bin", BOB);
  await fixture.refuses(`belongs to uid ${BOB}`);
  await fixture.give("bin", 0);
  await fixture.accepts();
});

Deno.test("exec: a link of another user is not followed (needs root)", options, async () => {
  await using fixture = await Fixture.open("link");
  await fixture.accepts();
  await fixture.give("link", BOB);
  await fixture.refuses(`is a link of uid ${BOB}`);
});

Deno.test("exec: the interpreter of a script is checked, too (needs root)", options, async () => {
  await using fixture = await Fixture.open();
  await fixture.program.execute(["cp", "/bin/cat", fixture.path("bin/interpreter")]);
  await Deno.chmod(fixture.path("bin/interpreter"), 0o755);
  const script = `#!${fixture.path("bin/interpreter")}\nreport\n`;
  await fixture.program.write("bin/report", script, 0o755);
  assertEquals(await fixture.read(), script);
  await Deno.chmod(fixture.path("bin/interpreter"), 0o757);
  await fixture.refuses("The interpreter of ");
});

Deno.test(
  "exec: the user that run_as names may own the program (needs root)",
  options,
  async () => {
    await using fixture = await Fixture.open("bin/report", "bob");
    await fixture.accepts();
    await fixture.give("bin", BOB);
    await fixture.give("bin/report", BOB);
    await fixture.accepts();
    await fixture.give("bin/report", CAROL);
    await fixture.refuses(`belongs to uid ${CAROL}`);
  },
);

Deno.test("exec: a program that others may change is refused at start (needs root)", {
  ...options,
}, async () => {
  await using program = await Program.install();
  const path = await program.write("report", "#!/bin/sh\n", 0o777);
  const { code, stderr } = await program.run([
    "serve",
    `--unix=${program.path("ipc.sock")}`,
    "--exec",
    "--",
    path,
  ]);
  assertEquals(code, 78);
  assertStringIncludes(stderr, `The program ${path} is writable by others (mode 0777)`);
  assertStringIncludes(stderr, `hint: chmod go-w ${path}`);
});
