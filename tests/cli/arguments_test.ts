import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { COMMANDS, parseCommandLine } from "../../lib/cli/arguments.ts";
import { type Command, DEFAULT } from "../../lib/cli/command_line.ts";
import { Failure } from "../../lib/errors.ts";

function command(line: string): Command {
  return parseCommandLine(line.split(" ").filter((word) => word !== "")).command;
}

function failureOf(line: string): Failure {
  return assertThrows(() => command(line), Failure) as Failure;
}

Deno.test("parseCommandLine() reads a flag's value after a blank or =, or its default", () => {
  const unix = (line: string) => (command(line) as Command & { kind: "serve" }).unix;
  assertEquals(unix("serve --unix /p"), "/p");
  assertEquals(unix("serve --unix=/p"), "/p");
  assertEquals(unix("serve --unix"), DEFAULT);
  assertEquals(unix("serve --unix --config /c"), DEFAULT);
  assertEquals(unix("serve"), null);
});

Deno.test("parseCommandLine() reads connect --key as TCP", () => {
  assertEquals((command("connect --key") as Command & { kind: "connect" }).to, {
    kind: "tcp",
    address: DEFAULT,
    key: DEFAULT,
  });
  assertEquals((command("connect --tcp=h:1 --key=/k") as Command & { kind: "connect" }).to, {
    kind: "tcp",
    address: "h:1",
    key: "/k",
  });
  assertEquals((command("connect") as Command & { kind: "connect" }).to, {
    kind: "unix",
    path: null,
  });
});

Deno.test("parseCommandLine() collects every -c", () => {
  const { command } = parseCommandLine(["connect", "-c", "show users", "-c", "who"]);
  assertEquals((command as Command & { kind: "connect" }).mode, {
    kind: "console",
    commands: ["show users", "who"],
    assumeYes: false,
  });
});

Deno.test("parseCommandLine() takes --yes for the console alone", () => {
  const { command } = parseCommandLine(["connect", "--yes", "-c", "who"]);
  const { mode } = command as Command & { kind: "connect" };
  assertEquals(mode, { kind: "console", commands: ["who"], assumeYes: true });
  for (const flag of ["--pipe", "--listen=unix:/run/a.sock"]) {
    assertThrows(() => parseCommandLine(["connect", "--yes", flag]), Failure, "--yes");
  }
});

Deno.test("parseCommandLine() passes everything after the user to the program", () => {
  const run = (line: string) => {
    const { who, program } = command(line) as Command & { kind: "run-as" };
    return [who, ...program];
  };
  assertEquals(run("run-as 579 -- ipcauth connect --unix"), [
    "579",
    "ipcauth",
    "connect",
    "--unix",
  ]);
  assertEquals(run("run-as 579 id -u"), ["579", "id", "-u"]);
  assertEquals(run("run-as bob -- a -- b --help"), ["bob", "a", "--", "b", "--help"]);
  assertEquals(run("run-as bob a -- b"), ["bob", "a", "--", "b"]);
});

Deno.test("parseCommandLine() reads global flags before and after a command's name", () => {
  for (
    const line of ["--config /c users list", "users --config /c list", "users list --config=/c"]
  ) {
    assertEquals(parseCommandLine(line.split(" ")).globalFlags.config, "/c");
  }
  assertEquals(parseCommandLine(["--color", "never", "users"]).globalFlags.color, "never");
  assertEquals(parseCommandLine(["serve", "--log-format=json"]).globalFlags.logFormat, "json");
});

Deno.test("parseCommandLine() reads --help before it checks anything else", () => {
  assertEquals(command("serve --help"), { kind: "help", topic: "serve" });
  assertEquals(command("users add -h"), { kind: "help", topic: "users" });
  assertEquals(command("--help"), { kind: "help", topic: null });
  assertEquals(command("help run-as"), { kind: "help", topic: "run-as" });
});

Deno.test("parseCommandLine() reads --version with every command, and not behind --", () => {
  for (const line of ["--version", "-V", ...COMMANDS.map((name) => `${name} --version`)]) {
    assertEquals(command(line), { kind: "version" }, line);
  }
  assertEquals(command("--config /c users show --version"), { kind: "version" });
  assertEquals(command("run-as 579 id --version").kind, "run-as");
  assertEquals(command("serve --exec -- id --version").kind, "serve");
});

Deno.test("parseCommandLine() reads the id of a key in any case", () => {
  for (const verb of ["revoke", "rotate"]) {
    const { action } = command(`keys ${verb} 15C8CBD1a1833508`) as Command & { kind: "keys" };
    assertEquals("id" in action && action.id, "15c8cbd1a1833508");
  }
});

Deno.test("parseCommandLine() reads a command behind its letter", () => {
  const commands = (...argv: string[]) => {
    const parsed = parseCommandLine(["connect", ...argv]).command as Command & { kind: "connect" };
    return parsed.mode.kind === "console" ? parsed.mode.commands : null;
  };
  assertEquals(commands("-cwho", "-c", "show users", "-c=who", "-c-x=y", "-chelp -h\nwho"), [
    ...["who", "show users", "who", "-x=y", "help -h\nwho"],
  ]);
});

