/** What an error says of a file, and of the system at the moment. */
import { assertEquals } from "@std/assert";
import {
  diskHint,
  isAbsent,
  isDenied,
  isExhausted,
  isOfSystem,
  isPassing,
  reasonOf,
} from "../../lib/files/system_reason.ts";
import { Errno, SystemError } from "../../lib/libc/errno.ts";

const of = (errno: number) => new SystemError("open", errno);

Deno.test("a reason passes where it is not one of the file", () => {
  for (const errno of [Errno.EMFILE, Errno.ENFILE, Errno.EIO, Errno.ENOMEM, 116]) {
    assertEquals([isPassing(of(errno)), isPassing(wrapped(of(errno)))], [true, true], `${errno}`);
  }
  for (
    const errno of [
      ...[Errno.EACCES, Errno.EISDIR, Errno.ELOOP, Errno.ENAMETOOLONG, Errno.ENOENT],
      ...[Errno.ENOTDIR, Errno.ENXIO, Errno.EPERM],
    ]
  ) assertEquals([isPassing(of(errno)), isExhausted(of(errno))], [false, false], `${errno}`);
  assertEquals([isPassing(new Error("EIO")), isPassing(null)], [false, false]);
  // Errors of the runtime have the symbol as `code`.
  const code = (text: string) => Object.assign(new Error("it failed"), { code: text });
  assertEquals([isPassing(code("EIO")), isPassing(code("ENOENT"))], [true, false]);
  assertEquals([isPassing(code("no code")), isExhausted(code("ENFILE"))], [false, true]);
  for (const text of ["xEIO", "EIO x", "ERR-1", "eio", "E"]) {
    assertEquals(isPassing(code(text)), false, text);
  }
  assertEquals(isPassing(Object.assign(new Error(), { code: 5 })), false);
});

Deno.test("an error says whether a right is missing, or the file", () => {
  const errors = [
    of(Errno.EACCES),
    of(Errno.EPERM),
    new Deno.errors.PermissionDenied("no"),
    of(Errno.ENOENT),
    of(Errno.EIO),
    Object.assign(new Error("EACCES"), { errno: Errno.EACCES }),
    Object.assign(new Error("ENOENT"), { errno: Errno.ENOENT }),
    null,
  ];
  assertEquals(errors.map(isDenied), [true, true, true, ...Array(5).fill(false)]);
  assertEquals(errors.map(isAbsent), [false, false, false, true, ...Array(4).fill(false)]);
});

Deno.test("an error is one of the system, or a check or bug of this program", () => {
  const kinds: [unknown, boolean][] = [
    [of(Errno.EIO), true],
    [new Deno.errors.NotFound("gone"), true],
    [new Deno.errors.Busy("busy"), true],
    // The runtime names some errors by their code alone.
    [Object.assign(new Error("no space"), { code: "ENOSPC" }), true],
    [Object.assign(new Error("a bug"), { code: 5 }), false],
    [{ code: "ENOSPC" }, false],
    [new TypeError("a bug"), false],
    [null, false],
  ];
  assertEquals(kinds.map(([error]) => isOfSystem(error)), kinds.map(([, expected]) => expected));
});

Deno.test("a reason ends a sentence", () => {
  assertEquals(
    [
      new Deno.errors.NotFound("os error 2"),
      of(Errno.ENOENT),
      new Deno.errors.PermissionDenied("os error 13"),
      of(Errno.EACCES),
      of(Errno.EIO),
      new Error("a check failed"),
    ].map(reasonOf),
    [
      "there is no such file",
      "there is no such file",
      "permission denied",
      "permission denied",
      "the device or file system failed",
      "a check failed",
    ],
  );
});

function wrapped(cause: Error | null): Error {
  return new Error("cannot read it", { cause });
}

Deno.test("where a file system takes nothing, a command shows it", () => {
  const hints = ["ENOSPC", "EDQUOT", "EROFS", "EACCES"].map((code) =>
    diskHint("/a b", Object.assign(new Error("it failed"), { code }))
  );
  assertEquals(hints, ["df -h '/a b'", "df -h '/a b'", "findmnt -T '/a b'", null]);
  assertEquals(diskHint("/a", of(Errno.ENOSPC)), "df -h /a");
});
