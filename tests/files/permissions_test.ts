import { assert, assertEquals } from "@std/assert";
import { checkConfigFile, checkDirectory, checkKeyFile } from "../../lib/files/permissions.ts";

const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const US = 900;

type Judge = typeof checkConfigFile;

function accepts(judge: Judge, mode: number, uid = US): void {
  assertEquals(judge({ mode, uid }, "/x", US), null);
}

function refuses(judge: Judge, mode: number, uid: number, sentence: string, fix: string): void {
  assertEquals(judge({ mode, uid }, "/x", US), { sentence, fix });
}

Deno.test("a configuration of root's or ours is accepted", () => {
  for (const mode of [0o400, 0o600, 0o640, 0o644, 0o755]) {
    accepts(checkConfigFile, REGULAR | mode, 0);
    accepts(checkConfigFile, REGULAR | mode, US);
  }
});

Deno.test("a configuration that others may write is refused, whatever bit it is", () => {
  for (const bits of [0o020, 0o002, 0o022]) {
    const problem = checkConfigFile({ mode: REGULAR | 0o644 | bits, uid: 0 }, "/x", US);
    assert(problem?.sentence.includes("is writable by others (mode 06"), String(bits));
    assertEquals(problem?.fix, "chmod go-w /x");
  }
});

Deno.test("a configuration of a third user is refused", () => {
  refuses(
    checkConfigFile,
    REGULAR | 0o644,
    579,
    "/x belongs to uid 579, which is neither root nor uid 900",
    "chown 900 /x",
  );
});

Deno.test("what is no regular file is no configuration and no key", () => {
  for (const type of [DIRECTORY, 0o010000, 0o020000, 0o060000, 0o120000, 0o140000, 0]) {
    for (const judge of [checkConfigFile, checkKeyFile]) {
      refuses(judge, type | 0o644, 0, "/x is not a regular file", "ls -ld /x");
    }
  }
});

Deno.test("a key file may be read by its owner and a group of clients", () => {
  for (const mode of [0o400, 0o600, 0o440, 0o640]) accepts(checkKeyFile, REGULAR | mode);
});

Deno.test("a key file that others may read is refused", () => {
  for (const mode of [0o604, 0o644, 0o664, 0o666]) {
    const problem = checkKeyFile({ mode: REGULAR | mode, uid: US }, "/x", US);
    assertEquals(problem?.sentence, `/x is readable by others (mode 0${mode.toString(8)})`);
    assertEquals(problem?.fix, "chmod o-rwx,g-w /x");
  }
});

Deno.test("a key file that a group or others may write is refused", () => {
  for (const mode of [0o620, 0o660, 0o602]) {
    const sentence = `/x is writable by others (mode 0${mode.toString(8)})`;
    refuses(checkKeyFile, REGULAR | mode, US, sentence, "chmod go-w /x");
  }
});

Deno.test("a key file of a third user is refused", () => {
  assert(checkKeyFile({ mode: REGULAR | 0o600, uid: 1 }, "/x", US)?.sentence.includes("uid 1"));
});

Deno.test("a directory that nobody else may write is accepted, and a sticky one", () => {
  for (const mode of [0o700, 0o755, 0o1777, 0o1770]) accepts(checkDirectory, DIRECTORY | mode, 0);
  accepts(checkDirectory, DIRECTORY | 0o700, US);
});

Deno.test("a directory that others may write is refused without the sticky bit", () => {
  for (const mode of [0o775, 0o757, 0o777, 0o2775]) {
    const problem = checkDirectory({ mode: DIRECTORY | mode, uid: 0 }, "/x", US);
    assert(problem?.sentence.includes("is writable by others"), mode.toString(8));
    assertEquals(problem?.fix, "chmod go-w /x");
  }
});

Deno.test("a directory of a third user is refused even if it is sticky", () => {
  assert(checkDirectory({ mode: DIRECTORY | 0o1777, uid: 5 }, "/x", US) !== null);
});

Deno.test("a file in the place of a directory is refused", () => {
  refuses(checkDirectory, REGULAR | 0o755, 0, "/x is not a directory", "ls -ld /x");
});

Deno.test("the command that mends a file names it as one word of the shell", () => {
  const problem = checkConfigFile({ mode: REGULAR | 0o666, uid: 0 }, "/a b'; reboot", US);
  assertEquals(problem?.fix, `chmod go-w '/a b'\\''; reboot'`);
});
