/** Edge cases of `run-as`: what it passes on to the program, and its failures. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runAs } from "../../lib/cli/run_as.ts";
import { Failure } from "../../lib/errors.ts";
import { isRoot, type Outcome, Program } from "../support/program.ts";

const options = { ignore: !isRoot };

function failureOf(who: string, program: string[]): Failure {
  try {
    return runAs({ who, program, allowTtyInput: false, warn: () => {} });
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

for (
  const who of ["", ":", "no-such-user", "4294967295", "0x0", "０", "root:", "root:-1", "0:0:0"]
) {
  Deno.test(`runAs() refuses ${JSON.stringify(who)} before it changes anything`, () => {
    // If it were not refused, this process would become `false`, and the test run would fail.
    const failure = failureOf(who, ["false"]);
    assertEquals([failure.exit, failure.message.includes("\n")], [125, false]);
    assertStringIncludes(failure.hint!, "ipcauth ");
  });
}

Deno.test("runAs() refuses to run no program", () => {
  assertEquals(failureOf("0", []).exit, 125);
});

/** Runs a shell script that has `ipcauth` in its PATH. */
async function script(
  text: string,
  more: { env?: Record<string, string>; uid?: number; groups?: number[] } = {},
): Promise<Outcome> {
  await using program = await Program.install({ privateSystem: true });
  return await program.execute(["sh", "-c", text], more);
}

Deno.test("run-as passes on arguments that are not UTF-8 (needs root)", options, async () => {
  const { stdout } = await script(
    `ipcauth run-as 579 -- printf %s "$(printf 'a\\377b')" ü | od -An -tx1`,
  );
  assertEquals(stdout.trim(), "61 ff 62 c3 bc");
});

Deno.test(
  "run-as reads no byte of the program's standard input (needs root)",
  options,
  async () => {
    const { stdout } = await script(
      `printf 'first\\nsecond\\nthird\\n' |
       { read a; ipcauth run-as 579 -- sh -c 'read b; echo $b'; cat; }`,
    );
    assertEquals(stdout, "second\nthird\n");
  },
);

Deno.test(
  "run-as restores the default action of SIGPIPE, so that a pipeline ends (needs root)",
  options,
  async () => {
    const { stdout } = await script(
      `{ { ipcauth run-as 579 -- yes; echo "ended with $?" >&3; } | head -1; } 3>&1`,
    );
    assertEquals(stdout, "y\nended with 141\n");
  },
);

Deno.test("run-as passes on the terminal (needs root)", options, async () => {
  const ask = "import os, sys; t = open('/dev/tty'); " +
    "print(os.isatty(0), os.isatty(1), os.tcgetpgrp(t.fileno()) == os.getpgrp())";
  const pty = `import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))`;
  const { stdout, code } = await script(
    `python3 -c "${pty}" ipcauth run-as 579 -- /usr/bin/env python3 -c "${ask}"`,
    { env: { PYENV_VERSION: "system" } },
  );
  assertEquals([stdout.trim().split("\r\n").at(-1), code], ["True True True", 0]);
});

Deno.test(
  "run-as adds no variable but those of the user (needs root)",
  options,
  async () => {
    // With a home that it cannot write to, the launcher disables the runtime's cache by a variable.
    const { stdout } = await script("ipcauth run-as 579 -- env | sort | cut -d= -f1", {
      env: { HOME: "/nonexistent/home", PWD: "/" },
    });
    assertEquals(stdout.trim().split("\n"), [
      ...["HOME", "IPCAUTH_CONFIG", "LANG", "PATH", "PWD"],
    ]);
  },
);

Deno.test(
  "run-as reports a missing program though the user may not search all of PATH (needs root)",
  options,
  async () => {
    const { code, stderr } = await script(
      `mkdir -m 700 closed; PATH="$PWD/closed:$PATH"; ipcauth run-as 579 -- no-such-program`,
    );
    assertEquals(code, 127);
    assertStringIncludes(stderr, 'Cannot run "no-such-program": no such file or directory');
  },
);

Deno.test("run-as reports why a program cannot be executed (needs root)", options, async () => {
  const { code, stderr } = await script(
    `printf '#!/bin/sh\\n' > p; chmod 755 p; exec 9>>p; ipcauth run-as 579 -- ./p`,
  );
  assertEquals(code, 126);
  assertStringIncludes(stderr, 'Cannot run "./p": a process is writing to it');
});

Deno.test("run-as hints at the whole command that would work (needs root)", options, async () => {
  const { code, stdout, stderr } = await script(`ipcauth run-as 580 -- sh -c 'echo "a  b"'`, {
    uid: 579,
  });
  assertEquals([code, stdout], [125, ""]);
  assertEquals(
    stderr,
    "ipcauth: error: Only root can become 580\n" +
      `hint: sudo ipcauth run-as 580 -- sh -c 'echo "a  b"'\n`,
  );
});

Deno.test(
  "run-as hints on one line when an argument holds a newline (needs root)",
  options,
  async () => {
    const { stderr } = await script(`ipcauth run-as 580 -- "$(printf 'a\\nb\\033[31m')"`, {
      uid: 579,
    });
    assertEquals(stderr.split("\n").slice(1), ["hint: sudo ipcauth run-as 580 -- …", ""]);
  },
);

Deno.test(
  "run-as without root fails when it cannot drop a group (needs root)",
  options,
  async () => {
    const { code, stdout, stderr } = await script("ipcauth run-as 579 -- echo started", {
      uid: 579,
      groups: [2000],
    });
    assertEquals([code, stdout], [125, ""]);
    assertStringIncludes(stderr, "Only root can take on the groups of 579");
  },
);

Deno.test("run-as needs no root for the caller's own user (needs root)", options, async () => {
  const { stdout } = await script("ipcauth run-as 579 -- id -G", { uid: 579, groups: [579] });
  assertEquals(stdout, "579\n");
});

Deno.test(
  "run-as starts nothing when root lacks CAP_SETUID, and says so (needs root)",
  options,
  async () => {
    const limited = "setpriv --bounding-set=-setuid,-setgid";
    const { code, stdout, stderr } = await script(`${limited} ipcauth run-as 579 -- echo started`);
    assertEquals([code, stdout], [125, ""]);
    assertStringIncludes(stderr, "root's rights are limited");
  },
);

Deno.test(
  "run-as starts nothing when the program could become root again (needs root)",
  options,
  async () => {
    const kept = "setpriv --securebits=+no_setuid_fixup";
    const { code, stdout, stderr } = await script(`${kept} ipcauth run-as 579 -- echo started`);
    assertEquals([code, stdout], [125, ""]);
    assertStringIncludes(stderr, "root could be taken back");
  },
);

Deno.test(
  "run-as from root to root changes no id (needs root)",
  options,
  async () => {
    const { stdout } = await script("ipcauth run-as root -- id -u; ipcauth run-as 0:0 -- id -g");
    assertEquals(stdout, "0\n0\n");
  },
);
