/** A thread that restricts itself again and again, with each version of Landlock up to a number. */
import { errno } from "../../lib/libc/errno.ts";
import { restrictThread } from "../../lib/libc/landlock.ts";
import { tryToRead } from "../../lib/libc/read_file.ts";

const worker = self as unknown as Worker;

worker.onmessage = ({ data }) => {
  const { last, directory, other } = data as { last: number; directory: string; other: string };
  // Before: it opens functions of the C library, for which the runtime reads files.
  errno();
  const results = [[tryToRead(`${directory}/file`), tryToRead(`${other}/file`)]];
  for (let version = 1; version <= last; version++) {
    restrictThread(version, {
      paths: [["read", directory], ["device", "/dev/null"], ["socket", `${directory}/missing`]],
      ...{ bind: [1], connect: [2], abstractSockets: version % 2 === 0 },
    });
    results.push([tryToRead(`${directory}/file`), tryToRead(`${other}/file`)]);
  }
  worker.postMessage(results);
};
