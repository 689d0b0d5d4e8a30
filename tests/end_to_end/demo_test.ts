/** The demo, as a stranger would run it. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { isRoot } from "../support/program.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

function task(name: string, temporary: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", name],
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
  name: "the demo works, twice in a row and two at once, and leaves nothing behind (needs root)",
  ignore: !isRoot,
  async fn() {
    using place = await temporaryDirectory();
    const temporary = place.path;
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

Deno.test({
  name:
    "after a demo was killed another one works, and clean ends and removes what was left (needs root)",
  ignore: !isRoot,
  async fn() {
    using place = await temporaryDirectory();
    const temporary = place.path;
    const killed = task("demo", temporary);
    const reader = killed.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("listen listener=")) text += (await reader.read()).value ?? "";
    // The task is a shell around the demo: both are killed without a chance to clean up.
    const children = new Deno.Command("pkill", {
      args: ["-KILL", "-f", "authenticated-ipc/demo.ts"],
    });
    await children.output();
    await killed.status;
    await reader.cancel();
    await killed.stderr.cancel();
    assertEquals([...Deno.readDirSync(temporary)].length, 1);
    assertEquals((await outcome(task("demo", temporary)))[0], 0);
    const [code, cleaned] = await outcome(task("stop", temporary));
    assertEquals(code, 0);
    assertStringIncludes(cleaned, "stopped the server");
    assertEquals((await outcome(task("clean", temporary)))[0], 0);
    assertEquals([...Deno.readDirSync(temporary)], []);
  },
});

Deno.test("the demo over TCP works, and leaves nothing behind", async () => {
  using place = await temporaryDirectory();
  const temporary = place.path;
  const [code, text] = await outcome(task("demo-tcp", temporary));
  assertEquals(code, 0, text);
  assertStringIncludes(text, "Failed to connect to server: ");
  assertStringIncludes(text, "bob connected from 127.0.0.1 using console on ");
  assertEquals([...Deno.readDirSync(temporary)], []);
});
