/** `run-as`: the ids it sets, the program it becomes, and what it refuses. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { hasPrivateSystem, MEMBER } from "../support/private_system.ts";
import { isRoot, type Options, Program } from "../support/program.ts";

const options = { ignore: !isRoot };

async function withProgram<T>(
  use: (
    run: (argv: string[], more?: Options) => ReturnType<Program["run"]>,
    program: Program,
  ) => Promise<T>,
): Promise<T> {
  await using program = await Program.install({ privateSystem: true });
  return await use((argv, more) => program.run(["run-as", ...argv], more), program);
}

Deno.test(
  "run-as sets real, effective, saved and file system ids and the groups (needs root)",
  options,
  () =>
    withProgram(async (run) => {
      const ids = async (user: string) => {
        const { stdout, code } = await run([
          user,
          "--",
          "grep",
          "-E",
          "^(Uid|Gid|Groups)",
          "/proc/self/status",
        ]);
        assertEquals(code, 0);
        return stdout.replaceAll(/[ \t]+/g, " ").replaceAll(/ $/gm, "");
      };
      assertEquals(await ids("579"), "Uid: 579 579 579 579\nGid: 579 579 579 579\nGroups:\n");
      assertEquals(
        await ids("579:2000"),
        "Uid: 579 579 579 579\nGid: 2000 2000 2000 2000\nGroups:\n",
      );
      assertEquals(await ids("579:daemon"), "Uid: 579 579 579 579\nGid: 1 1 1 1\nGroups:\n");
      const daemon = await ids("daemon");
      assertStringIncludes(daemon, "Uid: 1 1 1 1\nGid: 1 1 1 1\n");
      assertEquals(await ids("1"), daemon);
    }),
);

Deno.test(
  "run-as sets all groups that the name service has for a user (needs root)",
  options,
  () =>
    withProgram(async (run, program) => {
      const [name, groups] = hasPrivateSystem
        ? [MEMBER.name, `${MEMBER.gids.join(" ")}\n`]
        : ["man", (await program.execute(["id", "-G", "man"])).stdout];
      assertEquals((await run([name, "--", "id", "-G"])).stdout, groups);
    }),
);

Deno.test(
  "run-as becomes the program: same pid, its exit status, its signals (needs root)",
  options,
  () =>
    withProgram(async (run, program) => {
      assertEquals((await run(["579", "--", "sh", "-c", "exit 7"])).code, 7);
      const child = program.command([
        "ipcauth",
        "run-as",
        "579",
        "--",
        "sh",
        "-c",
        "echo $$; exec sleep 60",
      ]).spawn();
      const reader = child.stdout.getReader();
      assertEquals(new TextDecoder().decode((await reader.read()).value).trim(), String(child.pid));
      child.kill("SIGTERM");
      assertEquals((await child.status).signal, "SIGTERM");
      await reader.cancel();
      await child.stderr.cancel();
    }),
);

Deno.test(
  "run-as keeps signals, limits, descriptors, umask and directory as they are (needs root)",
  options,
  () =>
    withProgram(async (_run, program) => {
      const wrap = (start: string) => [
        "sh",
        "-c",
        `ulimit -Sn 321; umask 027; exec 7</dev/zero; cd /usr; ${start} python3 -c "$1"; exit $?`,
        "sh",
        REPORT,
      ];
      const direct = await program.execute(wrap(""), { uid: 0 });
      const through = await program.execute(wrap("ipcauth run-as 0 --"), { uid: 0 });
      assertEquals(direct.code, 0);
      assertEquals(through, direct);
      assertStringIncludes(through.stdout, "files 321\n");
      assertStringIncludes(through.stdout, "'7 /dev/zero'");
      const other = await program.execute(wrap("ipcauth run-as 579 --"), { uid: 0 });
      assertEquals(other, direct);
    }),
);

Deno.test(
  "run-as passes arguments on unchanged (needs root)",
  options,
  () =>
    withProgram(async (run) => {
      const args = ["", "a b", "--", "-x", "ü€😀", "line\nbreak", "$HOME", "*"];
      const { stdout } = await run([
        "579",
        "--",
        "python3",
        "-c",
        "import sys; print(ascii(sys.argv[1:]))",
        ...args,
      ]);
      assertEquals(
        stdout.trim(),
        `['', 'a b', '--', '-x', '\\xfc\\u20ac\\U0001f600', 'line\\nbreak', '$HOME', '*']`,
      );
    }),
);

Deno.test(
  "run-as sets the variables that depend on the user, and no others (needs root)",
  options,
  () =>
    withProgram(async (run) => {
      const env = { HOME: "/root", USER: "root", LOGNAME: "root", SHELL: "/bin/odd", KEPT: "yes" };
      const read = async (user: string) =>
        (await run([user, "--", "sh", "-c", 'echo "$HOME $USER $LOGNAME $SHELL $KEPT"'], { env }))
          .stdout.trim();
      assertEquals(await read("daemon"), "/usr/sbin daemon daemon /usr/sbin/nologin yes");
      // A uid without an account has no home, and must not write to root's.
      assertEquals(await read("579"), "/    yes");
    }),
);

Deno.test(
  "run-as resets SIGPIPE to its default (needs root)",
  options,
  () =>
    withProgram(async (run) => {
      const { stdout } = await run([
        "579",
        "--",
        "bash",
        "-c",
        "yes | head -1; echo ${PIPESTATUS[0]}",
      ]);
      assertEquals(stdout, "y\n141\n");
    }),
);

/**
 * Prints the umask, the signals (32 and 33 belong to the C library), the limit of open files, the
 * descriptors and the working directory of a program.
 */
