/**
 * `examples/authenticated-ipc/README.md`: the demo, and the tour in two terminals, as they stand
 * there. The first terminal is a pseudo-terminal at which `make interactive` runs; the commands of
 * the other one are run between the lines that are typed there.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, fromFileUrl } from "@std/path";
import { isInstalled } from "../support/installed.ts";
import { isRoot } from "../support/program.ts";
import { type Block, blocksOf, OutputPattern, stepsOf } from "../support/transcript.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const EXAMPLE = `${ROOT}examples/authenticated-ipc`;
const TERMINAL = `${ROOT}tests/support/terminal.py`;
const BLOCKS = blocksOf(await Deno.readTextFile(`${EXAMPLE}/README.md`));

/** Runs a command as in the other terminal: with the `export` lines that the first one shows. */
const OTHER_TERMINAL = `eval "$(tr -d '\\r' < "$SCREEN" | grep '^  export ')"; `;

const options = { ignore: !isRoot || !["make", "python3"].every(isInstalled) };

/**
 * Runs a program in the example's directory.
 *
 * @param temporary Its directory for temporary files.
 * @returns What it prints, without the sequences that move a terminal's cursor.
 */
async function run(argv: string[], temporary: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(argv[0]!, {
    args: argv.slice(1),
    cwd: EXAMPLE,
    env: {
      TMPDIR: temporary,
      SCREEN: `${temporary}/screen`,
      OTHER: `${temporary}/other`,
      NO_COLOR: "1",
      TERM: "dumb",
      PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`,
    },
  }).output();
  const decoder = new TextDecoder();
  assertEquals(code, 0, decoder.decode(stdout) + decoder.decode(stderr));
  // deno-lint-ignore no-control-regex -- the sequences that move a terminal's cursor
  return decoder.decode(stdout).replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, "");
}

/** A directory below /tmp, as the document says; the example leaves nothing in it. */
async function withTemporary(use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempDir({ dir: "/tmp" });
  try {
    await Deno.chmod(path, 0o755);
    await use(path);
    const left = [...Deno.readDirSync(path)].map(({ name }) => name);
    assertEquals(left.filter((name) => !["screen", "other"].includes(name)), []);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

function assertPrinted(block: Block, expected: string, printed: string): void {
  const fits = new OutputPattern(Deno.hostname()).match(expected, printed, true) !== null;
  assert(fits, `line ${block.line}\n--- expected\n${expected}--- printed\n${printed}`);
}

/** The command in the first line, and the other lines. */
function split({ text }: Block): { command: string[]; rest: string } {
  const end = text.indexOf("\n");
  return { command: text.slice("# ".length, end).split(" "), rest: text.slice(end + 1) };
}

const named = (what: string) => `README.md of the example: ${what} (needs root, make and python3)`;

Deno.test(named("the demo"), options, () =>
  withTemporary(async (temporary) => {
    const block = BLOCKS.find(({ info }) => info === "console demo")!;
    const { command, rest } = split(block);
    assertPrinted(block, rest, await run(command, temporary));
  }));

Deno.test(named("the tour in two terminals"), options, () =>
  withTemporary(async (temporary) => {
    const tour = BLOCKS.filter(({ info }) => /^console (tour|other-terminal)$/.test(info));
    const at = tour.filter(({ info }) => info === "console tour");
    const other = tour.filter(({ info }) => info === "console other-terminal");
    const { command, rest } = split(at[0]!);
    const argv = ["python3", TERMINAL, JSON.stringify(scriptOf(tour)), ...command];
    const shell = `"$@" | tee "$SCREEN"; exit "\${PIPESTATUS[0]}"`;
    const screen = await run(["bash", "-c", shell, "bash", ...argv], temporary);
    assertPrinted(at[0]!, rest + at.slice(1).map(({ text }) => text).join(""), screen);
    const expected = other.flatMap(stepsOf).map((step) => step.expected).join("");
    assertPrinted(other[0]!, expected, await Deno.readTextFile(`${temporary}/other`));
  }));

/** What is typed at the prompt and what is run in the other terminal, for `terminal.py`. */
function scriptOf(tour: readonly Block[]): [string, string][] {
  const script: [string, string][] = [];
  let isAtPrompt = false;
  const waitForPrompt = () => {
    if (!isAtPrompt) script.push(["expect", "root@ipcauth# "]);
    isAtPrompt = true;
  };
  for (const block of tour) {
    if (block.info === "console other-terminal") {
      // When the prompt is there again, the answer to the last line that was typed has come.
      waitForPrompt();
      for (const { command } of stepsOf(block)) {
        script.push(["run", `${OTHER_TERMINAL}(${command}) >> "$OTHER" 2>&1 || :`]);
      }
    } else {
      for (const [, line] of block.text.matchAll(/^root@ipcauth# (.*)$/gm)) {
        waitForPrompt();
        script.push(["send", `${line}\r`]);
        isAtPrompt = false;
      }
    }
  }
  return script;
}
