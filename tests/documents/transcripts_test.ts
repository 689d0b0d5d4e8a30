/**
 * The commands of README.md and docs/tour.md, run as they stand there.
 * `tests/support/transcript.ts` says which blocks there are, and what their placeholders match.
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { parseConfig } from "../../lib/config/schema.ts";
import { PrivateMachine } from "../support/private_machine.ts";
import { isInstalled } from "../support/installed.ts";
import { isRoot, Program } from "../support/program.ts";
import { type Block, blocksOf, OutputPattern, type Step, stepsOf } from "../support/transcript.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const DOCUMENTS = ["README.md", "docs/tour.md"];

/**
 * The blocks that are not run here, by their first line. `tests/end_to_end/demo_test.ts` runs the
 * demo, and the task `test` runs this file.
 */
const NOT_RUN: readonly string[] = [
  "# npx --yes deno@2.9.6 task demo",
  "$ sha256sum --check --ignore-missing SHA256SUMS",
];

/** Blocks without commands, by their first line: the picture of README.md. */
const TEXT: readonly string[] = ["                         ipcauth serve"];

async function blocks(document: string): Promise<Block[]> {
  return blocksOf(await Deno.readTextFile(`${ROOT}${document}`));
}

function firstLine(block: Block): string {
  return block.text.slice(0, block.text.indexOf("\n"));
}

/** Runs the blocks of a document one after the other. */
class DocumentRun {
  readonly #machine: PrivateMachine;
  readonly #pattern = new OutputPattern(Deno.hostname());
  /** Where the document and the program differ. */
  readonly differences: string[] = [];

  constructor(machine: PrivateMachine) {
    this.#machine = machine;
  }

  async execute(block: Block): Promise<void> {
    const [kind, detail] = block.info.split(" ");
    if (kind === "yaml" && detail !== undefined) await this.#machine.write(detail, block.text);
    else if (kind === "log") await this.#expectNext(block, block.text, 0);
    else if (block.info === "console") {
      for (const step of stepsOf(block)) await this.#run(block, step);
    } else if (block.info === "console running") {
      const [step] = stepsOf(block);
      this.#machine.start(step!.user, step!.command);
      await this.#expectNext(block, step!.expected, -1);
    }
  }

  async #run(block: Block, { user, command, typed, expected }: Step): Promise<void> {
    const output = typed.length === 0
      ? await this.#machine.run(user, command)
      : await this.#machine.type(user, command, typed);
    if (this.#pattern.match(expected, output, true) === null) {
      this.#report(block, command, expected, output);
    }
  }

  /** @param which The running command, counted from the first one or (-1) from the last one. */
  async #expectNext(block: Block, expected: string, which: number): Promise<void> {
    const running = this.#machine.running.at(which)!;
    const came = await running.take((output) => {
      // Where nothing is shown, the first line says that the command has started.
      if (expected === "") return output.includes("\n") ? 0 : null;
      return this.#pattern.match(expected, output, false);
    });
    if (!came) this.#report(block, block.info, expected, running.unread);
  }

  #report({ line }: Block, command: string, expected: string, output: string): void {
    this.differences.push(
      `line ${line}: ${command}\n--- expected\n${expected}--- printed\n${output}`,
    );
  }
}

for (const document of DOCUMENTS) {
  Deno.test({
    name:
      `${document}: every command prints what stands there (needs root, nsenter, ip, python3 and curl)`,
    ignore: !isRoot || !["nsenter", "ip", "python3", "curl"].every(isInstalled),
    async fn() {
      await using program = await Program.install();
      await using machine = await PrivateMachine.start(program);
      const run = new DocumentRun(machine);
      for (const block of await blocks(document)) await run.execute(block);
      if (run.differences.length > 0) throw new Error(run.differences.join("\n"));
    },
  });

  Deno.test(`${document}: every YAML block is a configuration`, async () => {
    const hostFacts = { overflowUid: 65534 };
    for (const { info, text } of await blocks(document)) {
      if (info.startsWith("yaml")) parseConfig(text, document, hostFacts);
    }
  });
}

Deno.test("every block is run, except the known few", async () => {
  const all = (await Promise.all(DOCUMENTS.map(blocks))).flat();
  const found = (info: string) => all.filter((block) => block.info === info).map(firstLine);
  assertEquals(found("console not-run"), NOT_RUN);
  assertEquals(found("text"), TEXT);
  const kinds = /^(console( running| not-run)?|log|text|yaml( \/\S+)?)$/;
  assertEquals(all.filter(({ info }) => !kinds.test(info)), []);
});

Deno.test("a placeholder matches what it stands for, and nothing else", () => {
  const fits = (expected: string, output: string) =>
    new OutputPattern("vm").match(expected, output, true) !== null;
  assertEquals(fits("on HOST\n", "on vm\n"), true);
  assertEquals(fits("on HOST\n", "on other\n"), false);
  assertEquals(fits("TIME listen\n", "2026-11-26T11:47:26.150Z listen\n"), true);
  assertEquals(fits("TIME listen\n", "yesterday listen\n"), false);
  assertEquals(fits("pid=PID uid=1\n", "pid=77 uid=1\n"), true);
  assertEquals(fits("pid=PID uid=1\n", "pid=- uid=1\n"), false);
  assertEquals(fits("bytes=… ms\n", "bytes=12 ms\n"), true);
  assertEquals(fits("bytes=… ms\n", "bytes=12\n ms\n"), false);
  assertEquals(fits("a\n…\nd\n", "a\nb\nc\nd\n"), true);
  assertEquals(fits("a\n…\nd\n", "a\nb\nc\n"), false);
  assertEquals(fits("a  b\n", "a     b\n"), true);
  assertEquals(fits("a  b\n", "a b\n"), false);
  assertEquals(fits("a\n", "a\nb\n"), false);
});

Deno.test("a key id is the same one at each place of a document", () => {
  const pattern = new OutputPattern("vm");
  const [one, other] = ["0123456789abcdef", "fedcba9876543210"];
  assertEquals(pattern.match("key KEY-ID KEY-ID\n", `key ${one} ${other}\n`, true), null);
  assertEquals(pattern.match("key KEY-ID\n", `key ${one}\n`, true), 21);
  assertEquals(pattern.match("key KEY-ID\n", `key ${other}\n`, true), null);
});