const REPORT = `
import os, re, resource
status = open("/proc/self/status").read()
print(*re.findall("Umask:.*", status), *re.findall("Sig(?:Blk|Ign):.*(.{7})\\\\b", status))
print("files", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
own = []
for fd in sorted(map(int, os.listdir("/proc/self/fd"))):
    try: own.append(re.sub(":.*", "", f"{fd} {os.readlink(f'/proc/self/fd/{fd}')}"))
    except OSError: pass
print(own, os.getcwd())
`;

for (
  const target of [
    "0day",
    "-1",
    "4294967295",
    "4294967296",
    "",
    " 5",
    "5 ",
    "1e3",
    "0x10",
    "05",
    "+5",
    "5:",
    ":5",
    "5:6:7",
    "5:0day",
    "5:-1",
    "５",
    "nosuchuser",
    "5:nosuchgroup",
    "a\nb",
  ]
) {
  Deno.test(
    `run-as refuses ${JSON.stringify(target)} with status 125 and starts no program (needs root)`,
    options,
    () =>
      withProgram(async (run) => {
        const { code, stdout, stderr } = await run([target, "--", "echo", "started"]);
        assertEquals([code, stdout], [125, ""]);
        assertMatch(stderr, /^ipcauth: error: .*\nhint: .*\n$/);
      }),
  );
}

Deno.test(
  "run-as exits with 127 for a missing program, and 126 for one it cannot execute (needs root)",
  options,
  () =>
    withProgram(async (run, program) => {
      assertEquals((await run(["579", "--", "nosuchprogram"])).code, 127);
      assertEquals((await run(["579", "--", "/nosuch/program"])).code, 127);
      assertEquals((await run(["579", "--", "/etc/passwd"])).code, 126);
      assertEquals((await run(["579", "--", "/tmp"])).code, 126);
      // Root could; the user that it becomes cannot.
      const secret = await program.write("secret", "#!/bin/sh\necho started\n", 0o700);
      const outcome = await run(["579", "--", secret]);
      assertEquals([outcome.code, outcome.stdout], [126, ""]);
    }),
);

Deno.test(
  "run-as without root is refused, unless it changes no id (needs root)",
  options,
  () =>
    withProgram(async (run) => {
      const refused = await run(["580", "--", "echo", "started"], { uid: 579 });
      assertEquals([refused.code, refused.stdout], [125, ""]);
      assertStringIncludes(refused.stderr, "hint: sudo ipcauth run-as 580");
      assertEquals((await run(["579:0", "--", "true"], { uid: 579 })).code, 125);
      assertEquals((await run(["579", "--", "id", "-u"], { uid: 579 })).stdout.trim(), "579");
    }),
);

Deno.test(
  "ipcauth run-as 579 -- ipcauth connect works (needs root)",
  options,
  () =>
    withProgram(async (run, program) => {
      const file = await program.write(
        "c.yaml",
        "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n",
      );
      const env = { IPCAUTH_PATH: program.path("s"), IPCAUTH_CONFIG: file };
      await using _server = await program.serve(["--unix"], { env });
      const { code, stderr } = await run(["579", "--", "ipcauth", "connect"], { env, input: "" });
      assertEquals(code, 0);
      assertMatch(stderr, /^bob connected from 127\.0\.0\.1 using console on /);
    }),
);

Deno.test("every command reports a removed working directory in one line", () =>
  withProgram(async (_run, program) => {
    const gone = program.path("gone");
    for (const [command, status] of [["--version", 71], ["run-as 5 -- true", 125]] as const) {
      await Deno.mkdir(gone);
      const line = `cd ${gone} && rmdir ${gone} && exec ipcauth ${command}`;
      const { code, stderr } = await program.execute(["sh", "-c", line]);
      assertStringIncludes(stderr, "ipcauth: error: The current directory is gone\nhint: cd /\n");
      assertEquals(stderr.includes("Stack"), false);
      assertEquals(code, status);
    }
  }));
