/** Directories for one test, which are removed at the end of its `using` block. */
import { assertEquals } from "@std/assert";
import { Directory } from "../../lib/libc/directory.ts";
import { separateUmask } from "../../lib/libc/umask.ts";
import { copyForStartSync } from "../../tools/build/executable_file.ts";

// What makes files sets the mask of its thread, and tests run beside each other in one process: the
// files of another one would get other modes.
separateUmask();

/** A directory for one test. No part of its path is a link. */
export class TemporaryDirectory implements Disposable {
  readonly path = Deno.realPathSync(Deno.makeTempDirSync());

  /** The path of a name in it. */
  at(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Writes a file. @returns Its path. */
  write(name: string, text: string, mode = 0o644): string {
    Deno.writeTextFileSync(this.at(name), text);
    Deno.chmodSync(this.at(name), mode);
    if ((mode & 0o111) !== 0) copyForStartSync(this.at(name));
    return this.at(name);
  }

  /** The text of a file. */
  text(name: string): string {
    return Deno.readTextFileSync(this.at(name));
  }

  /** What it contains, sorted. */
  names(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name).sort();
  }

  /** The permission bits of a file, in octal. */
  mode(name: string): string {
    return (Deno.statSync(this.at(name)).mode! & 0o7777).toString(8);
  }

  /**
   * How many descriptors of this process lead to what is or was in it: a leak leaves one. Other
   * tests run in this process, too. Deno does not let it read its own `/proc/self/fd`.
   */
  descriptors(): number {
    const { stdout } = new Deno.Command("ls", { args: ["-l", `/proc/${Deno.pid}/fd`] })
      .outputSync();
    return new TextDecoder().decode(stdout).split(` -> ${this.path}`).length - 1;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** An open directory for one test, and a file outside of it that must never change. */
export class GuardedDirectory extends TemporaryDirectory {
  readonly directory = new Directory(this.path);
  readonly #outside = new TemporaryDirectory();
  /** The file outside, for links that lead to it. */
  readonly victim = this.#outside.write("victim", "victim", 0o600);

  victimIsUntouched(): void {
    const { mode, uid } = Deno.statSync(this.victim);
    assertEquals([mode! & 0o7777, uid], [0o600, Deno.uid()]);
    assertEquals(Deno.readTextFileSync(this.victim), "victim");
  }

  override [Symbol.dispose](): void {
    this.directory[Symbol.dispose]();
    this.#outside[Symbol.dispose]();
    super[Symbol.dispose]();
  }
}

/** Whether a path exists. A link that leads nowhere does. */
export function exists(path: string): Promise<boolean> {
  return Deno.lstat(path).then(() => true, () => false);
}
