/** The completions: what their table says, and what they do in the three shells at a terminal. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { COMMANDS, parseCommandLine } from "../../lib/cli/arguments.ts";
import { completionProgram } from "../../lib/cli/completion_awk.ts";
import { type CompletionEntry, GLOBAL, TABLE } from "../../lib/cli/completion_table.ts";
import { completionScript } from "../../lib/cli/completions.ts";
import { Failure } from "../../lib/errors.ts";
import { SHELLS, type TypedLine, typeInto } from "../support/shell_terminal.ts";

function has(program: string): boolean {
  return new Deno.Command("sh", { args: ["-c", `command -v ${program}`], stdout: "null" })
    .outputSync().success;
}

/** A name that a shell would run, one that it would split, and one of every usual kind. */
const CONFIG = (pwned: string) =>
  `# users: [{ name: comment, uid: 1 }]
listeners:
  - { tcp: "127.0.0.1:4569", keys: [{ file: /etc/ipcauth/bob.key, user: bob }] }
  - tcp: "[::1]:4570"   # the second
    keys:
      - file: /etc/ipcauth/alice.key
users:
  - { name: alice, uid: 578 } # name: commented
  - name: bob
    uid: 579
  - { name: "carol@example.com", uid: 580 }
  - { name: 'CORP\\eve', uid: 581 }
  - { name: "evil$(touch ${pwned})", uid: 582 }
  - { name: "wicked\`touch ${pwned}\`;touch ${pwned}", uid: 583 }
  # No name, and it would be taken for what a shell offers itself.
  - { name: ":commands", uid: 584 }
groups:
  - { name: netops, gid: 5 }
  - { name: domain users }
`;

