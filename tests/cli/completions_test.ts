/** The completion scripts, run in their shells. */
import { assertEquals } from "@std/assert";
import { completionScript } from "../../lib/cli/completions.ts";

function has(shell: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${shell}`], stdout: "null" })
    .outputSync().success;
}

async function run(shell: string, ...args: string[]): Promise<string[]> {
  const { stdout, stderr } = await new Deno.Command(shell, { args }).output();
  assertEquals(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).split(/\s+/).filter((word) => word !== "");
}

/** The candidates of bash at the end of a line. @param words The line as bash splits it. */
function bash(...words: string[]): Promise<string[]> {
  const line = words.map((word) => `'${word}'`).join(" ");
  return run(
    "bash",
    "-c",
    `${completionScript("bash")}
     COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _ipcauth; echo "\${COMPREPLY[@]}"`,
  );
}

Deno.test("bash completes commands, flags and values, wherever the command stands", async () => {
  assertEquals(await bash("ipcauth", "use"), ["users"]);
  assertEquals(await bash("ipcauth", "--config", "/x", "use"), ["users"]);
  assertEquals(await bash("ipcauth", "--config", "=", "/x", "use"), ["users"]);
  assertEquals(await bash("ipcauth", "users", "al"), ["allow"]);
  assertEquals(await bash("ipcauth", "groups", "re"), ["remove"]);
  assertEquals(await bash("ipcauth", "keys", "ro"), ["rotate"]);
  assertEquals(await bash("ipcauth", "keys", "--no"), ["--not-after"]);
  assertEquals(await bash("ipcauth", "config", "ch"), ["check"]);
  assertEquals(await bash("ipcauth", "status", "--j"), ["--json"]);
  assertEquals(await bash("ipcauth", "serve", "--ch"), ["--check"]);
  assertEquals(await bash("ipcauth", "--color", "never", "gen-key", "--f"), ["--force"]);
  assertEquals(await bash("ipcauth", "connect", "--li"), ["--listen"]);
  assertEquals(await bash("ipcauth", "--color", ""), ["auto", "always", "never"]);
  assertEquals(await bash("ipcauth", "--color", "=", "n"), ["never"]);
  // bash itself completes file names.
  assertEquals(await bash("ipcauth", "connect", "--key", ""), []);
});

Deno.test("zsh loads the script", { ignore: !has("zsh") }, async () => {
  const script = `autoload -U compinit; compinit -u -D; ${completionScript("zsh")}
    echo $_comps[ipcauth]`;
  assertEquals(await run("zsh", "-fc", script), ["_ipcauth"]);
});

Deno.test("fish completes commands and their words", { ignore: !has("fish") }, async () => {
  const offers = (line: string) =>
    run("fish", "--no-config", "-c", `${completionScript("fish")}\ncomplete -C '${line}'`);
  assertEquals(await offers("ipcauth use"), ["users"]);
  assertEquals(await offers("ipcauth users al"), ["allow"]);
  assertEquals(await offers("ipcauth keys rev"), ["revoke"]);
  assertEquals(await offers("ipcauth connect --li"), ["--listen"]);
});
