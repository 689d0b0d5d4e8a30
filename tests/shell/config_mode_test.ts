/** The configuration mode with the real program: from a pipe, with -c, and at a terminal. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { isRoot, type Outcome, Program, type RunningServer } from "../support/program.ts";
import { RpcSession } from "../support/rpc.ts";

const TERMINAL = fromFileUrl(new URL("../support/terminal.py", import.meta.url));
const CONFIG = `# who gets in
users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false } # on leave
  - { name: bob, uid: 579, local_ipc_access: true, admin: true }
groups:
  - { name: netops, gid: 2000, local_ipc_access: false }
limits: { grace: 0s }
`;
const BOB = { uid: 579 };
const ALICE = "aaa authentication users user alice";

class Fixture implements AsyncDisposable {
  constructor(readonly program: Program, readonly server: RunningServer, readonly file: string) {}

  static async open(): Promise<Fixture> {
    const program = await Program.install();
    const file = await program.write("config.yaml", CONFIG);
    const flags = [`--unix=${program.path("s")}`, "--config", file];
    return new Fixture(program, await program.serve(flags), file);
  }

  get text(): string {
    return Deno.readTextFileSync(this.file);
  }

  /** `connect` as bob, with lines on standard input. */
  pipe(...lines: string[]): Promise<Outcome> {
    const input = lines.map((line) => line + "\n").join("");
    return this.program.run(["connect", `--unix=${this.program.path("s")}`], { ...BOB, input });
  }

  /** `connect -c` as bob. */
  run(flags: readonly string[], ...commands: string[]): Promise<Outcome> {
    const args = commands.flatMap((command) => ["-c", command]);
    return this.program.run(
      ["connect", `--unix=${this.program.path("s")}`, ...flags, ...args],
      BOB,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await this.program.remove();
  }
}

Deno.test("a script commits a draft, and configuration lines can be pasted (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  const pasted = await fixture.pipe(
    "config",
    "aaa authentication users user dave",
    " uid 581",
    " gid 581",
    " local_ipc_access true",
    " admin false",
    "!",
    `${ALICE} local_ipc_access true`,
    "no aaa authentication users user dave gid",
    "aaa authentication groups group netops local_ipc_access true",
    "show configuration",
    "commit check",
    "commit",
    "show configuration",
    "end",
    "show users | include dave | count",
  );
  assertEquals([pasted.code, pasted.stderr.split("\n").length], [0, 2], pasted.stderr);
  assertEquals(
    pasted.stdout,
    `+aaa authentication users user dave
+ uid 581
+ local_ipc_access true
+ admin false
+!
 aaa authentication users user alice
- local_ipc_access false
+ local_ipc_access true
 !
 aaa authentication groups group netops
- local_ipc_access false
+ local_ipc_access true
 !
the changes can be made
no changes
1
`.replace("made\n", "made\n3 changes committed\n"),
  );
  assertEquals(
    fixture.text,
    CONFIG.replace("false } # on leave", "true } # on leave")
      .replace(
        "admin: true }\n",
        "admin: true }\n  - { name: dave, uid: 581, local_ipc_access: true }\n",
      )
      .replace("2000, local_ipc_access: false", "2000, local_ipc_access: true"),
  );
});

Deno.test("bad lines and bad changes are errors, and the draft stays (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  const cases: readonly [lines: readonly string[], exit: number, part: string][] = [
    [["aaa authentication users user alice uid x"], 64, '"x" is not a uid'],
    [["aaa authentication users user alice admin 1"], 64, "admin is true or false"],
    [["no aaa authentication users user eve"], 64, "There is no user eve"],
    [[`no ${ALICE} uid`], 64, "a user has a uid"],
    [["deny alice"], 64, '"deny" does not fit here'],
    [["commit confirmed 0", "exit"], 64, "no number of seconds"],
    [["aaa authentication users user eve admin true", "commit"], 65, 'The user "eve" has no uid'],
    [[`${ALICE} uid 5`, "commit check"], 77, "only a trusted peer may change a uid"],
    [[`${ALICE} local_ipc_access true`, "exit"], 65, "1 change is not committed, and would be"],
    [[`${ALICE} local_ipc_access true`], 65, "1 change is not committed"],
  ];
  for (const [lines, exit, part] of cases) {
    const { code, stderr } = await fixture.pipe("config", ...lines);
    assertEquals(code, exit, stderr);
    assertStringIncludes(stderr, part);
    assertEquals(/\nipcauth: error: .*\nhint: /.test(stderr), true, stderr);
  }
  assertEquals(fixture.text, CONFIG);
  // What is refused is still in the draft.
  const { stdout } = await fixture.pipe(
    "config",
    `${ALICE} local_ipc_access true`,
    "aaa authentication users user eve admin true",
    "commit",
    "no aaa authentication users user eve",
    "commit",
  );
  assertStringIncludes(stdout, "1 change committed\n");
});

