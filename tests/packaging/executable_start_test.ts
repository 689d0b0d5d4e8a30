/** How the executable starts: in odd places, with odd arguments, in a hostile environment. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import manifest from "../../deno.json" with { type: "json" };
import { compile, scripts } from "../../tools/build/compile.ts";
import { HOST_MACHINE } from "../../tools/build/elf.ts";
import { NOWHERE } from "../../lib/config/launcher_environment.ts";
import { RUNTIME_VARIABLES } from "../../tools/build/runtime_variables.ts";
import { isInstalled } from "../support/installed.ts";
import { bytes, compileLaunch, launchAll } from "../support/stub/stub_probe.ts";
import { receiveAll } from "../support/connections.ts";
import { isRoot, RunningServer } from "../support/program.ts";

const COMMIT = { hash: "0123456789ab", time: 1_700_000_000 };
const VERSION = `ipcauth ${manifest.version} (${COMMIT.hash})\n`;
const CONFIG = "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n";

const hasCompiler = isInstalled("gcc");
if (!hasCompiler) console.log("gcc is missing: the start of the executable is not tested");

/** A directory with the executable, a configuration, and a program that starts others. */
async function installed() {
  const directory = await Deno.makeTempDir({ prefix: "ipcauth-start-" });
  await Deno.chmod(directory, 0o755);
  const path = (name: string) => join(directory, name);
  await compile(HOST_MACHINE, path("ipcauth"), await scripts(COMMIT), COMMIT);
  await Deno.chmod(path("ipcauth"), 0o711);
  await Deno.writeTextFile(path("config.yaml"), CONFIG);
  const shell = async (line: string, env: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", line],
      cwd: directory,
      env,
      stdin: "null",
    }).output();
    const text = new TextDecoder("latin1");
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  };
  const close = () => Deno.removeSync(directory, { recursive: true });
  return { directory, path, shell, [Symbol.dispose]: close };
}

const uid = isRoot ? 579 : Deno.uid();
const RUN_AS = `./ipcauth run-as ${uid} --`;

Deno.test(
  "the executable starts anywhere, for anyone (needs gcc)",
  { ignore: !hasCompiler },
  async (test) => {
    using at = await installed();
    const prints = (name: string, line: string, expected: string, ignore = false) =>
      test.step({
        name,
        ignore,
        fn: async () => {
          const { code, stdout, stderr } = await at.shell(line);
          assertEquals([code, stdout, stderr], [0, expected, ""]);
        },
      });
    const users =
      "NAME  UID  GID  LOCAL_IPC_ACCESS  ADMIN\nbob   579  -    true              false\n";
    await prints("without variables", "env -i ./ipcauth --version", VERSION);
    await prints("through a link", "ln -s ipcauth dx && ./dx --version", VERSION);
    await prints("with another name", "bash -c 'exec -a node ./ipcauth --version'", VERSION);
    await prints("without a name", "bash -c 'exec -a \"\" ./ipcauth --version'", VERSION);
    await prints(
      "with a name that is no UTF-8",
      "bash -c 'exec -a $\"\\xff\" ./ipcauth --version'",
      VERSION,
    );
    await prints(
      "as another user, without a home, without the right to read it (needs root)",
      "setpriv --reuid 578 --regid 578 --clear-groups env -i ./ipcauth --version",
      VERSION,
      !isRoot,
    );
    const mounted = (mount: string, line: string) => `unshare --mount sh -c '${mount}; ${line}'`;
    await prints(
      "on a read-only file system (needs root)",
      mounted(`mount --bind . . && mount -o remount,ro,bind . && cd "$PWD"`, "./ipcauth --version"),
      VERSION,
      !isRoot,
    );
    const withoutProc = (line: string) => mounted("umount -l /proc", line);
    await prints(
      "without /proc (needs root)",
      withoutProc("./ipcauth --version"),
      VERSION,
      !isRoot,
    );
    await prints(
      "without /proc, users list (needs root)",
      withoutProc("./ipcauth users list --config config.yaml"),
      users,
      !isRoot,
    );
    await prints(
      "without /proc, run-as (needs root)",
      withoutProc(`${RUN_AS} id -u`),
      `${uid}\n`,
      !isRoot,
    );
    await prints(
      "with 5,000 variables",
      `env -i $(seq -f V%g=x 5000) ${RUN_AS} env | wc -l`,
      "5001\n",
    );
    // The addresses of as many take more than the megabyte of the stack that V8 uses.
    await prints(
      "with 180,000 arguments",
      `yes x | head -n 180000 | env -i xargs -x -n 180000 -s 1000000 ` +
        `${RUN_AS} /bin/sh -c 'echo $#' sh`,
      "180000\n",
    );
    await prints(
      "with an argument that is no UTF-8",
      `${RUN_AS} printf %s "$(printf 'a\\377b')"`,
      "a\xffb",
    );
    await prints("with standard output alone", "./ipcauth --version <&- 2>&-", VERSION);
    await test.step("with no descriptor at all", async () => {
      assertEquals((await at.shell("./ipcauth --version <&- >&- 2>&-")).code, 0);
    });
  },
);