Deno.test("parseCommandLine() reads every verb of users", () => {
  const action = (line: string) => (command(line) as Command & { kind: "users" }).action;
  assertEquals(action("users"), { verb: "list" });
  assertEquals(action("users show bob"), { verb: "show", name: "bob" });
  assertEquals(action("users set bob admin true"), {
    verb: "set",
    name: "bob",
    field: "admin",
    value: "true",
  });
  assertEquals(action("users add bob --uid 5 --gid 6 --admin"), {
    verb: "add",
    name: "bob",
    uid: 5,
    gid: 6,
    localIpcAccess: false,
    admin: true,
  });
  assertEquals(action("users check 578"), { verb: "check", who: "578" });
});

for (
  const [line, words] of [
    ["", "No command"],
    ["nosuch", 'There is no command "nosuch"'],
    ["constructor", "There is no command"],
    ["serve --nosuch", "There is no flag --nosuch"],
    ["serve -x", "There is no flag -x"],
    ["serve word", '"word" is out of place'],
    ["serve --unix a --unix b", "--unix was given 2 times"],
    ["serve --unix=", "nothing behind its sign"],
    ["serve --config", "--config needs a value"],
    ["serve --forward unix:/a --exec -- id", "exclude each other"],
    ["serve --identity none", "there is no --forward"],
    ["serve --forward unix:/a --identity me", "--identity is one of"],
    ["serve --exec", "needs a program"],
    ["serve -- id", "needs --exec"],
    ["serve --unix --key", "there is no --tcp"],
    ["connect --unix --tcp", "--unix and --tcp exclude each other"],
    ["connect --unix --key", "--key is for TCP"],
    ["connect --pipe --listen unix:/a", "--pipe and --listen exclude each other"],
    ["connect -c who --pipe", "-c and --pipe exclude each other"],
    ["connect --pipe=yes", "--pipe takes no value"],
    ["connect -c", "-c needs a value"],
    ["connect -cwho --pipe", "-c and --pipe exclude each other"],
    ["connect --tcp --listen unix:/a --allow-remote", "--allow-remote goes with --listen tcp:"],
    ["connect -- id", "connect starts no program"],
    ["users nosuch", 'There is no "users nosuch"'],
    ["users show", "Usage: ipcauth users show NAME"],
    ["users add", "Usage: ipcauth users add NAME [--uid N] [--gid N]"],
    ["keys revoke bob.key", "is not a key id"],
    ["keys add", "Usage: ipcauth keys add FILE"],
    ["keys add a --not-after 2027-02-30T00:00:00Z", "is not a time"],
    ["keys add a --not-after 2017-02-03T00:00:00Z", "is over already"],
    ["gen-key a --listener 127.0.0.1:1", "goes with gen-key FILE --user NAME only"],
    ["gen-key --show a --user bob", "goes with gen-key FILE --user NAME only"],
    ["groups allow", "Usage: ipcauth groups allow NAME"],
    ["groups list --gid 5", "goes with groups add only"],
    ["config nosuch", 'no "config nosuch"'],
    ["users add bob --uid -1", "There is no flag -1"],
    ["users add bob --uid 0x1", '"0x1" is not an id'],
    ["users add bob --uid 4294967295", "is not an id"],
    ["users list --uid 5", "goes with users add only"],
    ["users set bob admin", "Usage: ipcauth users set NAME uid|gid|local_ipc_access|admin VALUE"],
    ["users list -- more", "Usage: ipcauth users list"],
    ["gen-key a -- b", "one key at a time"],
    ["gen-key --show a -- b", "out of place"],
    ["help serve -- connect", "one command at a time"],
    ["completions bash -- zsh", "bash|zsh|fish"],
    ["gen-key a b", "one key at a time"],
    ["gen-key --show a --force", "out of place"],
    ["help nosuch", "There is no command"],
    ["completions tcsh", "bash|zsh|fish"],
    ["--log-level loud serve", "--log-level is one of"],
    ["--color=maybe serve", "--color is one of"],
  ] as const
) {
  Deno.test(`parseCommandLine() refuses "${line}" as a usage error with a hint`, () => {
    const failure = failureOf(line);
    assertStringIncludes(failure.message, words);
    assertEquals(failure.exit, 64);
    assertStringIncludes(failure.hint ?? "", "ipcauth help");
  });
}

Deno.test("parseCommandLine() reads a word after -- as an operand, not as a flag", () => {
  const { command } = parseCommandLine(["gen-key", "--", "--force"]);
  assertEquals(command, { kind: "gen-key", file: "--force", force: false, entry: null });
});

for (
  const line of [
    "run-as",
    "run-as bob",
    "run-as --nosuch bob -- id",
    "run-as bob --",
    "--nosuch run-as bob -- id",
    "--color=maybe run-as bob -- id",
  ]
) {
  Deno.test(`parseCommandLine() refuses "${line}" with exit code 125`, () => {
    assertEquals(failureOf(line).exit, 125);
  });
}
