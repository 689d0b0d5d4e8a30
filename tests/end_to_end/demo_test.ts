/** The tasks of the demo, as a user runs them. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { isInstalled } from "../support/installed.ts";
import { isRoot } from "../support/program.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** When Ctrl-C is typed: the flags of the demo, and what it has printed then. */
const INTERRUPTIONS = [
  ["while the server starts", ["--interactive"], "serve --unix &"],
  ["during a step", [], "run-as 578"],
] as const;

/** Starts a task of `deno.json`. @param temporary Its directory for temporary files. */
function task(name: string, temporary: string): Deno.ChildProcess {
  return deno(["task", "--quiet", name], temporary);
}

/**
 * Starts the part of the task `clean` that removes the files of demos. The other part removes
 * `dist/`, which a test must not.
 */
function clean(temporary: string): Deno.ChildProcess {
  const [command, rest] = manifest.tasks.clean.command.split(" && ");
  assertEquals(rest, "rm -rf dist");
  return deno(command!.split(" ").slice(1), temporary);
}

function deno(args: readonly string[], temporary: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { TMPDIR: temporary, NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function outcome(child: Deno.ChildProcess): Promise<[number, string]> {
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return [code, decoder.decode(stdout) + decoder.decode(stderr)];
}

async function temporaryDirectory() {
  const path = await Deno.makeTempDir();
  await Deno.chmod(path, 0o755);
  return {
    path,
    [Symbol.dispose]() {
      Deno.removeSync(path, { recursive: true });
    },
  };
}

Deno.test({
  name: "the demo works twice in a row and two at a time, and leaves no file (needs root)",
  ignore: !isRoot,
  async fn() {
    using directory = await temporaryDirectory();
    const temporary = directory.path;
    for (const count of [1, 2]) {
      const all = await Promise.all(
        Array.from({ length: count }, () => outcome(task("demo", temporary))),
      );
      for (const [code, text] of all) {
        assertEquals(code, 0, text);
        assertStringIncludes(
          text,
          "$ ipcauth run-as 578 -- ipcauth connect\nFailed to connect to server: ",
        );
        assertStringIncludes(text, "bob connected from 127.0.0.1 using console on ");
      }
    }
    assertEquals([...Deno.readDirSync(temporary)], []);
  },
});

for (const [when, flags, text] of INTERRUPTIONS) {
  Deno.test({
    name: `Ctrl-C ${when} ends a demo, and leaves no server and no file (needs root and python3)`,
    ignore: !isRoot || !isInstalled("python3") || !isInstalled("pgrep"),
    async fn() {
      using directory = await temporaryDirectory();
      const temporary = directory.path;
      const script = JSON.stringify([["expect", text], ["send", "\x03"]]);
      const demo = [Deno.execPath(), "task", "--quiet", "demo", ...flags];
      const [code, output] = await outcome(
        new Deno.Command("python3", {
          args: [`${ROOT}tests/support/terminal.py`, script, ...demo],
          cwd: ROOT,
          env: { TMPDIR: temporary, NO_COLOR: "1" },
          stdout: "piped",
          stderr: "piped",
        }).spawn(),
      );
      assertEquals(code, 130, output);
      assertEquals(output.includes("failed"), false, output);
      assertEquals([...Deno.readDirSync(temporary)], []);
      const servers = await new Deno.Command("pgrep", { args: ["-f", temporary] }).output();
      assertEquals(new TextDecoder().decode(servers.stdout), "");
    },
  });
}

Deno.test({
  name: "after a demo was killed, stop ends its server and clean removes its files (needs root)",
  ignore: !isRoot,
  async fn() {
    using directory = await temporaryDirectory();
    const temporary = directory.path;
    const killed = task("demo", temporary);
    const reader = killed.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("listen listener=")) text += (await reader.read()).value ?? "";
    // The task runs the demo as its child, which is killed without a chance to clean up.
    await new Deno.Command("pkill", { args: ["-KILL", "-P", String(killed.pid)] }).output();
    await killed.status;
    await reader.cancel();
    await killed.stderr.cancel();
    assertEquals([...Deno.readDirSync(temporary)].length, 1);
    assertEquals((await outcome(task("demo", temporary)))[0], 0);
    const [code, cleaned] = await outcome(task("stop", temporary));
    assertEquals(code, 0);
    assertStringIncludes(cleaned, "stopped the server");
    assertEquals((await outcome(clean(temporary)))[0], 0);
    assertEquals([...Deno.readDirSync(temporary)], []);
  },
});

Deno.test("the demo over TCP works, and leaves no file", async () => {
  using directory = await temporaryDirectory();
  const temporary = directory.path;
  const [code, text] = await outcome(task("demo-tcp", temporary));
  assertEquals(code, 0, text);
  assertStringIncludes(text, "Failed to connect to server: ");
  assertStringIncludes(text, "bob connected from 127.0.0.1 using console on ");
  assertEquals([...Deno.readDirSync(temporary)], []);
});
