import { assert, assertEquals, assertThrows } from "@std/assert";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { fileStatus, FileType, linkStatus, readProc, readProcBytes } from "../../lib/libc/files.ts";

/** A directory for one test. */
class Place {
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

Deno.test("a path with a NUL is no path", () => {
  assertThrows(() => fileStatus("/etc/passwd\0"), TypeError);
});

Deno.test("linkStatus() looks at the link, fileStatus() at what it points to", () => {
  using place = new Place();
  const file = place.write("file", "");
  Deno.chmodSync(file, 0o640);
  Deno.symlinkSync("file", place.path("link"));
  const status = fileStatus(place.path("link"));
  assertEquals(status.mode, FileType.regular | 0o640);
  assertEquals([status.uid, status.gid], [Deno.uid(), Deno.statSync(file).gid]);
  assertEquals(status.identity, linkStatus(file)?.identity);
  assert(linkStatus(place.path("link"))?.identity !== status.identity);
  assertEquals(fileStatus(place.directory).mode & FileType.mask, FileType.directory);
});

Deno.test("linkStatus() is null where nothing is, and throws where it cannot look", () => {
  using place = new Place();
  const file = place.write("file", "");
  assertEquals(linkStatus(place.path("absent")), null);
  assertEquals(errorOf(() => linkStatus(`${file}/below`)), Errno.ENOTDIR);
  assertEquals(errorOf(() => fileStatus(place.path("absent"))), Errno.ENOENT);
});

Deno.test("readProc() reads a file of /proc whole", () => {
  assertEquals(readProc("/proc/self/comm").endsWith("\n"), true);
  const maps = readProc("/proc/self/maps");
  assert(maps.length > 4096 && maps.endsWith("\n"));
  assert(readProcBytes("/proc/self/cmdline").at(-1) === 0);
  assertEquals(errorOf(() => readProc("/proc/self/absent")), Errno.ENOENT);
  assertEquals(errorOf(() => readProc("/proc/self")), Errno.EISDIR);
});
