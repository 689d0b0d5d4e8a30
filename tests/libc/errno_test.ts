import { assertEquals, assertThrows } from "@std/assert";
import { constants } from "node:os";
import { check, describe, Errno, errno, SystemError } from "../../lib/libc/errno.ts";
import { cString } from "../../lib/libc/memory.ts";
import { linkStatus } from "../../lib/libc/file_status.ts";
import { LIBC_PATHS } from "../../lib/libc/paths.ts";
import { libc } from "../../lib/libc/symbols.ts";

Deno.test("the error numbers are those of the platform", () => {
  const platform: Record<string, number> = constants.errno;
  for (const [name, number] of Object.entries(Errno)) {
    if (name in platform) assertEquals(number, platform[name], name);
  }
});

Deno.test("errno() is that of the last call", () => {
  assertEquals(libc.open(cString("/nonexistent/file"), 0, 0), -1);
  assertEquals(errno(), Errno.ENOENT);
  assertEquals(libc.open(cString("/dev/null/file"), 0, 0), -1);
  assertEquals(errno(), Errno.ENOTDIR);
});

Deno.test("a SystemError carries the call, the number and its symbol", () => {
  const error = new SystemError("bind", Errno.EACCES);
  assertEquals([error.message, error.errno, error.code], [
    "bind: permission denied",
    13,
    "EACCES",
  ]);
  assertEquals(new SystemError("bind", Errno.ESRCH).message, "bind: ESRCH");
});

Deno.test("an unknown error number is shown as a number", () => {
  assertEquals(describe(9999), "errno 9999");
  assertEquals(new SystemError("bind", 9999).code, "errno 9999");
});

Deno.test("check() throws for −1 only", () => {
  for (const result of [0, 1, 7, -2]) assertEquals(check("open", result), result);
  libc.open(cString("/nonexistent/file"), 0, 0);
  const error = assertThrows(() => check("open", -1), SystemError);
  assertEquals(error.errno, Errno.ENOENT);
});

Deno.test("errno() is right where the C library is at the second of its known paths", async () => {
  const at = (path: string) => new URL(path, import.meta.url).href;
  const directory = await Deno.makeTempDir();
  const real = LIBC_PATHS[Deno.build.arch].find((path) => linkStatus(path) !== null)!;
  const paths = { [Deno.build.arch]: ["/nowhere/libc.so.6", real] };
  await Deno.writeTextFile(
    `${directory}/paths.ts`,
    `export const LIBC_PATHS = ${JSON.stringify(paths)};`,
  );
  const map = { imports: { [at("../../lib/libc/paths.ts")]: `file://${directory}/paths.ts` } };
  await Deno.writeTextFile(`${directory}/map.json`, JSON.stringify(map));
  // The first failure of a thread, in the main thread and in a Worker.
  await Deno.writeTextFile(
    `${directory}/child.ts`,
    `import { errno } from ${JSON.stringify(at("../../lib/libc/errno.ts"))};
import { cString } from ${JSON.stringify(at("../../lib/libc/memory.ts"))};
import { libc } from ${JSON.stringify(at("../../lib/libc/symbols.ts"))};
libc.open(cString("/dev/null/file"), 0, 0);
const number = errno();
if ("WorkerGlobalScope" in globalThis) self.postMessage(number);
else {
  console.log(number);
  const worker = new Worker(import.meta.url, { type: "module" });
  worker.onmessage = ({ data }) => { console.log(data); worker.terminate(); };
}
`,
  );
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-all", `--import-map=${directory}/map.json`],
      `${directory}/child.ts`,
    ],
  }).output();
  await Deno.remove(directory, { recursive: true });
  const decoder = new TextDecoder();
  assertEquals([decoder.decode(stdout), decoder.decode(stderr)], [
    `${Errno.ENOTDIR}\n`.repeat(2),
    "",
  ]);
});
