/** What CI runs, with a Deno that only says what it was asked: what counts as failed, and what the last line says. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

/** Instead of `npx`: each run of tests and each task ends as an environment variable says. */
const NPX = `#!/bin/sh
shift 2
case "$1 $2" in
  "task check" | "task bundle" | "task portable") exit 0 ;;
  "task compile") exit "$COMPILE" ;;
  "task test" | "test "*) ;;
  *) echo "not expected: $*"; exit 1 ;;
esac
for last; do :; done
echo "asked: $IPCAUTH_BUILD $last"
eval "summary=\\$$IPCAUTH_BUILD"
echo "$summary"
case $summary in FAILED*) exit 1 ;; esac
`;

interface Said {
  readonly code: number;
  readonly text: string;
  readonly last: string;
  readonly asked: readonly string[];
}

const GOOD = {
  COMPILE: "69",
  bundle: "ok | 10 passed (7 steps) | 0 failed (1m2s)",
  source: "ok | 20 passed (1 step) | 0 failed (3s)",
  portable: "ok | 30 passed | 0 failed (3s)",
  compiled: "ok | 40 passed | 0 failed (3s)",
};

async function ci(env: Partial<typeof GOOD>, executable = false): Promise<Said> {
  const place = await Deno.makeTempDir();
  try {
    const bin = join(place, "bin");
    await Deno.mkdir(bin);
    await Deno.mkdir(join(place, ".ci"));
    await Deno.copyFile(join(ROOT, ".ci", "run"), join(place, ".ci", "run"));
    await Deno.copyFile(join(ROOT, "deno.json"), join(place, "deno.json"));
    await Deno.writeTextFile(join(bin, "npx"), NPX);
    await Deno.chmod(join(bin, "npx"), 0o755);
    // Nothing is installed for this.
    await Deno.writeTextFile(join(bin, "apt-get"), "#!/bin/sh\n");
    await Deno.chmod(join(bin, "apt-get"), 0o755);
    if (executable) {
      await Deno.mkdir(join(place, "dist"));
      for (const name of ["x64", "arm64"]) {
        const path = join(place, "dist", `ipcauth-linux-${name}`);
        await Deno.writeTextFile(path, "#!/bin/sh\n");
        await Deno.chmod(path, 0o755);
      }
    }
    const { code, stdout, stderr } = await new Deno.Command("bash", {
      args: [join(place, ".ci", "run")],
      env: { ...GOOD, ...env, PATH: `${bin}:${Deno.env.get("PATH")}` },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    const asked = lines.filter((line) => line.startsWith("asked: ")).map((line) => line.slice(7));
    return { code, text, last: lines.at(-1)!, asked };
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

const RUNS = ["bundle test", "source tests/end_to_end/", "portable tests/end_to_end/"];

Deno.test("CI tries source, bundle and portable, says why not the executable, and adds up", async () => {
  const { code, text, last, asked } = await ci({});
  assertEquals([code, last, asked], [0, "60 passed, 0 failed", RUNS], text);
  assertStringIncludes(text, "left out: the tests of the compiled executable, because ");
});

Deno.test("CI tries the executable, too, where there is one", async () => {
  const { code, text, last, asked } = await ci({ COMPILE: "0" }, true);
  assertEquals(
    [code, last, asked],
    [0, "100 passed, 0 failed", [...RUNS, "compiled tests/end_to_end/"]],
    text,
  );
});

Deno.test("CI fails when compiling fails for any other reason", async () => {
  const { code, asked } = await ci({ COMPILE: "1" });
  assertEquals([code, asked], [1, []]);
});

Deno.test("CI fails when a test of any run fails, is skipped, or when a run has no end", async () => {
  for (
    const [env, last] of [
      [{ source: "FAILED | 18 passed (2 steps) | 2 failed (1 step) (3s)" }, "58 passed, 2 failed"],
      [{ portable: "ok | 29 passed | 0 failed | 1 ignored (3s)" }, "59 passed, 0 failed"],
      [{ bundle: "ok | 10 passed | 0 failed | 0 ignored (1 step) (3s)" }, "60 passed, 0 failed"],
      [{ source: "error: out of memory" }, "40 passed, 0 failed"],
    ] as const
  ) {
    const said = await ci(env);
    assertEquals([said.code, said.last, said.asked], [1, last, RUNS], said.text);
  }
});
