/**
 * Runs the commands of a document on a private machine, and compares what they print with what
 * stands there. `transcript.ts` says which blocks there are.
 */
import { assertEquals } from "@std/assert";
import { dirname, fromFileUrl } from "@std/path";
import { parseConfig } from "../../lib/config/schema.ts";
import { isInstalled } from "./installed.ts";
import { PrivateMachine } from "./private_machine.ts";
import { isRoot, Program } from "./program.ts";
import { type Block, blocksOf, OutputPattern, type Step, stepsOf } from "./transcript.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** What every document needs. */
const NEEDS = ["nsenter", "ip", "python3"];

/** The kinds of blocks; those with a path are files. */
const KIND = /^(console( running| not-run)?|log|text|yaml|[a-z]+ \/\S+)$/;

/** What a document has besides blocks that are run. */
export interface DocumentOptions {
  /** The programs that its commands need, by name, and other files by path. */
  readonly needs?: readonly string[];
  /** Whether root's commands run in the directory of the document, and not in `/`. */
  readonly inDirectory?: boolean;
  /** The first lines of the blocks that are not run here. */
  readonly notRun?: readonly string[];
  /** The first lines of the blocks without commands. */
  readonly text?: readonly string[];
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
    if (detail?.startsWith("/")) await this.#machine.write(detail, block.text);
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

/** The blocks of a document. @param document Its path in the source. */
export async function documentBlocks(document: string): Promise<Block[]> {
  return blocksOf(await Deno.readTextFile(`${ROOT}${document}`));
}

/** Defines the tests of a document: it is run, it can be run, its configurations are valid. */
export function testDocument(document: string, options: DocumentOptions = {}): void {
  const needs = [...NEEDS, ...options.needs ?? []];
  const list = `${["root", ...needs.slice(0, -1)].join(", ")} and ${needs.at(-1)}`;
  Deno.test({
    name: `${document}: every command prints what stands there (needs ${list})`,
    ignore: !isRoot ||
      !needs.every((need) => need.startsWith("/") ? exists(need) : isInstalled(need)),
    async fn() {
      await using program = await Program.install();
      const directory = options.inDirectory ? dirname(`${ROOT}${document}`) : "/";
      await using machine = await PrivateMachine.start(program, directory);
      const run = new DocumentRun(machine);
      for (const block of await documentBlocks(document)) await run.execute(block);
      if (run.differences.length > 0) throw new Error(run.differences.join("\n"));
    },
  });

  Deno.test(`${document}: every YAML block is a configuration`, async () => {
    const hostFacts = { overflowUid: 65534 };
    for (const { info, text } of await documentBlocks(document)) {
      if (info.startsWith("yaml")) parseConfig(text, document, hostFacts);
    }
  });

  Deno.test(`${document}: every block is run, except the known few`, async () => {
    const all = await documentBlocks(document);
    const found = (info: string) => all.filter((block) => block.info === info).map(firstLine);
    assertEquals(found("console not-run"), options.notRun ?? []);
    assertEquals(found("text"), options.text ?? []);
    assertEquals(all.filter(({ info }) => !KIND.test(info)), []);
  });
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function firstLine({ text }: Block): string {
  return text.slice(0, text.indexOf("\n"));
}
