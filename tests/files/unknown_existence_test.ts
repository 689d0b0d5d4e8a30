/** What cannot be looked at is not taken for absent: a decision about it is refused. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { dirname } from "@std/path";
import { BUILT_IN } from "../../lib/config/load.ts";
import { requireReadable } from "../../lib/dataplane/drop_privileges.ts";
import { neededPaths } from "../../lib/dataplane/sandbox_needs.ts";
import { Failure } from "../../lib/errors.ts";
import { generateKey } from "../../lib/keys/key_format.ts";
import { storeKey } from "../../lib/keys/key_writer.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";
import { findStatus } from "../../lib/libc/file_status.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { FailingCall } from "../support/failing_call.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** `statx(2)` of one path fails. */
function unknown(path: string, errno: number): FailingCall {
  return new FailingCall("statx", errno, (one) => one === path);
}

Deno.test("findStatus() is null where nothing can have the name, and throws else", () => {
  using place = new TemporaryDirectory();
  const file = place.write("file", "");
  assertEquals(findStatus(file)?.size, 0);
  for (const path of [place.at("absent"), `${file}/below`]) assertEquals(findStatus(path), null);
  Deno.symlinkSync("loop", place.at("loop"));
  const { errno } = assertThrows(() => findStatus(place.at("loop")), SystemError);
  assertEquals(errno, Errno.ELOOP);
});

Deno.test("a sandbox does not leave out what cannot be looked at", () => {
  using place = new TemporaryDirectory();
  const path = place.write("config.yaml", "users: []\n");
  const needs = () =>
    neededPaths(BUILT_IN, [], { places: { paths: [path], explicit: true }, inherited: [] });
  assertEquals(needs()[0]?.path, place.path);
  for (const errno of [Errno.EACCES, Errno.EIO, Errno.ENOMEM]) {
    using _unknown = unknown(dirname(path), errno);
    assertEquals(assertThrows(needs, SystemError).errno, errno);
  }
  for (const errno of [Errno.ENOENT, Errno.ENOTDIR]) {
    using _absent = unknown(dirname(path), errno);
    assertEquals(needs(), []);
  }
});

Deno.test({
  name: "root is not given up where a file cannot be looked at (needs root)",
  ignore: Deno.uid() !== 0,
  fn() {
    using place = new TemporaryDirectory();
    const path = place.write("config.yaml", "users: []\n");
    Deno.chmodSync(place.path, 0o755);
    Deno.chmodSync(path, 0o644);
    const identity = { uid: 579, gid: 579, groups: [] };
    requireReadable(identity, [path]);
    using _unknown = unknown(path, Errno.EIO);
    const { message } = assertThrows(() => requireReadable(identity, [path]), Failure);
    assertStringIncludes(message, `uid 579 cannot read ${path} (the device`);
  },
});

Deno.test("a link that cannot be followed is not called one to a missing file", () => {
  using place = new TemporaryDirectory();
  const store = (path: string) =>
    storeKey(path, generateKey(), { force: true, ownUid: effectiveUid() });
  Deno.symlinkSync("absent", place.at("dead.key"));
  Deno.symlinkSync("loop.key", place.at("loop.key"));
  const dead = assertThrows(() => store(place.at("dead.key")), Failure);
  assertStringIncludes(dead.message, "is a link to a file that does not exist");
  const loop = assertThrows(() => store(place.at("loop.key")), Failure);
  assertStringIncludes(loop.message, "too many of them");
});
