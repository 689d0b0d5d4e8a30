/** A file system whose time stamps are whole seconds: ext4 with inodes of 128 bytes. Needs root. */
import { isRoot } from "./processes.ts";

/** A mounted file system in a file; unmounted at the end of a `using` block. */
export class CoarseDisk {
  readonly directory: string;
  readonly #parent: string;

  private constructor(parent: string) {
    this.#parent = parent;
    this.directory = `${parent}/disk`;
  }

  /**
   * Makes one.
   *
   * @param bytes Its size.
   * @returns Null, with a word on the console, where this machine cannot.
   */
  static mount(bytes = 4 << 20): CoarseDisk | null {
    if (!isRoot) return skipped("only root may mount");
    const parent = Deno.makeTempDirSync({ prefix: "ipcauth-test-" });
    Deno.chmodSync(parent, 0o755);
    const disk = new CoarseDisk(parent);
    Deno.mkdirSync(disk.directory);
    const image = `${parent}/image`;
    Deno.writeFileSync(image, new Uint8Array(0));
    Deno.truncateSync(image, bytes);
    const problem = run("mke2fs", "-q", "-F", "-t", "ext4", "-I", "128", image) ??
      run("mount", "-o", "loop", image, disk.directory);
    if (problem === null) return disk;
    Deno.removeSync(parent, { recursive: true });
    return skipped(problem);
  }

  [Symbol.dispose](): void {
    run("umount", "--lazy", this.directory);
    Deno.removeSync(this.#parent, { recursive: true });
  }
}

function run(command: string, ...args: string[]): string | null {
  try {
    const { success, stderr } = new Deno.Command(command, { args, stdout: "null" }).outputSync();
    return success ? null : new TextDecoder().decode(stderr).trim();
  } catch (error) {
    return `${command}: ${error instanceof Error ? error.message : error}`;
  }
}

function skipped(why: string): null {
  console.log(`left out: a file system with coarse time stamps: ${why}`);
  return null;
}