Deno.test("a changed configuration is shown, and rebase keeps the draft (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  // Root commits while bob's script waits at `show users`: both have the same base.
  const child = fixture.program.command(
    ["ipcauth", "connect", `--unix=${fixture.program.path("s")}`],
    { ...BOB, input: "" },
  ).spawn();
  const writer = child.stdin.getWriter();
  const send = (text: string) => writer.write(new TextEncoder().encode(text));
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  const expect = async (part: string) => {
    while (!seen.includes(part)) {
      const { done, value } = await output.read();
      if (done) throw new Error(`"${part}" did not come:\n${seen}`);
      seen += value;
    }
  };
  await send(`config\n${ALICE} local_ipc_access true\nshow configuration\n`);
  await expect("+ local_ipc_access true\n !\n");
  {
    using root = await RpcSession.unix(fixture.program.path("s"));
    const { base } = (await root.call("config.entries")).result;
    const changes = [{ user: "alice", set: { uid: 600 } }, { group: "netops", remove: true }];
    assertEquals((await root.call("config.commit", { base, changes })).error, undefined);
  }
  const theirs = fixture.text;
  await send("commit\nshow configuration | count\n");
  await expect(
    ` aaa authentication users user alice\n- uid 578\n+ uid 600\n !\n` +
      `-aaa authentication groups group netops\n- gid 2000\n- local_ipc_access false\n-!\n4\n`,
  );
  assertEquals(fixture.text, theirs);
  await send("rebase\ncommit\nend\n");
  await expect("1 change committed\n");
  await writer.close();
  const stderr = (await new Response(child.stderr).text()).split("\n");
  assertEquals((await child.status).code, 65);
  await output.cancel();
  assertEquals(stderr.slice(1, 3), [
    "ipcauth: error: The configuration has changed since the draft was begun: users, groups",
    "hint: rebase puts this draft on it; then show configuration, and commit",
  ]);
  assertEquals(fixture.text, theirs.replace("local_ipc_access: false", "local_ipc_access: true"));
});

Deno.test("what would refuse its author needs --yes or commit force (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  const own = "aaa authentication users user bob local_ipc_access false";
  const refused: readonly (readonly string[])[] = [
    ["deny bob"],
    ["set user bob local_ipc_access false"],
    ["remove user bob"],
    ["config", own, "commit", "revert"],
    ["config", own, "commit confirmed 5", "revert"],
  ];
  for (const commands of refused) {
    const { code, stderr } = await fixture.run([], ...commands);
    assertEquals([code, fixture.text], [65, CONFIG], stderr);
    assertStringIncludes(stderr, "This would refuse bob, who asks for it, and end the session");
    const hint = commands[0] === "config" ? "commit force" : "ipcauth connect --yes";
    assertStringIncludes(stderr, `hint: ${hint}`);
  }
  const check = await fixture.run([], "config", own, "commit check", "revert");
  assertEquals(
    check.stdout,
    "the changes can be made, and would refuse you: commit force\n1 change dropped\n",
  );
  // The others are not asked about.
  assertEquals((await fixture.run([], "deny alice", "set user bob admin true")).code, 0);
  await fixture.run([], "config", own, "commit force");
  assertStringIncludes(fixture.text, "name: bob, uid: 579, local_ipc_access: false");
  await fixture.program.write("config.yaml", CONFIG);
  await fixture.run(["--yes"], "deny bob");
  assertStringIncludes(fixture.text, "name: bob, uid: 579, local_ipc_access: false");
});

