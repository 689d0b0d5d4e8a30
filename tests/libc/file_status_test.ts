import { assert, assertEquals, assertThrows } from "@std/assert";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { fileStatus, FileType, linkStatus } from "../../lib/libc/file_status.ts";

/** A directory for one test. */
class TestDirectory {
  readonly directory = Deno.makeTempDirSync();

  path(name: string): string {
    return `${this.directory}/${name}`;
  }

  write(name: string, text: string): string {
    Deno.writeTextFileSync(this.path(name), text);
    return this.path(name);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

function errorOf(action: () => unknown): number {
  return assertThrows(action, SystemError).errno;
}

Deno.test("linkStatus() is that of a link, fileStatus() that of its target", () => {
  using directory = new TestDirectory();
  const file = directory.write("file", "");
  Deno.chmodSync(file, 0o640);
  Deno.symlinkSync("file", directory.path("link"));
  const status = fileStatus(directory.path("link"));
  assertEquals(status.mode, FileType.regular | 0o640);
  assertEquals([status.uid, status.gid], [Deno.uid(), Deno.statSync(file).gid]);
  assertEquals(status.identity, linkStatus(file)?.identity);
  assert(linkStatus(directory.path("link"))?.identity !== status.identity);
  assertEquals(fileStatus(directory.directory).mode & FileType.mask, FileType.directory);
});

Deno.test("linkStatus() is null for a missing file, and throws for another error", () => {
  using directory = new TestDirectory();
  const file = directory.write("file", "");
  assertEquals(linkStatus(directory.path("absent")), null);
  assertEquals(errorOf(() => linkStatus(`${file}/below`)), Errno.ENOTDIR);
  assertEquals(errorOf(() => fileStatus(directory.path("absent"))), Errno.ENOENT);
});
