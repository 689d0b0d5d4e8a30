/**
 * Code that an attacker runs in a server: tries what a sandbox forbids, in each kind of thread, and
 * prints what came of it. The sandbox is the server's own, for the configuration `config.yaml` in
 * the directory that is the first argument. The second argument may be `free`, for none, or
 * `signal`, to send SIGTERM to itself before the sandbox and to print what is caught inside.
 *
 * `outside/` there has a file, and a Unix socket is listened on at the abstract name of the
 * directory; the ports are in `inside/ports`.
 */
import {
  attemptsAtProcesses,
  attemptsPast,
  EARLY,
  openEarly,
  refusedCalls,
} from "./attacker_calls.ts";
import { LiveConfig } from "../../lib/config/live_config.ts";
import { loadHostFacts } from "../../lib/config/load.ts";
import { removeName } from "../../lib/libc/path_names.ts";
import { openToRead } from "../../lib/libc/read_file.ts";
import { prepareSignals } from "../../lib/libc/signals.ts";
import { bind, unixSocket } from "../../lib/libc/sockets.ts";
import { unixAddress } from "../../lib/libc/unix_address.ts";
import { ProcessSignals } from "../../lib/server/process_signals.ts";
import { startSandbox, takePermissions } from "../../lib/server/sandbox_start.ts";

const [directory, mode] = Deno.args as [string, string | undefined];
const [inPort, outPort] = Deno.readTextFileSync(`${directory}/inside/ports`).split(" ").map(Number);
const outside = `${directory}/outside`;
const inside = `${directory}/inside`;

type Attempt = readonly [what: string, attempt: () => unknown];

/** Done by the main thread itself, or by the Worker. */
const inThread: readonly Attempt[] = [
  ["read", () => openToRead(`${outside}/secret`).close()],
  ["read through the root of a process", () => {
    openToRead(`/proc/self/root${outside}/secret`).close();
  }],
  ["read through a directory that was open before", () => {
    openToRead(`/proc/self/fd/${EARLY}/secret`).close();
  }],
  ["list", () => openToRead(outside).close()],
  ["read by a link", () => openToRead(`${inside}/link`).close()],
  ["write", () => Deno.writeTextFileSync(`${outside}/new`, "")],
  ["append", () => Deno.writeTextFileSync(`${outside}/secret`, "", { append: true })],
  ["truncate", () => Deno.truncateSync(`${outside}/secret`)],
  ["move out", () => Deno.renameSync(`${directory}/conf/movable`, `${outside}/moved`)],
  ["move in", () => Deno.renameSync(`${outside}/movable`, `${directory}/conf/moved`)],
  ["link in", () => Deno.linkSync(`${outside}/secret`, `${directory}/conf/linked`)],
  ["make a directory", () => Deno.mkdirSync(`${outside}/made`)],
  ["remove", () => removeName(`${outside}/victim`)],
  ["make a socket", () => bindTo(`${outside}/made.sock`)],
  ["start a program", () => new Deno.Command("/bin/true").outputSync()],
  ["signal another process", () => Deno.kill(Deno.ppid, "SIGCONT")],
  ["change a mode", () => Deno.chmodSync(`${outside}/secret`, 0o600)],
  ["change the times", () => Deno.utimeSync(`${outside}/secret`, 0, 0)],
  ["change an owner", () => Deno.chownSync(`${outside}/secret`, Deno.uid(), null)],
  ["read another's memory", () => openToRead(`/proc/${Deno.ppid}/mem`).close()],
  ["read another's environment", () => Deno.readFileSync(`/proc/${Deno.ppid}/environ`)],
  ...attemptsPast(outPort!),
  ...attemptsAtProcesses(`${directory}/conf/program`),
  ["look into another process", () => Deno.readLinkSync(`/proc/${Deno.ppid}/exe`)],
];

/** Done by threads of the runtime's. */
const elsewhere: readonly Attempt[] = [
  ["read", () => Deno.readTextFile(`${outside}/secret`)],
  ["write", () => Deno.writeTextFile(`${outside}/new`, "")],
  ["listen on a port", async () => (await Deno.listen({ port: outPort! })).close()],
  ["connect to a port", async () => (await Deno.connect({ port: outPort! })).close()],
  ["connect to an abstract socket", async () => {
    (await Deno.connect({ transport: "unix", path: `\0${directory}` })).close();
  }],
];

/** What the configuration needs. */
const needed: readonly Attempt[] = [
  ["read a key", () => openToRead(`${inside}/bob.key`).close()],
  ["replace the configuration", () => {
    Deno.writeTextFileSync(`${directory}/conf/new`, "");
    Deno.renameSync(`${directory}/conf/new`, `${directory}/conf/config.yaml`);
  }],
  ["listen on its port", async () => (await Deno.listen({ port: inPort! })).close()],
  ["read the accounts", () => openToRead("/etc/passwd").close()],
];

function bindTo(path: string): void {
  using socket = unixSocket();
  bind(socket, unixAddress(path));
}

/** What the kernel says where Landlock refuses: `EXDEV` of a move that a later one might permit. */
const REFUSALS = ["EACCES", "EPERM", "EXDEV", "PermissionDenied"];

/** `done`, `refused`, or another error. */
async function outcomeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
    return "done";
  } catch (error) {
    const { code, name } = error as { code?: string; name: string };
    const outcome = code ?? name;
    return REFUSALS.includes(outcome) ? "refused" : outcome;
  }
}

async function tryAll(attempts: readonly Attempt[]): Promise<Record<string, string>> {
  const results: Record<string, string> = {};
  for (const [what, attempt] of attempts) results[what] = await outcomeOf(attempt);
  return results;
}

/** In a sandbox alone: it would be too much to do elsewhere. */
const inSandbox = mode === "free" ? [] : refusedCalls;

if (!("WorkerGlobalScope" in globalThis)) {
  const signals = new ProcessSignals(["SIGHUP", "SIGTERM"]);
  const places = { paths: [`${directory}/conf/config.yaml`], explicit: true };
  const isFree = mode === "free";
  if (isFree || Deno.env.get("IPCAUTH_SANDBOX") === undefined) openEarly(outside);
  if (!isFree && takePermissions(Deno.pid) === null) {
    if (mode === "signal") Deno.kill(Deno.pid, "SIGTERM");
    const serverUid = Deno.uid()!;
    const self = new URL("../../main.ts", import.meta.url).href;
    const { config } = new LiveConfig(places, loadHostFacts(serverUid));
    const reason = await startSandbox({
      ...{ places, config, listeners: config.listeners!, inherited: [], isRefused: false },
      ...{ serverUid, self, signals, isDropping: false },
      notifySocket: undefined,
    });
    throw new Error(reason.reason);
  }
  prepareSignals();
  if (mode === "signal") {
    const late = setTimeout(() => Deno.exit(1), 30_000);
    const signal = await new Promise((resolve) => signals.handle(resolve));
    clearTimeout(late);
    console.log(JSON.stringify({ signal, pid: Deno.pid }));
    Deno.exit(0);
  }
  const worker = new Worker(import.meta.url, { type: "module" });
  const inWorker = new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data));
  const results = {
    main: await tryAll([...inThread, ...inSandbox]),
    elsewhere: await tryAll(elsewhere),
    worker: await inWorker,
    needed: await tryAll(needed),
  };
  worker.terminate();
  console.log(JSON.stringify(results));
} else {
  // A Worker has no arguments of its own beside those of the process.
  (self as unknown as Worker).postMessage(await tryAll([...inThread, ...inSandbox]));
}
