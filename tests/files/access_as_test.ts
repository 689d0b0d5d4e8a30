/** What a file is to another user, as the kernel says it. */
import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../lib/errors.ts";
import { tryAs } from "../../lib/files/access_as.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { openToRead } from "../../lib/libc/read_file.ts";
import { isRoot } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const BOB = { uid: 579, gid: 579, groups: [] };

/** The error number of an attempt to read a file, or 0. */
function readError(path: string): number {
  try {
    openToRead(path).close();
    return 0;
  } catch (error) {
    return (error as SystemError).errno;
  }
}

Deno.test({
  name: "tryAs() tries with the rights of the user, and of no other one (needs root)",
  ignore: !isRoot,
  fn() {
    using place = new TemporaryDirectory();
    Deno.chmodSync(place.path, 0o755);
    const path = place.write("file", "", 0o600);
    const asBob = (identity = BOB) => tryAs(identity, () => readError(path));
    assertEquals([asBob(), readError(path)], [Errno.EACCES, 0]);
    Deno.chownSync(path, 0, 580);
    Deno.chmodSync(path, 0o640);
    assertEquals([asBob(), asBob({ ...BOB, groups: [580] as never })], [Errno.EACCES, 0]);
    Deno.chownSync(path, 579, 0);
    assertEquals(asBob(), 0);
  },
});

Deno.test({
  name: "tryAs() of a process that may become no other user fails with 71 (needs root)",
  ignore: !isRoot,
  fn() {
    let error: unknown;
    let attempts = 0;
    const result = tryAs(BOB, () => {
      error = assertThrows(() => tryAs(BOB, () => ++attempts));
      return 7;
    });
    const { message, exit, cause } = error as Failure;
    assertEquals([result, attempts, error instanceof Failure, exit], [7, 0, true, 71]);
    assertEquals(message, "Cannot give root up: setresuid: operation not permitted");
    assertEquals(cause instanceof SystemError, true);
  },
});
