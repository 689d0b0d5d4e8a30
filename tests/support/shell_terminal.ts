/** An interactive shell at a terminal, with the completions of ipcauth. */
import { fromFileUrl, join } from "@std/path";
import { completionScript } from "../../lib/cli/completions.ts";
import { copyForStart } from "../../tools/build/executable_file.ts";

/** The shells that have completions. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

const TERMINAL = fromFileUrl(new URL("terminal.py", import.meta.url));

/** Prints its arguments, each in angle brackets. */
const ECHO = `#!/bin/sh
printf 'ran'
for word; do printf ' <%s>' "$word"; done
echo
`;

/** How each shell is started without the files of its user, and reads a script. */
const START: Readonly<Record<typeof SHELLS[number], (script: string) => [string[], string]>> = {
  bash: (script) => [["bash", "--noprofile", "--norc", "-i"], `PS1=; . ${script}`],
  zsh: (script) => [
    ["zsh", "-f", "-i"],
    `PS1=; autoload -U compinit; compinit -u -D; . ${script}`,
  ],
  fish: (script) => [["fish", "--no-config", "-i"], `function fish_prompt; end; source ${script}`],
};

/** A line to type, with its Tabs, and what the program is run with, or what is printed. */
export type TypedLine = readonly [typed: string, expected: string];

/**
 * Types lines into a shell in which `ipcauth` prints its arguments. A line without a newline is
 * run once what it shows has come.
 *
 * @param directory The working directory, which gets the files that are needed.
 * @returns What the terminal has shown.
 * @throws {Error} When what is expected does not come.
 */
export async function typeInto(
  shell: typeof SHELLS[number],
  directory: string,
  lines: readonly TypedLine[],
  env: Record<string, string> = {},
): Promise<string> {
  const script = join(directory, `completion.${shell}`);
  await Deno.writeTextFile(script, completionScript(shell));
  await Deno.writeTextFile(join(directory, "ipcauth"), ECHO, { mode: 0o755 });
  await copyForStart(join(directory, "ipcauth"));
  const [argv, first] = START[shell](script);
  const steps = [
    ["send", `${first}; echo rea""dy\r`],
    ["expect", "ready"],
    ...lines.flatMap(([typed, expected]) =>
      typed.endsWith("\r")
        ? [["send", typed], ["expect", expected]]
        : [["send", typed], ["expect", expected], ["send", "\r"], ["expect", "ran"]]
    ),
    ["send", "\rexit\r"],
  ];
  const { code, stdout, stderr } = await new Deno.Command("/usr/bin/python3", {
    args: [TERMINAL, JSON.stringify(steps), ...argv],
    clearEnv: true,
    env: {
      PATH: `${directory}:/usr/bin:/bin:/usr/sbin:/sbin`,
      HOME: directory,
      LANG: "C.UTF-8",
      TERM: "xterm",
      ...env,
    },
    cwd: directory,
  }).output();
  const shown = new TextDecoder().decode(stdout);
  if (code === 99) throw new Error(`${new TextDecoder().decode(stderr)}\n${shown}`);
  return shown;
}
