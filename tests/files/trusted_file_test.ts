import { assertEquals, assertThrows } from "@std/assert";
import { checkConfigFile } from "../../lib/files/permissions.ts";
import { checkTrustedFile, readTrustedFile } from "../../lib/files/trusted_file.ts";
import type { Descriptor } from "../../lib/libc/descriptor.ts";
import { descriptorStatus } from "../../lib/libc/file_status.ts";
import { pipe } from "../../lib/libc/pipe.ts";
import { openToRead } from "../../lib/libc/read_file.ts";
import { libc } from "../../lib/libc/symbols.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const OPTIONS = { check: checkConfigFile, ownUid: Deno.uid()!, maxBytes: 10 };

function textOf({ content }: { content: Uint8Array | null }): string | null {
  return content === null ? null : new TextDecoder().decode(content);
}

Deno.test("readTrustedFile() reads a file up to the limit, and not one byte more", () => {
  using place = new TemporaryDirectory();
  for (const text of ["", "x", "123456789 "]) {
    const file = readTrustedFile(place.write("a", text), OPTIONS);
    assertEquals([textOf(file), file.isTooLarge, file.problem], [text, false, null]);
  }
  const large = readTrustedFile(place.write("a", "123456789 1"), OPTIONS);
  assertEquals([large.content, large.isTooLarge], [null, true]);
});

Deno.test("readTrustedFile() reports what is wrong with the file, before its path", () => {
  using place = new TemporaryDirectory();
  Deno.mkdirSync(place.at("open"));
  Deno.chmodSync(place.at("open"), 0o777);
  const path = place.write("open/a", "x");
  assertEquals(
    readTrustedFile(path, OPTIONS).problem?.sentence,
    `${path} could be replaced by another user: ${place.at("open")} is writable by others ` +
      "(mode 0777)",
  );
  Deno.chmodSync(path, 0o666);
  const file = readTrustedFile(path, OPTIONS);
  assertEquals(file.problem?.sentence, `${path} is writable by others (mode 0666)`);
  // What it holds is for a report.
  assertEquals(textOf(file), "x");
});

Deno.test("readTrustedFile() reads nothing of what is no regular file", () => {
  using place = new TemporaryDirectory();
  const file = readTrustedFile(place.path, OPTIONS);
  assertEquals([file.content, file.isTooLarge], [null, false]);
  assertEquals(file.problem?.sentence, `${place.path} is not a regular file`);
  // The name of an open file is no part of another one's.
  Deno.mkdirSync(place.at("dev/fd"), { recursive: true });
  for (const name of ["fifo", "dev/stdin", "dev/fd/3"]) {
    const path = place.at(name);
    const { success } = new Deno.Command("mkfifo", { args: [path] }).outputSync();
    assertEquals(success, true);
    for (const once of [false, true]) {
      const fifo = readTrustedFile(path, { ...OPTIONS, once });
      const sentence = `${path} is not a regular file`;
      assertEquals([fifo.content, fifo.problem?.sentence], [null, sentence]);
    }
  }
  assertThrows(() => readTrustedFile(place.at("absent"), OPTIONS));
});

/** Uses a pipe that this process was given, with some bytes in it, by its path. */
function withPipe(
  text: string,
  use: (path: string, reader: Descriptor) => void,
  directory = "/proc/self/fd",
): void {
  const { reader, writer } = pipe();
  try {
    const bytes = new TextEncoder().encode(text);
    assertEquals(libc.write(writer.number, bytes, BigInt(bytes.length)), bytes.length);
    writer.close();
    use(`${directory}/${reader.number}`, reader);
  } finally {
    if (writer.isOpen) writer.close();
    reader.close();
  }
}

Deno.test("readTrustedFile() reads a pipe that it was given, where it is read once", () => {
  const once = { ...OPTIONS, once: true };
  withPipe("x", (path) => {
    const file = readTrustedFile(path, OPTIONS);
    assertEquals([file.content, file.isTooLarge], [null, false]);
    assertEquals(file.problem?.sentence, `${path} is not a regular file`);
  });
  for (const directory of ["/proc/self/fd", "/dev/fd"]) {
    withPipe("1234567890", (path) => {
      const file = readTrustedFile(path, once);
      assertEquals([textOf(file), file.isTooLarge], ["1234567890", false]);
    }, directory);
  }
  withPipe("12345678901", (path) => {
    const file = readTrustedFile(path, once);
    assertEquals([file.content, file.isTooLarge], [null, true]);
  });
});

Deno.test("readTrustedFile() takes nothing but a pipe for one that it was given", () => {
  using place = new TemporaryDirectory();
  const { success } = new Deno.Command("mkfifo", { args: [place.at("fifo")] }).outputSync();
  assertEquals(success, true);
  using directory = openToRead(place.path);
  using device = openToRead("/dev/zero");
  for (const name of [`${directory.number}`, `${directory.number}/fifo`, `${device.number}`]) {
    const path = `/proc/self/fd/${name}`;
    const file = readTrustedFile(path, { ...OPTIONS, once: true });
    const sentence = `${path} is not a regular file`;
    assertEquals([file.content, file.isTooLarge, file.problem?.sentence], [null, false, sentence]);
  }
});

Deno.test("checkTrustedFile() checks owner and mode of a pipe as those of a file", () => {
  withPipe("x", (path, reader) => {
    const status = descriptorStatus(reader);
    const seen: number[] = [];
    const check = (facts: { readonly mode: number }) => {
      seen.push(facts.mode);
      return null;
    };
    checkTrustedFile(path, status, { check, ownUid: OPTIONS.ownUid, once: true });
    checkTrustedFile(path, status, { check, ownUid: OPTIONS.ownUid });
    checkTrustedFile("/proc/self/fd/x", status, { check, ownUid: OPTIONS.ownUid, once: true });
    const [asFile, ...others] = seen.map((mode) => (mode & 0o170000).toString(8));
    assertEquals([asFile, others], ["100000", ["10000", "10000"]]);
    assertEquals(seen[0]! & 0o7777, status.mode & 0o7777);
  });
});
