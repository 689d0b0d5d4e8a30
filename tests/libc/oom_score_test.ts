import { assertEquals } from "@std/assert";
import { isSpared, stopSparing } from "../../lib/libc/oom_score.ts";
import { readProc } from "../../lib/libc/read_file.ts";

Deno.test("stopSparing() sets the adjustment of a process to 0", async () => {
  const child = new Deno.Command("sh", {
    args: ["-c", "echo 300 > /proc/self/oom_score_adj; echo ready; read line"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  const file = `/proc/${child.pid}/oom_score_adj`;
  assertEquals(readProc(file), "300\n");
  stopSparing(child.pid);
  assertEquals(readProc(file), "0\n");
  await child.stdin.close();
  await reader.cancel();
  await child.status;
  // The process has ended.
  stopSparing(child.pid);
});

Deno.test("isSpared() says whether the adjustment is negative", () => {
  assertEquals(isSpared(), Number(readProc("/proc/self/oom_score_adj")) < 0);
});
