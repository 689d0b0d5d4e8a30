import { assert, assertEquals, assertThrows } from "@std/assert";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { fileStatus, FileType, linkStatus } from "../../lib/libc/file_status.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

function errorOf(action: () => unknown): number {
  return assertThrows(action, SystemError).errno;
}

Deno.test("linkStatus() is that of a link, fileStatus() that of its target", () => {
  using directory = new TemporaryDirectory();
  const file = directory.write("file", "");
  Deno.chmodSync(file, 0o640);
  Deno.symlinkSync("file", directory.at("link"));
  const status = fileStatus(directory.at("link"));
  assertEquals(status.mode, FileType.regular | 0o640);
  assertEquals([status.uid, status.gid], [Deno.uid(), Deno.statSync(file).gid]);
  assertEquals(status.identity, linkStatus(file)?.identity);
  assert(linkStatus(directory.at("link"))?.identity !== status.identity);
  assertEquals(fileStatus(directory.path).mode & FileType.mask, FileType.directory);
});

Deno.test("linkStatus() is null for a missing file, and throws for another error", () => {
  using directory = new TemporaryDirectory();
  const file = directory.write("file", "");
  assertEquals(linkStatus(directory.at("absent")), null);
  assertEquals(errorOf(() => linkStatus(`${file}/below`)), Errno.ENOTDIR);
  assertEquals(errorOf(() => fileStatus(directory.at("absent"))), Errno.ENOENT);
});
