/** Edits whose system calls fail, or end the process, one after the other. */
import { assert, assertEquals } from "@std/assert";
import { Editor } from "../support/editor.ts";
import { Tracer } from "../support/fault.ts";
import { isInstalled } from "../support/installed.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const hasTracer = isInstalled("strace") && Deno.uid() === 0;
if (!hasTracer) console.log("strace or root is missing: no system call of an edit fails");

const TEXT = (access: boolean) =>
  `users:\n  - { name: bob, uid: 579, local_ipc_access: ${access} } # bob\n`;

/** What an edit does with files. The rest is the runtime's; read(2) is the editor's own, too. */
const CALLS =
  /^(openat?|write|fsync|rename(at)?|unlink(at)?|fchmod|fchown|flock|statx|readlink|fgetxattr|mkdir)$/;

/** The errors of a call, the likeliest first. */
function errorOf(call: string): string {
  return /^(write|fsync|rename)/.test(call) ? "ENOSPC" : call === "flock" ? "EINTR" : "EIO";
}

/** The calls of one edit, by name, in the order of their first. */
async function callsOfEdit(editor: Editor): Promise<Map<string, string[]>> {
  await using tracer = await Tracer.attach(editor.pid, null);
  assertEquals(await editor.edit("deny bob"), "done");
  const calls = new Map<string, string[]>();
  for (const line of await tracer.detach()) {
    const call = /^(\w+)\(/.exec(line)?.[1];
    if (call === undefined || !CALLS.test(call)) continue;
    calls.set(call, [...calls.get(call) ?? [], line]);
  }
  return calls;
}

async function ready(config: string): Promise<Editor> {
  const editor = new Editor(config);
  await editor.ready();
  assertEquals(await editor.edit("allow bob"), "done");
  return editor;
}

for (const end of [false, true]) {
  const what = end ? "is killed at" : "fails in";
  Deno.test({
    name: `an edit that ${what} one of its system calls leaves a whole file (needs root)`,
    ignore: !hasTracer,
  }, async () => {
    using directory = new TemporaryDirectory();
    const config = directory.write("config.yaml", TEXT(false));
    let editor = await ready(config);
    const calls = await callsOfEdit(editor);
    assert([...calls.keys()].includes("fsync"), [...calls.keys()].join());
    let struck = 0;
    for (const [call, lines] of calls) {
      for (const [index, line] of lines.entries()) {
        // The editor's own output.
        if (line.startsWith("write(1,")) continue;
        const error = end ? "SIGKILL" : errorOf(call);
        const where = `${call} number ${index + 1} with ${error}: ${line}`;
        assertEquals(await editor.edit("allow bob"), "done", where);
        const tracer = await Tracer.attach(editor.pid, { call, error, when: String(index + 1) });
        // The answer is a write, too.
        const answer = await editor.edit("deny bob");
        const traced = await tracer.detach();
        if (end && answer === null) struck++;
        if (traced.some((one) => one.includes("(INJECTED)"))) struck++;
        const text = directory.text("config.yaml");
        assert([TEXT(true), TEXT(false)].includes(text), `${where}: ${text}`);
        if (answer === "done") assertEquals(text, TEXT(false), where);
        else if (answer !== null && !answer.includes("is written")) {
          assertEquals(text, TEXT(true), `${where}: ${answer}`);
        }
        if (end) {
          await editor[Symbol.asyncDispose]();
          editor = await ready(config);
        }
        for (const verb of ["deny", "allow"]) {
          assertEquals(await editor.edit(`${verb} bob`), "done", where);
        }
        assertEquals(directory.names(), ["config.yaml"], where);
      }
    }
    await editor[Symbol.asyncDispose]();
    assert(struck > 15, `only ${struck} calls were struck`);
  });
}
