/** File systems that fill, turn read-only and come back. Need root. */

/** A mounted file system; unmounted at the end of a `using` block. */
export class MountedDisk implements Disposable {
  readonly directory: string;
  /** The file that it lies in; null for one in memory. */
  readonly #image: string | null;

  private constructor(directory: string, image: string | null) {
    this.directory = directory;
    this.#image = image;
  }

  /** Whether this process may mount. Says so where it may not. */
  static areSupported(): boolean {
    if (Deno.uid() !== 0) return false;
    const parent = Deno.makeTempDirSync();
    try {
      using _disk = MountedDisk.inMemory(`${parent}/disk`, 64);
      return true;
    } catch (error) {
      console.log(`no file system is mounted: ${(error as Error).message.trim()}`);
      return false;
    } finally {
      Deno.removeSync(parent, { recursive: true });
    }
  }

  /** Mounts one in memory on a new directory (`tmpfs(5)`). */
  static inMemory(directory: string, kib: number): MountedDisk {
    Deno.mkdirSync(directory);
    run("mount", "-t", "tmpfs", "-o", `size=${kib}k,mode=755`, "tmpfs", directory);
    return new MountedDisk(directory, null);
  }

  /** Mounts one that turns read-only at an error of its device (`ext4(5)`, `errors=remount-ro`). */
  static withDevice(directory: string, mib: number): MountedDisk {
    Deno.mkdirSync(directory);
    const image = `${directory}.image`;
    Deno.writeFileSync(image, new Uint8Array(0));
    Deno.truncateSync(image, mib << 20);
    run("mke2fs", "-q", "-F", "-t", "ext4", image);
    const disk = new MountedDisk(directory, image);
    disk.#mount(image);
    return disk;
  }

  /** Mounts it again after {@linkcode break}, repaired (`e2fsck(8)`). */
  repair(): void {
    run("umount", this.directory);
    // Other mount namespaces may have the broken one still.
    const image = `${this.#image}.repaired`;
    Deno.copyFileSync(this.#image!, image);
    new Deno.Command("e2fsck", { args: ["-fy", image] }).outputSync();
    this.#mount(image);
  }

  #mount(image: string): void {
    run("mount", "-o", "loop,errors=remount-ro", image, this.directory);
  }

  /** Takes all that is free. @returns The file that does. */
  fill(): string {
    const path = `${this.directory}/filler`;
    const free = run("df", "--output=avail", "-B1", this.directory).split("\n")[1]!;
    // The last blocks may be less than is said to be free.
    for (let size = Number(free); size >= 0; size -= 1024) {
      try {
        Deno.writeFileSync(path, new Uint8Array(size));
        return path;
      } catch {
        // A little less, then.
      }
    }
    return path;
  }

  setReadOnly(isReadOnly: boolean): void {
    run("mount", "-o", isReadOnly ? "remount,ro" : "remount,rw", this.directory);
  }

  /** An error of its device, as far as the file system knows (`trigger_fs_error` of ext4). */
  break(): void {
    const device = run("findmnt", "-n", "-o", "SOURCE", this.directory).trim();
    run("sync", "-f", this.directory);
    const path = `/sys/fs/ext4/${device.replace("/dev/", "")}/trigger_fs_error`;
    run("sh", "-c", `echo broken > ${path}`);
  }

  [Symbol.dispose](): void {
    new Deno.Command("umount", { args: ["--lazy", this.directory], stderr: "null" }).outputSync();
  }
}

function run(command: string, ...args: string[]): string {
  const { success, stdout, stderr } = new Deno.Command(command, { args }).outputSync();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
  return new TextDecoder().decode(stdout);
}
