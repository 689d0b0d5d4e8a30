/** The stub of the executable: what it makes of arguments and of an environment. */
import { assert, assertEquals } from "@std/assert";
import { HOST_MACHINE } from "../../tools/build/elf.ts";
import {
  type Bytes,
  bytes,
  compileLaunch,
  launchAll,
  parseSeen,
  type ProbeConfig,
  type Start,
  stubProbe,
} from "../support/stub/stub_probe.ts";
import { isInstalled } from "../support/installed.ts";

const CONFIG: ProbeConfig = {
  hidden: ["HOME", "LANG", "LC_ALL", "NODE_OPTIONS", "DENO_DIR", "A"],
  settings: { HOME: "/nowhere", DENO_DIR: "/nowhere", SET: "1" },
  valued: ["--config", "--color"],
  payloads: [
    {
      word: "",
      needsOperand: false,
      needsProc: false,
      argv: ["run", "--whole", "data:,load"],
      scripts: ["whole", "thread", ""],
    },
    {
      word: "run-as",
      needsOperand: true,
      needsProc: false,
      argv: ["run", "--run-as", "data:,load"],
      scripts: ["run-as"],
    },
    {
      word: "--version",
      needsOperand: false,
      needsProc: false,
      argv: ["run", "data:,load"],
      scripts: [],
    },
    {
      word: "long",
      needsOperand: false,
      needsProc: true,
      argv: ["run", "data:,load"],
      scripts: ["x".repeat(300_000), "thread"],
    },
  ],
};

const hasCompiler = isInstalled("gcc");
if (!hasCompiler) console.log("gcc is missing: the tests of the stub are skipped");
const qemu = isInstalled("qemu-aarch64") && isInstalled("aarch64-linux-gnu-gcc");
if (!qemu) console.log("qemu-aarch64 or its compiler is missing: the stub is not tested for arm64");
const valgrind = hasCompiler && isInstalled("valgrind");
if (!valgrind) console.log("valgrind is missing: the memory of the stub is not checked");

/** The byte `=`. */
const EQUALS = 0x3d;
const latin1 = (one: Bytes) => new TextDecoder("latin1").decode(one);

/** The soft limit of open files of this process and its children. */
const SOFT_LIMIT = latin1(
  new Deno.Command("sh", { args: ["-c", "ulimit -Sn"] }).outputSync().stdout,
).trim();

/** What the runtime should be started with. */
function expected({ argv, variables }: Start): { argv: string[]; variables: string[] } {
  const words = argv.map(latin1);
  const payload =
    CONFIG.payloads.slice(1).find(({ word, needsOperand }) =>
      words[1] === word && (!needsOperand || (words.length > 2 && !words[2]!.startsWith("-")))
    ) ?? CONFIG.payloads[0]!;
  const settings = Object.entries(CONFIG.settings).map(([name, value]) => `${name}=${value}`);
  const kept: string[] = [];
  const names: string[] = [];
  for (const variable of variables.map(latin1)) {
    if (/^IPCAUTH_(KEEP_|KEEP=|FILE_LIMIT=)/.test(variable)) {
      kept.push(settings[0]!);
      continue;
    }
    const name = CONFIG.hidden.find((one) => variable.startsWith(`${one}=`));
    if (name !== undefined) names.push(name);
    kept.push(name === undefined ? variable : `IPCAUTH_KEEP_${variable}`);
  }
  // The arguments, two variables and the settings, made an even number of words.
  const added = [...payload.argv, ...payload.scripts];
  const growth = added.length + 2 + settings.length + (words.length === 0 ? 1 : 0);
  return {
    argv: ["ipcauth", ...added, ...words.slice(1)],
    variables: [
      ...[...kept, `IPCAUTH_KEEP=${names.join(" ")}`, `IPCAUTH_FILE_LIMIT=${SOFT_LIMIT}`],
      ...[...settings, ...(growth % 2 === 1 ? [settings[0]!] : [])],
    ],
  };
}

