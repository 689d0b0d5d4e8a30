import { assert, assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../lib/errors.ts";
import {
  checkConfigFile,
  checkDirectory,
  checkKeyDirectory,
  checkKeyFile,
  checkLink,
  checkLogFile,
  checkOpenDirectory,
  isShared,
  isSticky,
  octalMode,
  requireSafe,
} from "../../lib/files/permissions.ts";

const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const OWN_UID = 900;

type Check = typeof checkConfigFile;

function accepts(check: Check, mode: number, uid = OWN_UID): void {
  assertEquals(check({ mode, uid }, "/x", OWN_UID), null);
}

function refuses(check: Check, mode: number, uid: number, sentence: string, fix: string): void {
  assertEquals(check({ mode, uid }, "/x", OWN_UID), { sentence, fix });
}

Deno.test("checkConfigFile() accepts a file of root or of this process", () => {
  for (const mode of [0o400, 0o600, 0o640, 0o644, 0o755]) {
    accepts(checkConfigFile, REGULAR | mode, 0);
    accepts(checkConfigFile, REGULAR | mode, OWN_UID);
  }
});

Deno.test("checkConfigFile() refuses a file that a group or others may write", () => {
  for (const bits of [0o020, 0o002, 0o022]) {
    const problem = checkConfigFile({ mode: REGULAR | 0o644 | bits, uid: 0 }, "/x", OWN_UID);
    assert(problem?.sentence.includes("is writable by others (mode 06"), String(bits));
    assertEquals(problem?.fix, "chmod go-w /x");
  }
});

Deno.test("checkConfigFile() refuses a file of a third user", () => {
  refuses(
    checkConfigFile,
    REGULAR | 0o644,
    579,
    "/x belongs to uid 579, which is neither root nor uid 900",
    "chown 900 /x",
  );
});

Deno.test("checkConfigFile() and checkKeyFile() refuse what is no regular file", () => {
  for (const type of [DIRECTORY, 0o010000, 0o020000, 0o060000, 0o120000, 0o140000, 0]) {
    for (const check of [checkConfigFile, checkKeyFile]) {
      refuses(check, type | 0o644, 0, "/x is not a regular file", "ls -ld /x");
    }
  }
});

Deno.test("checkKeyFile() accepts a file that its owner and group may read", () => {
  for (const mode of [0o400, 0o600, 0o440, 0o640]) accepts(checkKeyFile, REGULAR | mode);
});

Deno.test("checkKeyFile() refuses a file that others may read", () => {
  for (const mode of [0o604, 0o644, 0o664, 0o666]) {
    const problem = checkKeyFile({ mode: REGULAR | mode, uid: OWN_UID }, "/x", OWN_UID);
    assertEquals(problem?.sentence, `/x is readable by others (mode 0${mode.toString(8)})`);
    assertEquals(problem?.fix, "chmod o-rwx,g-w /x");
  }
});

Deno.test("checkKeyFile() refuses a file that a group or others may write", () => {
  for (const mode of [0o620, 0o660, 0o602]) {
    const sentence = `/x is writable by others (mode 0${mode.toString(8)})`;
    refuses(checkKeyFile, REGULAR | mode, OWN_UID, sentence, "chmod go-w /x");
  }
});

Deno.test("checkKeyFile() refuses a file of a third user", () => {
  assert(
    checkKeyFile({ mode: REGULAR | 0o600, uid: 1 }, "/x", OWN_UID)?.sentence.includes("uid 1"),
  );
});

Deno.test("checkDirectory() accepts one that only the owner may write, or a sticky one", () => {
  for (const mode of [0o700, 0o755, 0o1777, 0o1770]) accepts(checkDirectory, DIRECTORY | mode, 0);
  accepts(checkDirectory, DIRECTORY | 0o700, OWN_UID);
});

Deno.test("checkDirectory() refuses one that others may write, without the sticky bit", () => {
  for (const mode of [0o775, 0o757, 0o777, 0o2775]) {
    const problem = checkDirectory({ mode: DIRECTORY | mode, uid: 0 }, "/x", OWN_UID);
    assert(problem?.sentence.includes("is writable by others"), mode.toString(8));
    assertEquals(problem?.fix, "chmod go-w /x");
  }
});

Deno.test("checkDirectory() refuses a directory of a third user even if it is sticky", () => {
  assert(checkDirectory({ mode: DIRECTORY | 0o1777, uid: 5 }, "/x", OWN_UID) !== null);
});

Deno.test("checkDirectory() refuses a regular file", () => {
  refuses(checkDirectory, REGULAR | 0o755, 0, "/x is not a directory", "ls -ld /x");
});

Deno.test("the command that corrects a mode quotes the path for the shell", () => {
  const problem = checkConfigFile({ mode: REGULAR | 0o666, uid: 0 }, "/a b'; reboot", OWN_UID);
  assertEquals(problem?.fix, `chmod go-w '/a b'\\''; reboot'`);
});

Deno.test("checkLink() refuses a link of a third user", () => {
  assertEquals(checkLink({ mode: 0o120777, uid: 0 }, "/x", OWN_UID), null);
  assertEquals(checkLink({ mode: 0o120777, uid: OWN_UID }, "/x", OWN_UID), null);
  assertEquals(checkLink({ mode: 0o120777, uid: 5 }, "/x", 0), {
    sentence: "/x is a link of uid 5, which is not root",
    fix: "chown -h 0 /x",
  });
});

Deno.test("octalMode() writes four digits without the type bits", () => {
  assertEquals([0o100644, 0o7, 0o41777].map(octalMode), ["0644", "0007", "1777"]);
});

Deno.test("requireSafe() throws 78 with the command that corrects a problem", () => {
  requireSafe(null, "The file");
  const problem = checkConfigFile({ mode: REGULAR | 0o666, uid: 0 }, "/x", OWN_UID);
  const failure = assertThrows(() => requireSafe(problem, "The file"), Failure);
  assertEquals(failure.message, "The file /x is writable by others (mode 0666)");
  assertEquals([failure.exit, failure.hint], [78, "chmod go-w /x"]);
});

Deno.test("each check knows the bits of its own, and no others", () => {
  const writable = [0o002, 0o020];
  const others = [0o001, 0o004, 0o010, 0o040, 0o100, 0o200, 0o400, 0o2000, 0o4000];
  for (const bit of [...writable, ...others]) {
    const isWritable = writable.includes(bit);
    const facts = (type: number) => ({ mode: type | bit, uid: 0 });
    assertEquals(checkConfigFile(facts(REGULAR), "/x", OWN_UID) === null, !isWritable);
    const isReadable = bit === 0o004;
    assertEquals(checkKeyFile(facts(REGULAR), "/x", OWN_UID) === null, !isWritable && !isReadable);
    assertEquals(checkDirectory(facts(DIRECTORY), "/x", OWN_UID) === null, !isWritable);
    assertEquals(checkKeyDirectory(facts(DIRECTORY), "/x", OWN_UID) === null, !isWritable);
    assertEquals(checkOpenDirectory(facts(DIRECTORY), "/x", OWN_UID) === null, bit !== 0o002);
    const log = { ...facts(REGULAR), links: 1 };
    assertEquals(checkLogFile(log, "/x", OWN_UID) === null, bit !== 0o002);
    assertEquals([isShared(facts(REGULAR)), isSticky(facts(REGULAR))], [isWritable, false]);
  }
  assertEquals([isShared({ mode: 0o1000 }), isSticky({ mode: 0o1000 })], [false, true]);
});

Deno.test("checkKeyDirectory() refuses a directory that others may write, also a sticky one", () => {
  accepts(checkKeyDirectory, DIRECTORY | 0o1755, 0);
  const fix = "chmod go-w /x";
  const sentence = "/x is writable by others (mode 1777)";
  refuses(checkKeyDirectory, DIRECTORY | 0o1777, 0, sentence, fix);
  assert(checkKeyDirectory({ mode: DIRECTORY | 0o755, uid: 578 }, "/x", OWN_UID) !== null);
  assert(checkKeyDirectory({ mode: REGULAR | 0o644, uid: 0 }, "/x", OWN_UID) !== null);
});

Deno.test("checkOpenDirectory() accepts one that its group may write, and no other writer", () => {
  accepts(checkOpenDirectory, DIRECTORY | 0o2775, 0);
  accepts(checkOpenDirectory, DIRECTORY | 0o1777, 0);
  const sentence = "/x is writable by others (mode 0777)";
  refuses(checkOpenDirectory, DIRECTORY | 0o777, 0, sentence, "chmod go-w /x");
  assert(checkOpenDirectory({ mode: DIRECTORY | 0o755, uid: 578 }, "/x", OWN_UID) !== null);
});

Deno.test("checkLogFile() accepts a file under one name, of root or of this process", () => {
  const facts = { mode: REGULAR | 0o664, uid: 0, links: 1 };
  const check = (changes: Partial<typeof facts>) =>
    checkLogFile({ ...facts, ...changes }, "/x", OWN_UID);
  assertEquals([check({}), check({ uid: OWN_UID }), check({ links: 0 })], [null, null, null]);
  assertEquals(check({ links: 2 }), { sentence: "/x has another name, too", fix: "rm /x" });
  assert(check({ uid: 578 })!.sentence.startsWith("/x belongs to uid 578, "));
  assertEquals(check({ mode: REGULAR | 0o646 })?.fix, "chmod go-w /x");
  // A device holds nothing that could be changed.
  assertEquals(check({ mode: 0o020666, uid: 578, links: 2 }), null);
});
