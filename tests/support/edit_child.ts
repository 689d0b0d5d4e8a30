/**
 * Run by a test: edits a configuration file as a command does, again and again.
 *
 * For each line on standard input, `allow NAME` or `deny NAME`, it edits the file of its argument,
 * and prints `done`, or why not.
 */
import { setUserField } from "../../lib/config/edit.ts";
import { editConfigFile } from "../../lib/config/edit_file.ts";
import { loadHostFacts } from "../../lib/config/load.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";

const path = Deno.args[0]!;
const reserved = loadHostFacts(effectiveUid());
const decoder = new TextDecoder();
const buffer = new Uint8Array(256);

/** Edits once, so that what is loaded late is loaded. */
async function edit(line: string): Promise<string> {
  const [verb, name] = line.split(" ") as [string, string];
  try {
    await editConfigFile(
      path,
      reserved,
      (text) =>
        setUserField(text, name, "local_ipc_access", String(verb === "allow"), { path, reserved }),
    );
    return "done";
  } catch (error) {
    return (error as Error).message.replaceAll("\n", " ");
  }
}

console.log("ready");
for (;;) {
  const count = Deno.stdin.readSync(buffer);
  if (count === null) break;
  for (const line of decoder.decode(buffer.subarray(0, count)).trim().split("\n")) {
    console.log(await edit(line));
  }
}
