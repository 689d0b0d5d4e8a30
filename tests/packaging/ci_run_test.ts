/**
 * `.ci/run` with a stub of `deno`: which tasks it runs, what counts as a failure, what the last
 * line says.
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { copyForStart } from "../../tools/build/executable_file.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/**
 * A stub of `npx --yes deno@VERSION task TASK`. A build ends as `COMPILE` says; a run of tests
 * prints the summary in the variable that is named like the build.
 */
const NPX_STUB = `#!/bin/sh
[ "$1 $2 $3 $#" = "--yes deno@2.9.6 task 4" ] || { echo "unexpected: $*"; exit 1; }
case $4 in
  check | bundle | portable) exit 0 ;;
  compile) exit "$COMPILE" ;;
  test | test-end-to-end) ;;
  *) echo "unexpected: $*"; exit 1 ;;
esac
echo "stub: $IPCAUTH_BUILD $4\${IPCAUTH_BUILD_AGE:+ of any age}"
eval "summary=\\$$IPCAUTH_BUILD"
echo "$summary"
case $summary in *FAILED*) exit 1 ;; esac
`;

interface CiResult {
  readonly code: number;
  /** Standard output and standard error. */
  readonly text: string;
  readonly lastLine: string;
  /** Each run of tests, as `BUILD TASK`. */
  readonly runs: readonly string[];
}

const PASSING = {
  COMPILE: "0",
  bundle: "ok | 10 passed (7 steps) | 0 failed (1m2s)",
  source: "ok | 20 passed (1 step) | 0 failed (3s)",
  portable: "ok | 30 passed | 0 failed (3s)",
  compiled: "ok | 40 passed | 0 failed (3s)",
};

async function writeExecutable(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, 0o755);
  await copyForStart(path);
}

/**
 * Runs `.ci/run` in a directory of its own.
 *
 * @param env Replaces outcomes of the stub.
 * @param builds The arguments.
 */
async function runCi(
  env: Partial<typeof PASSING & { unpacked: string }>,
  builds: readonly string[] = [],
): Promise<CiResult> {
  const directory = await Deno.makeTempDir();
  try {
    const bin = join(directory, "bin");
    await Deno.mkdir(bin);
    await Deno.mkdir(join(directory, ".ci"));
    await Deno.copyFile(join(ROOT, ".ci", "run"), join(directory, ".ci", "run"));
    await writeExecutable(join(bin, "npx"), NPX_STUB);
    // A missing package is not installed by this test.
    await writeExecutable(join(bin, "apt-get"), "#!/bin/sh\n");
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: [join(directory, ".ci", "run"), ...builds],
      env: { ...PASSING, ...env, PATH: `${bin}:${Deno.env.get("PATH")}` },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const decoder = new TextDecoder();
    const lines = decoder.decode(stdout).trim().split("\n");
    return {
      code,
      text: decoder.decode(stdout) + decoder.decode(stderr),
      lastLine: lines.at(-1)!,
      runs: lines.filter((line) => line.startsWith("stub: ")).map((line) => line.slice(6)),
    };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const RUNS = [
  "bundle test",
  ...["source", "portable", "compiled"].map((build) => `${build} test-end-to-end`),
];

Deno.test("CI tests each build, and adds up", async () => {
  const { code, text, lastLine, runs } = await runCi({});
  assertEquals([code, lastLine, runs], [0, "100 passed, 0 failed", RUNS], text);
});

Deno.test("CI tests only the builds that are named, and builds nothing", async () => {
  const unpacked = "ok | 50 passed | 0 failed (3s)";
  const result = await runCi({ COMPILE: "1", unpacked }, ["compiled", "unpacked"]);
  assertEquals(
    [result.code, result.lastLine, result.runs],
    [0, "90 passed, 0 failed", [
      "compiled test-end-to-end of any age",
      "unpacked test-end-to-end of any age",
    ]],
    result.text,
  );
});

Deno.test("CI fails when compiling fails", async () => {
  for (const code of ["1", "69"]) {
    const result = await runCi({ COMPILE: code });
    assertEquals([result.code, result.runs], [1, []]);
  }
});

Deno.test("CI names at its end the tests that were skipped or failed", async () => {
  const { code, text } = await runCi({
    portable: "one ... ignored (0ms)\ntwo ... ok (1ms)\nok | 29 passed | 0 failed | 1 ignored (3s)",
    compiled: "three ... FAILED (1ms)\nFAILED | 39 passed | 1 failed (3s)",
  });
  const end = text.trimEnd().split("\n").slice(-5);
  assertEquals([code, ...end], [
    1,
    "error: tests were skipped, and in CI none may be: test-end-to-end: portable",
    "one ... ignored (0ms)",
    "error: tests failed: test-end-to-end: compiled",
    "three ... FAILED (1ms)",
    "98 passed, 1 failed",
  ]);
});

Deno.test("CI fails when a test fails or is skipped, or a run has no summary", async () => {
  for (
    const [env, expected] of [
      [{ source: "FAILED | 18 passed (2 steps) | 2 failed (1 step) (3s)" }, "98 passed, 2 failed"],
      [{ portable: "ok | 29 passed | 0 failed | 1 ignored (3s)" }, "99 passed, 0 failed"],
      [{ bundle: "ok | 10 passed | 0 failed | 0 ignored (1 step) (3s)" }, "100 passed, 0 failed"],
      [{ source: "error: out of memory" }, "80 passed, 0 failed"],
    ] as const
  ) {
    const result = await runCi(env);
    assertEquals([result.code, result.lastLine, result.runs], [1, expected, RUNS], result.text);
  }
});

/** A test file with a test that passes, one that fails, one that is skipped, and a skipped step. */
const SAMPLE = `Deno.test("passes", async (test) => {
  await test.step("step", () => {});
  await test.step({ name: "skipped step", ignore: true, fn: () => {} });
});
Deno.test("fails", () => {
  throw new Error("expected");
});
Deno.test({ name: "skipped", ignore: true, fn: () => {} });
`;

Deno.test("the summary of the test task has the form that CI counts", async () => {
  const directory = await Deno.makeTempDir();
  try {
    for (const name of ["a", "b"]) {
      await Deno.writeTextFile(join(directory, `${name}_test.ts`), SAMPLE);
    }
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [...manifest.tasks.test.command.split(" ").slice(1), `${directory}/`],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const summary = new TextDecoder().decode(stdout).split("\n")
      .find((line) => line.startsWith("FAILED | "))?.replace(/ \([^()]*\)$/, "");
    assertEquals(summary, "FAILED | 2 passed (2 steps) | 2 failed | 2 ignored (2 steps)");
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
