/** A process that edits a configuration file, as often as it is asked to. */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { Lines } from "./program.ts";

const CHILD = fromFileUrl(new URL("edit_child.ts", import.meta.url));

/** A process that edits a file. */
export class Editor implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: Lines;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;

  constructor(config: string) {
    const flags = ["--quiet", "--v8-flags=--enable-experimental-regexp-engine", "--allow-all"];
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", ...flags, CHILD, config],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#lines = new Lines(this.#child.stdout);
    this.#writer = this.#child.stdin.getWriter();
  }

  async ready(): Promise<void> {
    assertEquals(await this.#lines.next(), "ready");
  }

  ask(lines: readonly string[]): Promise<void> {
    return this.#writer.write(new TextEncoder().encode(lines.join("\n") + "\n"));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Makes one edit. @returns What it came to. */
  async edit(line: string): Promise<string | null> {
    await this.ask([line]);
    return await this.#lines.next();
  }

  /** Kills it. @returns How many answers it had given. */
  async kill(): Promise<number> {
    this.#child.kill("SIGKILL");
    let answers = 0;
    while (await this.#lines.next() !== null) answers++;
    await this.#child.status;
    await this.#writer.abort().catch(() => {});
    return answers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.kill();
    } catch {
      // It has ended.
    }
  }
}
