import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { parseCommandLine } from "../../lib/cli/arguments.ts";
import type { ServeCommand } from "../../lib/cli/command_line.ts";
import { checkServe } from "../../lib/cli/serve_check.ts";
import { Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";
import { UnixListener } from "../../lib/net/unix_listener.ts";
import { isRoot, Program } from "../support/program.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

/** Checks a start, with one Unix socket or those of the file. @returns What it prints. */
async function check(path: string | null, config: string): Promise<string> {
  const flags = path === null ? [] : [`--unix=${path}`];
  const { command } = parseCommandLine(["serve", "--check", ...flags]);
  let printed = "";
  await checkServe(command as ServeCommand, {
    // The default socket of a user other than root.
    environment: { uid: effectiveUid(), variables: { XDG_RUNTIME_DIR: "/tmp" } },
    config,
    color: false,
    out: (text) => printed += text,
    view: () => ({ columns: null, color: false }),
    err: (text) => printed += text,
  });
  return printed;
}

Deno.test("serve --check refuses a program and a log file as a start does", async () => {
  using directory = new TemporaryDirectory();
  await Deno.mkdir(directory.at("open"));
  await Deno.chmod(directory.at("open"), 0o777);
  const [text, link] = [directory.write("text", ""), directory.at("link")];
  await Deno.symlink(text, link);
  const exec = (path: string) => `listeners: [{ unix: /s, service: { exec: [${path}] } }]\n`;
  const log = (path: string) => `log: { file: ${path} }\n`;
  const none = directory.at("none");
  const bare = directory.write("bare", `#!${text}\n`);
  await Deno.chmod(bare, 0o755);
  const refused: readonly (readonly [string, number, string, string])[] = [
    [
      ...[exec(none), 78] as const,
      ...[
        `Cannot offer the program ${none}: no such file or directory`,
        `namei -l ${none}`,
      ] as const,
    ],
    [
      ...[exec(text), 78] as const,
      ...[`Cannot offer the program ${text}: it is not executable`, `chmod +x ${text}`] as const,
    ],
    [
      ...[exec(bare), 78] as const,
      ...[`its interpreter "${text}" is not executable`, `chmod +x ${text}`] as const,
    ],
    [
      ...[log(`${none}/a/log`), 71] as const,
      `Cannot open the log file ${none}/a/log: no such file or directory`,
      `mkdir -p ${none}/a`,
    ],
    [
      ...[log(link), 71] as const,
      `Cannot open the log file ${link}: it is a symbolic link, or there are too many`,
      `namei -l ${link}`,
    ],
    [
      ...[log(directory.path), 71] as const,
      `Cannot open the log file ${directory.path}: it is neither a`,
      `take "file" out of "log", and start the server with 2> ${directory.path}`,
    ],
    [
      ...[log(directory.at("open/log")), 78] as const,
      `The directory of the log file ${directory.at("open")} is`,
      `chmod go-w ${directory.at("open")}`,
    ],
  ];
  for (const [lines, exit, message, hint] of refused) {
    const config = directory.write("config.yaml", lines);
    const failure = await assertRejects(() => check(null, config), Failure, message) as Failure;
    assertEquals([failure.exit, failure.hint], [exit, hint], lines);
  }
  for (
    const lines of [exec("/bin/sh"), log(directory.at("new.log")), log(text), log("/dev/null")]
  ) {
    await check(null, directory.write("config.yaml", lines));
  }
  assertEquals(directory.names(), ["bare", "config.yaml", "link", "open", "text"]);
});

Deno.test({
  name: "serve --check refuses what needs a server that is root (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install();
    const services = {
      "run_as: peer": "{ exec: [/bin/true], run_as: peer }",
      "identity: impersonate": "{ forward: unix:/x, identity: impersonate }",
    };
    for (const [name, service] of Object.entries(services)) {
      const lines = `listeners: [{ unix: /tmp/a.sock, service: ${service} }]\n`;
      const config = await program.write("config.yaml", lines);
      const argv = ["serve", "--check", "--config", config];
      assertEquals((await program.run(argv)).code, 0);
      const { code, stderr } = await program.run(argv, { uid: 579 });
      assertEquals(code, 78);
      assertStringIncludes(stderr, `${name} needs a server that is root`);
    }
  },
});

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