/** A generator of numbers in [0, 1): the same for the same seed (mulberry32). */
function numbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), seed | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Starts with arguments and variables of all shapes. */
function starts(count: number, seed: number): Start[] {
  const random = numbers(seed);
  const upTo = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(values: readonly T[]): T => values[upTo(values.length)]!;
  const noise = (limit: number) =>
    Array.from({ length: upTo(limit) }, () => String.fromCharCode(1 + upTo(255))).join("");
  const words = [
    "run-as",
    "serve",
    "--version",
    "long",
    "579",
    "--",
    "-x",
    "",
    "run-as=",
    "run-a",
    "--color",
  ];
  const names = [
    ...CONFIG.hidden,
    "IPCAUTH_KEEP",
    "IPCAUTH_FILE_LIMIT",
    "IPCAUTH_KEEP_HOME",
    "IPCAUTH_KEEP_",
    "HOM",
  ];
  const more = ["HOMEX", "PATH", "", "=", "SET", "IPCAUTH_KEEPER", "LD_BIND_NOW"];
  return Array.from({ length: count }, () => ({
    argv: [
      pick(["ipcauth", "", "dx", "/usr/bin/deno", noise(40)]),
      ...Array.from({ length: upTo(8) }, () => random() < 0.7 ? pick(words) : noise(200)),
    ].map(bytes),
    variables: Array.from({ length: upTo(random() < 0.05 ? 600 : 12) }, () => {
      const name = random() < 0.7 ? pick([...names, ...more]) : noise(20).replaceAll("=", "");
      return random() < 0.9 ? `${name}=${noise(random() < 0.1 ? 3_000 : 30)}` : name;
    }).map(bytes),
  }));
}

/** Asserts that a start leads to the expected one. */
function assertStarted(
  start: Start,
  { status, output }: { status: number; output: Bytes },
  order: (variables: string[]) => string[] = (variables) => variables,
): void {
  assertEquals(status, 0);
  const seen = parseSeen(output);
  const { argv, variables } = expected(start);
  const found = order(seen.variables.map(latin1));
  assertEquals([seen.argv.map(latin1), found], [argv, order(variables)]);
  assert(seen.sound, "environ, the auxiliary vector or the alignment of the stack is wrong");
}

/** Sorts variables, and the names in the list of the hidden ones. */
function sorted(variables: string[]): string[] {
  return variables.map((one) =>
    one.startsWith("IPCAUTH_KEEP=") ? one.split(/[= ]/).toSorted().join(" ") : one
  ).toSorted();
}

async function temporaryDirectory() {
  const path = await Deno.makeTempDir();
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test(
  "the stub passes on 2,000 shapes of arguments and environments (needs gcc)",
  { ignore: !hasCompiler },
  async () => {
    using directory = await temporaryDirectory();
    const probe = await stubProbe(HOST_MACHINE, CONFIG, directory.path);
    const launch = await compileLaunch(directory.path);
    const none = { argv: [], variables: [] };
    const many = {
      argv: [bytes("ipcauth")],
      variables: Array.from({ length: 5_000 }, (_, index) => bytes(`V${index}=${index}`)),
    };
    const long = { argv: [bytes("ipcauth"), bytes("x".repeat(120_000))], variables: [] };
    const all = [none, many, long, ...starts(2_000, 1)];
    const results = await launchAll(launch, probe, all);
    assertEquals(results.length, all.length);
    // Linux 5.18 and newer give a program without arguments an empty one (execve(2)).
    const [first, ...others] = all;
    assertStarted({ ...first!, argv: [bytes("")] }, results[0]!);
    others.forEach((start, index) => assertStarted(start, results[index + 1]!));
  },
);

Deno.test(
  "the stub passes on 60 shapes on arm64 (needs qemu-aarch64 and its compiler)",
  { ignore: !hasCompiler || !qemu },
  async () => {
    using directory = await temporaryDirectory();
    const probe = await stubProbe("arm64", CONFIG, directory.path);
    const launch = await compileLaunch(directory.path);
    const emulator = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "-0"].map(bytes);
    // The emulator keeps one variable of each name, none without a value, and not their order.
    const all = starts(60, 2).map(({ argv, variables }) => ({
      argv,
      variables: [
        ...new Map(
          variables.filter((one) => one.includes(EQUALS)).map((
            one,
          ) => [latin1(one).split("=")[0], one]),
        ).values(),
      ],
    }));
    const emulated = all.map(({ argv: [name, ...rest], variables }) => ({
      argv: [...emulator, name!, bytes(probe), ...rest],
      variables,
    }));
    const results = await launchAll(launch, "/usr/bin/qemu-aarch64", emulated);
    all.forEach((start, index) => assertStarted(start, results[index]!, sorted));
  },
);

