/** A thread that the system does not start. */
import { assertEquals } from "@std/assert";
import { childLine, isRoot, output } from "../support/processes.ts";

Deno.test(
  "a thread that the system does not start is an error of the system (needs root)",
  { ignore: !isRoot },
  async () => {
    const identity = { uid: 578, gid: 578, groups: [] };
    const printed = await output(childLine("start-worker", JSON.stringify(identity)));
    assertEquals(JSON.parse(printed), [
      71,
      "The data plane cannot be started: the system starts no more threads",
      "ulimit -u unlimited, or a higher limit of processes for the container",
    ]);
  },
);
