import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Failure } from "../../lib/errors.ts";
import { lockFailure, LockFile } from "../../lib/files/lock_file.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { fileStatus, FileType, linkStatus } from "../../lib/libc/file_status.ts";
import { childLine, Holder, isRoot, output } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

function errorOf(action: () => unknown): number {
  return assertThrows(action, SystemError).errno;
}

Deno.test("LockFile is held by one process at a time", async () => {
  using place = new TemporaryDirectory();
  const path = place.at("lock");
  const own = LockFile.tryAcquire(path)!;
  assertEquals(fileStatus(path).mode, FileType.regular | 0o600);
  // The process that holds it does not get it twice.
  assertEquals(LockFile.tryAcquire(path), null);
  await using refused = new Holder("lock", path);
  assertEquals(await refused.line(), "taken");
  // The attempt that was refused has kept nothing.
  assertEquals(place.descriptors(), 1);
  own.release();
  assertEquals([linkStatus(path), place.descriptors()], [null, 0]);
  await using next = new Holder("lock", path);
  assertEquals(await next.line(), "held");
  assertEquals(LockFile.tryAcquire(path), null);
});

Deno.test("LockFile is free after a SIGKILL of the process that held it", async () => {
  using place = new TemporaryDirectory();
  const path = place.at("lock");
  const holder = new Holder("lock", path);
  assertEquals(await holder.line(), "held");
  await holder.end("SIGKILL");
  assert(linkStatus(path) !== null, "its file should have stayed");
  using lock = LockFile.tryAcquire(path);
  assert(lock !== null);
});

Deno.test("LockFile.release() leaves a file that was made after its own", () => {
  using place = new TemporaryDirectory();
  const path = place.at("lock");
  const first = LockFile.tryAcquire(path)!;
  Deno.removeSync(path);
  using second = LockFile.tryAcquire(path);
  assert(second !== null);
  first.release();
  assert(linkStatus(path) !== null);
  assertEquals(LockFile.tryAcquire(path), null);
});

Deno.test("LockFile.release() does nothing the second time", () => {
  using place = new TemporaryDirectory();
  const path = place.at("lock");
  const lock = LockFile.tryAcquire(path)!;
  Deno.linkSync(path, place.at("other"));
  lock.release();
  // The name of the file that it had locked, which another process may have locked by now.
  Deno.renameSync(place.at("other"), path);
  lock.release();
  assert(linkStatus(path) !== null);
});

Deno.test("LockFile.release() ends the lock where its path can no longer be looked at", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("a"));
  const lock = LockFile.tryAcquire(place.at("a/lock"))!;
  Deno.renameSync(place.at("a"), place.at("b"));
  place.write("a", "");
  lock.release();
  using again = LockFile.tryAcquire(place.at("b/lock"));
  assert(again !== null);
});

Deno.test("LockFile is never shared, though each holder removes the name", async () => {
  using place = new TemporaryDirectory();
  const path = place.at("lock");
  const contenders = Array.from({ length: 4 }, () => output(childLine("contend", path, "200")));
  assertEquals(await Promise.all(contenders), Array(4).fill("done\n"));
  assertEquals(linkStatus(path), null);
});

Deno.test("LockFile refuses a symbolic link, a directory and a missing directory", () => {
  using place = new TemporaryDirectory();
  Deno.symlinkSync(place.at("target"), place.at("link"));
  assertEquals(errorOf(() => LockFile.tryAcquire(place.at("link"))), Errno.ELOOP);
  assertEquals(linkStatus(place.at("target")), null);
  assertEquals(errorOf(() => LockFile.tryAcquire(place.path)), Errno.EISDIR);
  assertEquals(errorOf(() => LockFile.tryAcquire(place.at("no/lock"))), Errno.ENOENT);
});

Deno.test("LockFile refuses a file of a third user (needs root)", { ignore: !isRoot }, () => {
  using place = new TemporaryDirectory();
  const path = place.write("lock", "");
  for (const uid of [1, 2, 579]) {
    Deno.chownSync(path, uid, null);
    assertEquals(errorOf(() => LockFile.tryAcquire(path)), Errno.EPERM);
  }
  assertEquals(place.descriptors(), 0);
});

Deno.test("LockFile refuses a path with a NUL", () => {
  assertThrows(() => LockFile.tryAcquire("/tmp/x\0"), TypeError);
});

Deno.test({
  name: "a lock file of a third user is not used, and the failure names the user (needs root)",
  ignore: !isRoot,
  fn: () => {
    using place = new TemporaryDirectory();
    const path = place.write("lock", "");
    Deno.chownSync(path, 5, 5);
    const error = assertThrows(() => LockFile.tryAcquire(path), SystemError);
    assertEquals(partsOf(lockFailure(path, error)), [
      ...[`Cannot lock ${path}: it belongs to uid 5`, 77, `fuser -v ${path} || rm ${path}`],
    ]);
    assertThrows(() => LockFile.tryAcquire(path, 6), SystemError);
    for (const owner of [5, 0]) {
      Deno.chownSync(place.write("lock", ""), owner, 0);
      using lock = LockFile.tryAcquire(path, 5);
      assertEquals(lock === null, false);
    }
  },
});

Deno.test("the failure to take a lock is a refusal where a right is missing, and one of the system", () => {
  using place = new TemporaryDirectory();
  const path = place.write("lock", "");
  const absent = place.at("absent");
  const of = (errno: number) => new SystemError("open", errno);
  const ls = (one: string) => `ls -ld ${one} ${place.path}`;
  const rm = `fuser -v ${path} || rm ${path}`;
  assertEquals(
    [
      lockFailure(path, of(Errno.EACCES)),
      lockFailure(absent, of(Errno.EACCES)),
      lockFailure(path, of(Errno.EIO)),
    ].map(partsOf),
    [
      [`Cannot lock ${path}: permission denied`, 77, rm],
      [`Cannot lock ${absent}: permission denied`, 77, ls(absent)],
      [`Cannot lock ${path}: the device or file system failed`, 71, ls(path)],
    ],
  );
  const bug = new TypeError("a bug");
  assertEquals(lockFailure(path, bug), bug);
});

function partsOf(error: unknown): unknown[] {
  const { message, exit, hint } = error as Failure;
  return [message, exit, hint];
}