Deno.test(
  "the stub reads and writes no memory but its own (needs valgrind)",
  { ignore: !valgrind },
  async () => {
    using directory = await temporaryDirectory();
    const probe = await stubProbe(HOST_MACHINE, CONFIG, directory.path);
    const argv = ["run-as", "579", "--", "true"];
    const environment = Object.fromEntries(CONFIG.hidden.map((name) => [name, "x".repeat(99)]));
    const { code, stderr } = await new Deno.Command("valgrind", {
      args: ["--quiet", "--error-exitcode=9", probe, ...argv],
      env: { ...environment, LANG: "C", LC_ALL: "C" },
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  },
);

Deno.test(
  "the stub reports a directory that is gone with the command's exit code (needs gcc)",
  { ignore: !hasCompiler },
  async () => {
    using directory = await temporaryDirectory();
    const probe = await stubProbe(HOST_MACHINE, CONFIG, directory.path);
    const line = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"';
    for (
      const [argv, exit] of [
        [["users"], 71],
        [[], 71],
        [["run-as", "579", "--", "true"], 125],
        [["--config", "run-as", "users"], 71],
        [["--config"], 71],
        [["--config", "x", "--color=never", "run-as"], 125],
        [["--", "run-as"], 125],
      ] as const
    ) {
      const { code, stdout, stderr } = await new Deno.Command("sh", {
        args: ["-c", line, "sh", probe, ...argv],
        cwd: directory.path,
      }).output();
      const text = new TextDecoder().decode(stderr);
      assertEquals([code, stdout.length], [exit, 0], argv.join(" "));
      assertEquals(text, "ipcauth: error: The current directory is gone\nhint: cd /\n");
    }
  },
);

Deno.test(
  "the stub reports a missing /proc and limits that are too low (needs root and gcc)",
  { ignore: !hasCompiler || Deno.uid() !== 0 },
  async () => {
    using directory = await temporaryDirectory();
    const probe = await stubProbe(HOST_MACHINE, CONFIG, directory.path);
    const run = async (line: string) => {
      const { code, stderr } = await new Deno.Command("sh", { args: ["-c", line] }).output();
      return [code, new TextDecoder().decode(stderr)];
    };
    const withoutProc = (words: string) =>
      run(`exec unshare --mount sh -c 'umount -l /proc; exec ${probe} ${words}'`);
    assertEquals(await withoutProc("run-as 579"), [0, ""]);
    assertEquals(await withoutProc("long"), [
      71,
      "ipcauth: error: There is no /proc, and the program cannot run without it\n" +
      "hint: mount -t proc proc /proc\n",
    ]);
    const few = (limit: number, words: string) => run(`ulimit -n ${limit}; exec ${probe} ${words}`);
    assertEquals(await few(64, "long"), [0, ""]);
    assertEquals(await few(63, "run-as 579 -- true"), [
      125,
      "ipcauth: error: A process may open too few files here: 63, and 64 are needed\n" +
      "hint: ulimit -n 1024\n",
    ]);
    assertEquals(await run(`ulimit -Ss 2048; exec ${probe} long`), [0, ""]);
    assertEquals(await run(`ulimit -Ss 2047; exec ${probe} long`), [
      71,
      "ipcauth: error: The stack of a process is too small here: 2047 KiB, and 2048 are needed\n" +
      "hint: ulimit -s 8192\n",
    ]);
    assertEquals(await run(`ulimit -Sv 69206016; exec ${probe} long`), [0, ""]);
    assertEquals(await run(`ulimit -Sv 69206015; exec ${probe} run-as 579 -- true`), [
      125,
      "ipcauth: error: A process may have too few addresses here: 69206015 KiB, and 69206016 are " +
      "needed\nhint: ulimit -v unlimited\n",
    ]);
  },
);

Deno.test(
  "the stub reports that too few threads may be started (needs root and gcc)",
  { ignore: !hasCompiler || Deno.uid() !== 0 },
  async () => {
    using directory = await temporaryDirectory();
    await Deno.chmod(directory.path, 0o755);
    const probe = await stubProbe(HOST_MACHINE, CONFIG, directory.path);
    // A user without other processes; those of root have no limit.
    const user = 60_000 + Deno.pid % 5_000;
    const run = async (uid: number, limit: number, ...argv: string[]) => {
      const { code, stderr } = await new Deno.Command("setpriv", {
        args: [
          ...[`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"],
          ...["prlimit", `--nproc=${limit}`, probe, ...argv],
        ],
      }).output();
      return [code, new TextDecoder().decode(stderr)];
    };
    const error = "ipcauth: error: Too few threads may be started here, and 8 are needed\n" +
      "hint: ulimit -u unlimited, or a higher limit of processes for the container\n";
    for (const limit of [1, 2, 8]) {
      assertEquals(await run(user, limit, "long"), [71, error]);
      assertEquals(await run(user, limit, "run-as", "579", "--", "true"), [125, error]);
    }
    // The process itself counts, too.
    assertEquals(await run(user, 9, "long"), [0, ""]);
    assertEquals(await run(0, 1, "long"), [0, ""]);
    // The processes that were tried are waited for, also where a parent ignores SIGCHLD.
    const ignoring = new Deno.Command("sh", { args: ["-c", `trap "" CHLD; exec ${probe} long`] });
    assertEquals((await ignoring.output()).code, 0);
  },
);

async function* linesOf(stream: ReadableStream<Bytes>): AsyncGenerator<string> {
  let begun = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (begun + text).split("\n");
    begun = lines.pop()!;
    yield* lines;
  }
}

/** Runs a program as a job, and stops each of its processes that starts one, as a key would. */
const STOPPED_JOB = `
set -m
strace -f -qq -o /dev/stderr -e trace=clone -e inject=clone:signal=SIGTSTP:when=1 "$@" &
wait $!
`;

Deno.test(
  "the suspend key stops a program, and no process that its stub waits for (needs gcc and strace)",
  { ignore: !hasCompiler || !isInstalled("strace") },
  async () => {
    using directory = await temporaryDirectory();
    const probe = await stubProbe(HOST_MACHINE, CONFIG, directory.path);
    // The kernel discards the signal where no process of the session could continue the job.
    const args = ["--wait", "bash", "-c", STOPPED_JOB, "bash", probe, "long"];
    const job = new Deno.Command("setsid", { args, stdout: "null", stderr: "piped" }).spawn();
    const pids: number[] = [];
    const stopped: number[] = [];
    for await (const line of linesOf(job.stderr)) {
      const pid = Number(/^[0-9]+/.exec(line)?.[0]);
      pids.push(pid);
      if (!line.includes("--- stopped by SIGTSTP")) continue;
      stopped.push(pid);
      Deno.kill(pid, "SIGCONT");
    }
    assertEquals([stopped, (await job.status).code], [[pids[0]!], 0]);
  },
);

Deno.test(
  "SIGHUP ends no server whose stub has started processes (needs gcc and strace)",
  { ignore: !hasCompiler || !isInstalled("strace") },
  async () => {
    using directory = await temporaryDirectory();
    const probe = await stubProbe(HOST_MACHINE, CONFIG, directory.path);
    for (const [command, signal] of [["serve", null], ["users", "SIGHUP"]]) {
      // It comes while the process waits for the first of them.
      const inject = ["-e", "trace=clone", "-e", "inject=clone:signal=SIGHUP:when=1"];
      const { success, stderr } = await new Deno.Command("strace", {
        args: ["-qq", "-o", "/dev/null", ...inject, probe, command!],
        stdout: "null",
        stderr: "piped",
      }).output();
      assertEquals(success, signal === null, new TextDecoder().decode(stderr));
    }
  },
);

Deno.test(
  "the stub refuses to run with the rights of another user (needs root and gcc)",
  { ignore: !hasCompiler || Deno.uid() !== 0 },
  async () => {
    using directory = await temporaryDirectory();
    await Deno.chmod(directory.path, 0o755);
    const probe = await stubProbe(HOST_MACHINE, CONFIG, directory.path);
    const run = async (mode: number) => {
      await Deno.chmod(probe, mode);
      const { code, stderr } = await new Deno.Command("setpriv", {
        args: ["--reuid=578", "--regid=578", "--clear-groups", probe, "long"],
      }).output();
      return [code, new TextDecoder().decode(stderr)];
    };
    const refused = "ipcauth: error: The program must not be set-user-ID or set-group-ID\n" +
      "hint: chmod ug-s FILE\n";
    assertEquals(await run(0o755), [0, ""]);
    assertEquals(await run(0o4755), [71, refused]);
    assertEquals(await run(0o2755), [71, refused]);
  },
);
