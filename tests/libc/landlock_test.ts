/** Landlock, from its first version on. */
import { assertEquals } from "@std/assert";
import { Errno } from "../../lib/libc/errno.ts";
import { covers, landlockVersion } from "../../lib/libc/landlock.ts";
import { hasLandlock } from "../support/landlock.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

const options = { ignore: !hasLandlock };

Deno.test(
  "restrictThread() restricts with every version that the kernel has",
  options,
  async () => {
    using directory = new TemporaryDirectory();
    using other = new TemporaryDirectory();
    for (const one of [directory, other]) Deno.writeTextFileSync(`${one.path}/file`, "");
    const worker = new Worker(new URL("../support/restricted_worker.ts", import.meta.url), {
      type: "module",
    });
    const results = Promise.withResolvers<number[][]>();
    worker.onmessage = ({ data }) => results.resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      results.reject(new Error(event.message));
    };
    const last = landlockVersion();
    worker.postMessage({ last, directory: directory.path, other: other.path });
    try {
      const restricted = Array.from({ length: last }, () => [0, Errno.EACCES]);
      assertEquals(await results.promise, [[0, 0], ...restricted]);
    } finally {
      worker.terminate();
    }
  },
);

Deno.test("covers() adds up what several directories permit", () => {
  assertEquals(covers(["write"], "read"), true);
  assertEquals(covers(["write"], "append"), true);
  assertEquals(covers(["read"], "append"), false);
  assertEquals(covers(["read", "append"], "write"), false);
  assertEquals(covers(["socket"], "write"), true);
  assertEquals(covers([], "read"), false);
});
