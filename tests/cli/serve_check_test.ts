import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseCommandLine } from "../../lib/cli/arguments.ts";
import type { ServeCommand } from "../../lib/cli/command_line.ts";
import { checkServe } from "../../lib/cli/serve_check.ts";
import { Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { UnixListener } from "../../lib/net/unix_listener.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Checks a start with one Unix socket. @returns What it prints. */
async function check(path: string, config: string): Promise<string> {
  const { command } = parseCommandLine(["serve", "--check", `--unix=${path}`]);
  let printed = "";
  await checkServe(command as ServeCommand, {
    environment: { uid: effectiveUid(), variables: {} },
    config,
    color: false,
    out: (text) => printed += text,
    view: () => ({ columns: null, color: false }),
    err: (text) => printed += text,
  });
  return printed;
}

Deno.test("serve --check refuses a place of a socket as a start does, and makes nothing", async () => {
  using directory = new TemporaryDirectory();
  const config = directory.write("config.yaml", "users: []\n");
  await Deno.mkdir(directory.at("open/inner"), { recursive: true });
  await Deno.chmod(directory.at("open"), 0o777);
  directory.write("file", "");
  await Deno.symlink(directory.at("nowhere"), directory.at("dangling"));
  const places = {
    "open/a.sock": 78,
    "open/inner/a.sock": 78,
    "none/none/a.sock": 71,
    "dangling/a.sock": 71,
    "file/a.sock": 78,
    "file": 73,
    [`${"a".repeat(108)}.sock`]: 64,
  };
  for (const [name, exit] of Object.entries(places)) {
    const path = directory.at(name);
    const started = assertThrows(
      () => UnixListener.open({ path, mode: 0o666 }, effectiveUid()),
      Failure,
      "",
      name,
    ) as Failure;
    const checked = await assertRejects(() => check(path, config), Failure, "", name) as Failure;
    const parts = ({ message, hint, exit }: Failure) => ({ message, hint, exit });
    assertEquals(parts(checked), { ...parts(started), exit }, name);
  }
  for (const name of ["a.sock", "none/a.sock"]) {
    const path = directory.at(name);
    assertEquals(await check(path, config), `would listen on unix:${path}: console\n`);
  }
  assertEquals(directory.names(), ["config.yaml", "dangling", "file", "open"]);
});