Deno.test("a commit is confirmed from another session, by its author or on purpose (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  const confirmed = (value: boolean) =>
    fixture.run([], "config", `${ALICE} local_ipc_access ${value}`, "commit confirmed 60");
  assertEquals((await confirmed(true)).stderr, "");
  assertEquals((await fixture.run([], "commit")).stdout, "the commit of bob is confirmed\n");
  assertEquals((await fixture.run([], "commit")).stdout, "no changes\n");
  await confirmed(false);
  const root = (...commands: string[]) =>
    fixture.program.run([
      ...["connect", `--unix=${fixture.program.path("s")}`],
      ...commands.flatMap((command) => ["-c", command]),
    ]);
  const other = await root("commit");
  assertEquals(other.code, 64, other.stderr);
  assertStringIncludes(other.stderr, "a commit of bob waits to be confirmed");
  const later = await fixture.run([], "config", "commit confirmed 90");
  assertEquals(later.stdout, "undone in 90 s unless you confirm\n");
  assertEquals((await root("config", "confirm")).stdout, "the commit of bob is confirmed\n");
  assertEquals(await fixture.server.stop(), 0);
  assertEquals(fixture.text, CONFIG);
});

type Script = readonly (readonly ["expect" | "send" | "run", string])[];

Deno.test("at a terminal a draft is made, left, confirmed, and asked about (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using fixture = await Fixture.open();
  const script: Script = [
    ["expect", "bob@ipcauth# "],
    ["send", "conf\r"],
    ["expect", "bob@ipcauth(config)# "],
    ["send", "aaa authentication users user al\t"],
    ["expect", "user alice "],
    ["send", "\r"],
    ["expect", "bob@ipcauth(config-user-alice)# "],
    ["send", "local_ipc_access true\r"],
    ["expect", "bob@ipcauth(config-user-alice)# "],
    ["send", "exit\r"],
    ["expect", "bob@ipcauth(config)# "],
    // Ctrl-D leaves a level, and not the session; where something is asked it means no.
    ["send", "\x04"],
    ["expect", "dropped. Go on? [yes, no] "],
    ["send", "\x04"],
    ["expect", "bob@ipcauth(config)# "],
    ["send", "exit\r"],
    ["expect", "1 change is not committed, and would be dropped. Go on? [yes, no] "],
    ["send", "perhaps\r"],
    ["expect", "Go on? [yes, no] "],
    ["send", "no\r"],
    ["expect", "bob@ipcauth(config)# "],
    ["send", "show configuration\r"],
    ["expect", "+ local_ipc_access true"],
    ["send", "commit confirmed 60\r"],
    ["expect", "1 change committed; undone in 60 s unless you commit again, or confirm"],
    ["expect", "bob@ipcauth(config)# "],
    ["send", "commit\r"],
    ["expect", "the commit of bob is confirmed"],
    ["send", "aaa authentication users user bob local_ipc_access false\r"],
    ["send", "commit\r"],
    ["expect", "This would refuse bob, who asks for it, and end the session. Go on? [yes, no] "],
    ["send", "no\r"],
    ["expect", "bob@ipcauth(config)# "],
    ["send", "end\r"],
    ["expect", "would be dropped. Go on? [yes, no] "],
    ["send", "yes\r"],
    ["expect", "bob@ipcauth# "],
    ["send", "deny bob\r"],
    ["expect", "and end the session. Go on? [yes, no] "],
    ["send", "no\r"],
    ["expect", "bob@ipcauth# "],
    ["send", "deny bob\r"],
    ["expect", "Go on? [yes, no] "],
    ["send", "yes\r"],
  ];
  const terminal = await Deno.readTextFile(TERMINAL);
  const connect = ["ipcauth", "connect", `--unix=${fixture.program.path("s")}`];
  const { code, stdout, stderr } = await fixture.program.execute(
    ["/usr/bin/python3", "-c", terminal, JSON.stringify(script), ...connect],
    { ...BOB, env: { TERM: "xterm" } },
  );
  assertEquals([code === 0, code === 99], [false, false], stderr + stdout);
  assertEquals(
    fixture.text,
    CONFIG.replace("false } # on leave", "true } # on leave")
      .replace("579, local_ipc_access: true", "579, local_ipc_access: false"),
  );
  assertEquals((await fixture.server.event("revoke")).user, "bob");
});