Deno.test(
  "a user who may not read the executable serves programs with it (needs root, gcc)",
  { ignore: !hasCompiler || !isRoot },
  async () => {
    using at = await installed();
    const home = at.path("home");
    await Deno.mkdir(home);
    await Deno.chown(home, 579, 579);
    const socket = join(home, "socket");
    const command = [
      "./ipcauth",
      "serve",
      `--unix=${socket}`,
      "--exec",
      "--",
      "/usr/bin/env",
      "-0",
    ];
    await using server = new RunningServer(
      new Deno.Command("setpriv", {
        args: ["--reuid=579", "--regid=579", "--clear-groups", ...command],
        cwd: at.directory,
        clearEnv: true,
        env: { PATH: "/usr/bin:/bin", A: "b=\u00fc", LANG: "C", NODE_OPTIONS: "--x", HOME: home },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn(),
    );
    await server.event("listen");
    const variables = (await receiveAll(socket)).split("\0");
    const names = ["PATH=", "A=", "LANG=", "NODE_OPTIONS=", "HOME=", "DENO_", "IPCAUTH_KEEP"];
    const found = variables.filter((one) => names.some((name) => one.startsWith(name)));
    assertEquals(
      found.toSorted(),
      ["A=b=\u00fc", `HOME=${home}`, "LANG=C", "NODE_OPTIONS=--x", "PATH=/usr/bin:/bin"],
    );
    assertEquals(await server.stop(), 0);
  },
);

Deno.test(
  "the executable starts without an argument, and says what is wrong (needs gcc)",
  { ignore: !hasCompiler },
  async () => {
    using at = await installed();
    const launch = await compileLaunch(at.directory);
    const none = { argv: [], variables: [] };
    const odd = { argv: [bytes("ipcauth"), bytes("\xff\xfe")], variables: [] };
    const results = await launchAll(launch, at.path("ipcauth"), [none, odd]);
    assertEquals(results.map(({ status, output }) => [status, output.length]), [[64, 0], [64, 0]]);
    const { code, stderr } = await at.shell("./ipcauth \"$(printf 'x\\377')\"");
    assertEquals(code, 64);
    assertMatch(stderr, /^ipcauth: error: .*\nhint: ipcauth help\n$/);
  },
);

/** The names in the runtime's bytes that look like variables of Deno, Node and their libraries. */
function namesIn(executable: Uint8Array): Set<string> {
  const text = new TextDecoder("latin1").decode(executable);
  const pattern =
    /\b(?:DENO|NODE|OTEL|RUST|TOKIO|ICU|NPM_CONFIG|OPENSSL|SSL_CERT|V8)_[A-Z0-9_]{2,50}/g;
  return new Set([...text.matchAll(pattern)].map(([name]) => name));
}

Deno.test(
  "no variable of Deno or Node runs code, makes a file or prints a line (needs gcc)",
  { ignore: !hasCompiler },
  async () => {
    using at = await installed();
    const names = new Set([
      ...RUNTIME_VARIABLES.filter((name) => name !== "DENO_EXTRA_STDIO_FDS"),
      ...namesIn(await Deno.readFile(at.path("ipcauth"))),
      ...["TMPDIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "NO_COLOR", "FORCE_COLOR", "TERM", "PATH"],
    ]);
    // The runtime's own variables would have been found.
    assert(names.size > 100 && names.has("DENO_INTERNAL_CHILD_ENTRYPOINT"));
    const made = at.path("made");
    await Deno.mkdir(made);
    const canary = join(made, "canary");
    const code = `require("node:fs").writeFileSync(${JSON.stringify(canary)}, "")`;
    await Deno.writeTextFile(at.path("evil.cjs"), code);
    await Deno.writeTextFile(
      at.path("evil.mjs"),
      `Deno.writeTextFileSync(${JSON.stringify(canary)}, "")`,
    );
    // A file that runs, options that load one, a directory or a file to write to, a descriptor.
    const values = [at.path("evil.mjs"), `--require ${at.path("evil.cjs")}`, join(made, "x"), "3"];
    const line = `./ipcauth users list --config config.yaml 3<>${at.path("evil.mjs")}`;
    const usual = await at.shell(line);
    assertEquals(usual.code, 0);
    for (const value of values) {
      // All but the value's own at once: a variable that has an effect is then searched for.
      const all = Object.fromEntries(
        [...names].filter((name) => name !== "PATH").map((name) => [name, value]),
      );
      const together = await at.shell(line, all);
      const found = [...Deno.readDirSync(made)].map(({ name }) => name);
      assertEquals([together, found], [usual, []], `all variables are ${value}`);
    }
    const child = { DENO_INTERNAL_CHILD_ENTRYPOINT: at.path("evil.mjs"), NODE_CHANNEL_FD: "3" };
    assertEquals([await at.shell(line, child), [...Deno.readDirSync(made)]], [usual, []]);
    // One by one, with the shortest command: a variable may hide the effect of another.
    for (const name of names) {
      if (name === "PATH") continue;
      const result = await at.shell("./ipcauth --version", { [name]: values[0]! });
      assertEquals(result, { code: 0, stdout: VERSION, stderr: "" }, name);
    }
    assertEquals([...Deno.readDirSync(made)], []);
  },
);

Deno.test(
  "no file of Deno, Node or npm is looked for (needs gcc, strace)",
  { ignore: !hasCompiler || !isInstalled("strace") },
  async () => {
    using at = await installed();
    const home = at.path("home");
    await Deno.mkdir(home);
    const strace = "strace -f -qq -e trace=%file -o trace";
    const { code } = await at.shell(`${strace} ./ipcauth users list --config config.yaml`, {
      HOME: home,
      XDG_CONFIG_HOME: "",
    });
    assertEquals(code, 0);
    const lines = (await Deno.readTextFile(at.path("trace"))).split("\n");
    const paths = lines.map((line) => /"([^"]*)"/.exec(line)?.[1]).filter((one) =>
      one !== undefined
    );
    assert(paths.includes("config.yaml") || paths.includes(at.path("config.yaml")));
    const foreign =
      /(^|\/)(deno\.jsonc?|deno\.lock|package\.json|\.npmrc|node_modules|\.cache|tsconfig\.json)(\/|$)/;
    // The home of the runtime is a path that cannot exist.
    const found = paths.filter((path) => !path.startsWith(`${NOWHERE}/`));
    assertEquals(found.filter((path) => path.startsWith(home) || foreign.test(path)), []);
  },
);