class Fixture implements Disposable {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "ipcauth-test-" }));
  readonly config = this.path("config.yaml");
  readonly pwned = this.path("pwned");

  constructor() {
    Deno.writeTextFileSync(this.config, CONFIG(this.pwned));
    Deno.writeTextFileSync(this.path("unusual-file.key"), "");
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** What the program prints for words behind `ipcauth`, without the explanations. */
  offers(words: readonly string[], awk = "awk", env: Record<string, string> = {}): string[] {
    const [program, ...flags] = awk.split(" ");
    const { stdout, stderr, success } = new Deno.Command(program!, {
      args: [...flags, completionProgram(), "579", ...words],
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin", IPCAUTH_CONFIG: this.config, HOME: this.directory, ...env },
      stdin: "null",
    }).outputSync();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    return new TextDecoder().decode(stdout).split("\n").slice(0, -1).map((line) =>
      line.split("\t")[0]!
    );
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

const USERS = (pwned: string) => [
  ...["alice", "bob", "carol@example.com", "CORP\\eve"],
  ...[`evil$(touch ${pwned})`, `wicked\`touch ${pwned}\`;touch ${pwned}`],
];
const FILES = [":files"];

for (const awk of ["mawk", "gawk --posix", "original-awk", "busybox awk", "awk"]) {
  Deno.test({
    name: `the program completes what fits, in ${awk}`,
    ignore: !has(awk.split(" ")[0]!),
    fn: () => {
      using fixture = new Fixture();
      const offers = (...words: string[]) => fixture.offers(words, awk);
      const users = USERS(fixture.pwned);
      const flags = Object.keys(GLOBAL);
      assertEquals(offers(""), [...COMMANDS]);
      assertEquals(offers("-"), flags);
      assertEquals(offers("--config", "x", ""), [...COMMANDS]);
      assertEquals(offers("users", ""), Object.keys(TABLE.users.verbs!));
      assertEquals(offers("keys", ""), Object.keys(TABLE.keys.verbs!));
      assertEquals(offers("keys", "revoke", "-"), ["--listener", "--json", ...flags]);
      assertEquals(offers("users", "show", ""), users);
      assertEquals(offers("users", "--json", "deny", "b"), ["bob"]);
      assertEquals(offers("users", "deny", "bob", ""), []);
      assertEquals(offers("users", "check", "al"), ["alice", ":accounts"]);
      assertEquals(offers("users", "set", "bob", ""), ["uid", "gid", "local_ipc_access", "admin"]);
      assertEquals(offers("users", "set", "bob", "admin", ""), ["true", "false"]);
      assertEquals(offers("users", "set", "bob", "gid", ""), ["none"]);
      assertEquals(offers("users", "add", "x", "--uid", ""), []);
      assertEquals(offers("groups", "allow", ""), ["netops", "domain users"]);
      assertEquals(offers("groups", "set", "netops", ""), ["gid", "local_ipc_access"]);
      assertEquals(offers("gen-key", "a.key", "--user", "c"), ["carol@example.com"]);
      assertEquals(offers("gen-key", "--user=c"), ["--user=carol@example.com"]);
      assertEquals(offers("gen-key", "--listener", ""), ["127.0.0.1:4569", "[::1]:4570"]);
      assertEquals(offers("keys", "rotate", ""), [
        "/etc/ipcauth/bob.key",
        "/etc/ipcauth/alice.key",
      ]);
      assertEquals(offers("serve", "--color=a"), [
        ...["--color=auto", "--color=always", "--color=never"],
      ]);
      assertEquals(offers("serve", "--identity", ""), ["none", "proxy-v2", "impersonate"]);
      assertEquals(offers("serve", "--forward", ""), ["unix:", "tcp:"]);
      assertEquals(offers("serve", "--forward", "unix:/r"), FILES);
      assertEquals(offers("connect", "--unix", ""), FILES);
      assertEquals(offers("connect", "--unix", "--pi").slice(0, 1), ["--unix"]);
      assertEquals(offers("connect", "-c", ""), []);
      assertEquals(offers("keys", "add", ""), FILES);
      assertEquals(offers("config", "check", ""), FILES);
      assertEquals(offers("status", ""), []);
      assertEquals(offers("help", ""), [...COMMANDS]);
      assertEquals(offers("completions", ""), ["bash", "zsh", "fish"]);
      assertEquals(offers("run-as", ""), [":runas"]);
      assertEquals(offers("run-as", "bob", "i"), [":commands"]);
      assertEquals(offers("run-as", "bob", "--", "i"), [":commands"]);
      assertEquals(offers("run-as", "bob", "--", "id", "-"), FILES);
      assertEquals(offers("serve", "--exec", "--", "id"), [":commands"]);
      assertEquals(offers("nosuch", ""), []);
      assertEquals(offers("nosuch", "--nosuch=x"), []);
      assert(offers("serve", "").every((word) => !word.startsWith("-")));
      assert(!has(fixture.pwned) && !exists(fixture.pwned));
    },
  });
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("the program finds the configuration as ipcauth does, and reads nothing that may block", () => {
  using fixture = new Fixture();
  const at = (name: string) => {
    const directory = fixture.path(name);
    Deno.mkdirSync(`${directory}/ipcauth`, { recursive: true });
    Deno.writeTextFileSync(
      `${directory}/ipcauth/config.yaml`,
      `users: [{ name: ${name}, uid: 1 }]\n`,
    );
    return directory;
  };
  const home = { IPCAUTH_CONFIG: "", HOME: fixture.directory };
  const offers = (env: Record<string, string>, ...flags: string[]) =>
    fixture.offers([...flags, "users", "show", ""], "awk", { ...home, ...env });
  assertEquals(offers({ XDG_CONFIG_HOME: at("xdg") }), ["xdg"]);
  at(".config");
  assertEquals(offers({}), [".config"]);
  const named = `${at("named")}/ipcauth/config.yaml`;
  assertEquals(offers({ IPCAUTH_CONFIG: named }), ["named"]);
  assertEquals(offers({}, "--config", named), ["named"]);
  assertEquals(offers({}, "--config", "~/named/ipcauth/config.yaml"), ["named"]);
  const pipe = fixture.path("pipe");
  new Deno.Command("mkfifo", { args: [pipe] }).outputSync();
  for (const path of [pipe, "/dev/stdin", "/dev/tty", fixture.directory, "/none", "a'b;$(c)\\"]) {
    assertEquals(offers({ IPCAUTH_CONFIG: path }), [], path);
  }
});

Deno.test("the program reads no key, and starts no other program but test", {
  ignore: !has("strace"),
}, () => {
  using fixture = new Fixture();
  const trace = fixture.path("trace");
  fixture.offers(
    ["keys", "revoke", ""],
    `strace -f -o ${trace} -e trace=openat,execve awk`,
  );
  const calls = Deno.readTextFileSync(trace);
  assertEquals(
    /\.key|deno|ipcauth"/.exec(calls.replaceAll(fixture.config, "CONFIG"))?.[0],
    undefined,
  );
  assert(calls.includes(fixture.config), calls);
});

/** Each command and verb with its entry. */
function* contexts(): Generator<[words: string[], entry: CompletionEntry]> {
  for (const [command, entry] of Object.entries(TABLE)) {
    yield [[command], entry];
    for (const [verb, one] of Object.entries(entry.verbs ?? {})) yield [[command, verb], one];
  }
}

Deno.test("the table has the flags that the command line takes, and no other", () => {
  const all = new Map<string, string>();
  for (const [, { flags = {} }] of contexts()) {
    for (const [flag, { kind }] of Object.entries(flags)) all.set(flag, kind);
  }
  for (const [words, { flags = {}, verbs }] of contexts()) {
    if (verbs !== undefined) continue;
    for (const [flag, kind] of all) {
      const value = kind === "-" ? [] : [flag === "--not-after" ? "2999-01-01T00:00:00Z" : "5"];
      let message = "";
      try {
        parseCommandLine([...words, flag, ...value]);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        message = error.message;
      }
      const isTaken = !/There is no flag|does not go with|goes with \w+ \w+ only/.test(message);
      assertEquals(flag in flags, isTaken, `${words.join(" ")} ${flag}: ${message}`);
    }
  }
});

Deno.test("the scripts name each command, and quote the program", () => {
  for (const shell of SHELLS) {
    const script = completionScript(shell);
    for (const command of COMMANDS) assert(script.includes(`"${command}"`), command);
    assertEquals(script.includes("PROGRAM"), false);
  }
});

/** Lines that every shell completes alike. @param tab Completes, once or twice. */
const LINES: readonly TypedLine[] = [
  ["ipcauth use\tsho\tali\t\r", "ran <users> <show> <alice>"],
  ["ipcauth users deny carol@ex\t\r", "ran <users> <deny> <carol@example.com>"],
  ["ipcauth users allow CORP\t\r", "ran <users> <allow> <CORP\\eve>"],
  ["ipcauth groups rem\tdom\t\r", "ran <groups> <remove> <domain users>"],
  ["ipcauth users set bob loc\tfal\t\r", "ran <users> <set> <bob> <local_ipc_access> <false>"],
  [
    "ipcauth --log-level=deb\tserve --dro\troo\t\r",
    "ran <--log-level=debug> <serve> <--drop-to> <root>",
  ],
  ["ipcauth --color nev\tstatus\r", "ran <--color> <never> <status>"],
  ["ipcauth keys add unus\t--user bo\t\r", "ran <keys> <add> <unusual-file.key> <--user> <bob>"],
  ["ipcauth connect --key=unus\t\r", "ran <connect> <--key=unusual-file.key>"],
  ["ipcauth gen-key --listener 127\t\r", "ran <gen-key> <--listener> <127.0.0.1:4569>"],
  ["ipcauth keys rotate /etc/ipcauth/a\t\r", "ran <keys> <rotate> </etc/ipcauth/alice.key>"],
  ["ipcauth run-as roo\t-- unam\t\r", "ran <run-as> <root> <--> <uname>"],
  ["ipcauth run-as root:roo\t\r", "ran <run-as> <root:root>"],
  ["ipcauth config che\tunus\t\r", "ran <config> <check> <unusual-file.key>"],
  ["ipcauth help run\t\r", "ran <help> <run-as>"],
];

for (const shell of SHELLS) {
  Deno.test({
    name: `${shell} at a terminal completes commands, names of the machine, fields and files`,
    ignore: !has(shell) || !has("python3"),
    fn: async () => {
      using fixture = new Fixture();
      const explained: TypedLine[] = shell === "bash"
        ? [["ipcauth users \t\t", "allow"]]
        : [["ipcauth users \t", "give a user access"], [
          "ipcauth users show --\t",
          "print one line of JSON",
        ]];
      const shown = await typeInto(
        shell,
        fixture.directory,
        [...LINES, ["ipcauth users show evi\t\r", "ran <users> <show> <evil"], ...explained],
        { IPCAUTH_CONFIG: fixture.config },
      );
      assertEquals(exists(fixture.pwned), false, "a name of the configuration was run");
      assertEquals(/awk:|error|not found|syntax/.exec(shown)?.[0], undefined, shown);
    },
  });

  Deno.test({
    name: `${shell} at a terminal completes whatever awk and IFS are to the person`,
    ignore: !has(shell) || !has("python3"),
    fn: async () => {
      using fixture = new Fixture();
      const settings: TypedLine = shell === "fish"
        ? ['function awk; echo evil; end; set -g IFS a; echo se""t\r', "set"]
        : ['awk() { echo evil; }; alias awk=echo; IFS=a; echo se""t\r', "set"];
      await typeInto(
        shell,
        fixture.directory,
        [settings, ["ipcauth use\tsho\tali\t\r", "ran <users> <show> <alice>"]],
        { IPCAUTH_CONFIG: fixture.config },
      );
    },
  });

  Deno.test({
    name: `${shell} at a terminal prints nothing where the configuration cannot be read`,
    ignore: !has(shell) || !has("python3"),
    fn: async () => {
      using fixture = new Fixture();
      for (const config of ["/none", "/dev/stdin", fixture.directory]) {
        const shown = await typeInto(
          shell,
          fixture.directory,
          [["ipcauth users show bo\t\r", "ran <users> <show> <bo>"]],
          { IPCAUTH_CONFIG: config },
        );
        assertEquals(/awk:|error|cannot|test:/.exec(shown)?.[0], undefined, shown);
      }
    },
  });
}
