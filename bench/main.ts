/**
 * Beside the peers, in one run on one machine: `deno task bench [ROW]...`, `--json` for programs.
 *
 * The machine may be noisy, so each row is measured in rounds, ours and the peer's in turn; what counts is the
 * median of the rounds' ratios. Nothing here fails because of a figure.
 */
import { Bench, MissingTool } from "./bench.ts";

const ROUNDS = 7;

/** What a row measures, and against whom. */
interface Row {
  readonly name: string;
  readonly peer: string;
  /** The least ratio that is promised, ours over the peer's (or the peer's over ours for a time). */
  readonly floor: number | null;
  readonly unit: string;
  /** Whether more is better. */
  readonly more: boolean;
  prepare(workshop: Bench): Promise<{ ours(): Promise<number>; peers(): Promise<number> }>;
}

const LIMITS = "limits: { max_connections: 100000, max_connections_per_user: 100000 }\n";

/** The audit log goes into a file: whoever read it from a pipe would work on the same processors. */
function log(workshop: Bench, name: string): string {
  return `log: { file: ${workshop.path(`${name}.log`)} }\n`;
}

async function ourServer(workshop: Bench, ...service: string[]): Promise<string> {
  const path = workshop.path("ours.sock");
  const config = workshop.path("config.yaml");
  await Deno.writeTextFile(
    config,
    "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n" +
      LIMITS + log(workshop, "ours"),
    { mode: 0o644 },
  );
  const where = [`--unix=${path}`, "--config", config];
  await workshop.startAndConnect(path, "ipcauth", "serve", ...where, ...service);
  return path;
}

async function rate(
  workshop: Bench,
  load: string,
  path: string,
  count: number,
  inFlight: number,
): Promise<number> {
  const [done, seconds, failures] =
    (await workshop.run(load, path, String(count), String(inFlight)))
      .split(" ").map(Number);
  if (failures !== 0) {
    throw new Error(`${failures} of ${done} connections failed\n${workshop.lastOutput}`);
  }
  return done! / seconds!;
}

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

function acceptRow(inFlight: number, floor: number | null): Row {
  return {
    name: `accept, authenticate, first byte, ${inFlight} in flight`,
    peer: "C loop",
    floor,
    unit: "/s",
    more: true,
    async prepare(workshop) {
      const load = await workshop.compile("load");
      const peer = await workshop.compile("peer_accept");
      const path = workshop.path(`peer${inFlight}.sock`);
      await workshop.start("stdout", peer, path);
      const ours = await ourServer(workshop);
      const measure = (where: string) => () => rate(workshop, load, where, 20_000, inFlight);
      return { ours: measure(ours), peers: measure(path) };
    },
  };
}

/** A backend, and two ways to it over TCP: our tunnel and our server, a pair of spiped. */
async function twoTunnels(workshop: Bench, backend: string): Promise<Doors> {
  await workshop.requireTool("spiped");
  const [ours, theirs] = [workshop.path("ours.sock"), workshop.path("theirs.sock")];
  const key = workshop.path("bench.key");
  const secret = crypto.getRandomValues(new Uint8Array(32));
  const text = secret.toBase64({ alphabet: "base64url", omitPadding: true });
  await Deno.writeTextFile(key, `${text}\n`, { mode: 0o600 });
  const config = workshop.path("config.yaml");
  const [port, otherPort] = [freePort(), freePort()];
  await Deno.writeTextFile(
    config,
    `listeners: [{ tcp: "127.0.0.1:${port}", keys: [{ file: ${key} }],\n` +
      `              service: { forward: "unix:${backend}" } }]\n` +
      LIMITS + log(workshop, "tunnel"),
    { mode: 0o644 },
  );
  const door = { hostname: "127.0.0.1", port };
  await workshop.startAndConnect(door, "ipcauth", "serve", "--config", config);
  await workshop.start(
    "stderr",
    ...["ipcauth", "connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`],
    ...["--listen", `unix:${ours}`],
  );
  const pair = ["spiped", "-F", "-k", key, "-n", "1000"];
  // The far one first: a spiped that finds nobody at its target drops the connection.
  await workshop.startAndConnect(
    { hostname: "127.0.0.1", port: otherPort },
    ...pair,
    ...["-d", "-s", `[127.0.0.1]:${otherPort}`, "-t", backend],
  );
  await workshop.startAndConnect(
    theirs,
    ...[...pair, "-e", "-s", theirs, "-t", `[127.0.0.1]:${otherPort}`],
  );
  return [ours, theirs];
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** Two ways from a Unix socket to a backend: our `forward` and HAProxy, one thread each. */
async function twoForwards(workshop: Bench, backend: string): Promise<Doors> {
  const [ours] = await ourForward(workshop, backend);
  const [theirs] = await haproxy(workshop, backend);
  return [ours, theirs];
}

/** A server that was just started. @returns Its socket and its pid. */
async function ourForward(workshop: Bench, backend: string): Promise<[string, number]> {
  const name = `ours-${crypto.randomUUID()}`;
  const [ours, config] = [workshop.path(`${name}.sock`), workshop.path(`${name}.yaml`)];
  await Deno.writeTextFile(
    config,
    `listeners: [{ unix: ${ours}, service: { forward: "unix:${backend}" } }]\n` +
      LIMITS + log(workshop, name),
    { mode: 0o644 },
  );
  return [ours, await workshop.startAndConnect(ours, "ipcauth", "serve", "--config", config)];
}

/** The same of HAProxy's. */
async function haproxy(workshop: Bench, backend: string): Promise<[string, number]> {
  await workshop.requireTool("haproxy");
  const name = `theirs-${crypto.randomUUID()}`;
  const [theirs, config] = [workshop.path(`${name}.sock`), workshop.path(`${name}.cfg`)];
  await Deno.writeTextFile(
    config,
    `global
  nbthread 1
  maxconn 9000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen door
  bind unix@${theirs}
  server backend unix@${backend}
`,
  );
  return [theirs, await workshop.startAndConnect(theirs, "haproxy", "-db", "-f", config)];
}

/** Our door and the peer's. */
type Doors = readonly [ours: string, theirs: string];

function bulkRow(
  what: string,
  peer: string,
  floor: number,
  streams: number,
  open: (workshop: Bench, backend: string) => Promise<Doors>,
): Row {
  return {
    name: `${what}, bulk, ${streams} ${streams === 1 ? "stream" : "streams"}`,
    peer,
    floor,
    unit: " MB/s",
    more: true,
    async prepare(workshop) {
      const bulk = await workshop.compile("bulk");
      const backend = workshop.path("backend.sock");
      await workshop.start("stdout", bulk, "sink", backend);
      const [ours, theirs] = await open(workshop, backend);
      const measure = (path: string, bytes: number) => async () => {
        const line = await workshop.run(bulk, "send", path, String(bytes), String(streams));
        const [sent, time] = line.split(" ").map(Number);
        return sent! / time! / 1e6;
      };
      const bytes = 1 << 29;
      return { ours: measure(ours, bytes / streams), peers: measure(theirs, bytes / 2 / streams) };
    },
  };
}

/** How many idle sessions are open at once. */
const IDLE = 4_000;

/** A backend that takes whoever comes, and says a byte and nothing more. */
function hold(path: string, workshop: Bench): void {
  const listener = Deno.listen({ transport: "unix", path });
  workshop.onClose(() => listener.close());
  (async () => {
    for await (const connection of listener) {
      await connection.write(Uint8Array.of(1));
      connection.read(new Uint8Array(1)).catch(() => {}).finally(() => connection.close());
    }
  })();
}

/** The pair of s6 tools that starts a program for whoever root's rules let in. @returns Its socket. */
async function s6Server(workshop: Bench): Promise<string> {
  await workshop.requireTool("s6-ipcserver");
  const program = await workshop.compile("one_byte", "-static");
  const rules = workshop.path("rules");
  await Deno.mkdir(`${rules}/uid/0`, { recursive: true });
  await Deno.writeTextFile(`${rules}/uid/0/allow`, "");
  const path = workshop.path("s6.sock");
  await workshop.start(
    "stdout",
    ...["s6-ipcserver", "-1", "-c", "1000", "-C", "1000", path],
    ...["s6-ipcserver-access", "-v0", "-i", rules, program],
  );
  return path;
}

/** A program for each connection, which writes one byte. */
function execRow(inFlight: number, floor: number | null): Row {
  return {
    name: `exec, connect and one byte, ${inFlight} in flight`,
    peer: "s6-ipcserver + access",
    floor,
    unit: "/s",
    more: true,
    async prepare(workshop) {
      const load = await workshop.compile("load");
      const theirs = await s6Server(workshop);
      const program = await workshop.compile("one_byte", "-static");
      const ours = await ourServer(workshop, "--exec", "--", program);
      return {
        ours: () => rate(workshop, load, ours, 1_000, inFlight),
        peers: () => rate(workshop, load, theirs, 1_000, inFlight),
      };
    },
  };
}

/** A connection through a forward to a backend that says one byte. */
function forwardRow(inFlight: number): Row {
  return {
    name: `forward, connect and one byte, ${inFlight} in flight`,
    peer: "HAProxy, 1 thread",
    floor: 1,
    unit: "/s",
    more: true,
    async prepare(workshop) {
      const load = await workshop.compile("load");
      const backend = workshop.path("backend.sock");
      await workshop.start("stdout", await workshop.compile("peer_accept"), backend);
      const [ours, theirs] = await twoForwards(workshop, backend);
      return {
        ours: () => rate(workshop, load, ours, 20_000, inFlight),
        peers: () => rate(workshop, load, theirs, 20_000, inFlight),
      };
    },
  };
}

/** Becoming a user and then a program, beside a script that does the same calls. */
function runAsRow(
  peer: string,
  floor: number | null,
  interpreter: (workshop: Bench) => Promise<string>,
): Row {
  return {
    name: "run-as UID -- true, whole process",
    peer,
    floor,
    unit: "s",
    more: false,
    async prepare(workshop) {
      await workshop.requireTool("python3");
      const python = await interpreter(workshop);
      const script = workshop.path("run_as.py");
      await Deno.writeTextFile(
        script,
        "import os, sys\nos.setgroups([]); os.setgid(579); os.setuid(579); os.execvp(sys.argv[1], sys.argv[1:])\n",
      );
      return {
        ours: () => seconds(() => workshop.run("ipcauth", "run-as", "579", "--", "true")),
        peers: () => seconds(() => workshop.run(python, script, "true")),
      };
    },
  };
}

/** A whole process, beside an interpreter that does nothing. */
function startRow(name: string, peer: string, floor: number | null, args: string[]): Row {
  return {
    name: `${name}, whole process`,
    peer,
    floor,
    unit: "s",
    more: false,
    async prepare(workshop) {
      const argv = peer.split(" ");
      await workshop.requireTool(argv[0]!);
      const path = await ourServer(workshop);
      const where = args[0] === "connect"
        ? [`--unix=${path}`]
        : args[0] === "users"
        ? ["--config", workshop.path("config.yaml")]
        : [];
      return {
        ours: () => seconds(() => workshop.run("ipcauth", ...args, ...where)),
        peers: () => seconds(() => workshop.run(...argv)),
      };
    },
  };
}

/** What the process holds more for each session, in KiB. */
async function memoryOfIdle(path: string, pid: number): Promise<number> {
  const before = await residentMemory(pid);
  const connections: Deno.Conn[] = [];
  for (let count = 0; count < IDLE; count++) {
    const connection = await Deno.connect({ transport: "unix", path });
    connections.push(connection);
    // The byte has come all the way: the session is there.
    await connection.read(new Uint8Array(1));
  }
  const after = await residentMemory(pid);
  for (const connection of connections) connection.close();
  return Math.max(after - before, 1) / IDLE;
}

/**
 * The memory that a process holds alone, in KiB (`proc_pid_status(5)`, RssAnon): pages of its executable, which the
 * kernel reads when they are first run and may drop at any time, belong to no session.
 */
async function residentMemory(pid: number): Promise<number> {
  const { stdout } = await new Deno.Command("grep", { args: ["RssAnon", `/proc/${pid}/status`] })
    .output();
  return Number(new TextDecoder().decode(stdout).match(/[0-9]+/)![0]);
}

const ROWS: readonly Row[] = [
  acceptRow(1, 0.7),
  acceptRow(16, null),
  {
    name: "accept, authenticate, first byte, 1 in flight",
    peer: "s6-ipcserver + access",
    floor: 20,
    unit: "/s",
    more: true,
    async prepare(workshop) {
      const load = await workshop.compile("load");
      const path = await s6Server(workshop);
      const ours = await ourServer(workshop);
      return {
        ours: () => rate(workshop, load, ours, 20_000, 1),
        peers: () => rate(workshop, load, path, 1_000, 1),
      };
    },
  },
  execRow(1, 1.8),
  execRow(16, null),
  {
    name: "tunnel, handshake and one byte, 16 in flight",
    peer: "spiped pair",
    floor: 3,
    unit: "/s",
    more: true,
    async prepare(workshop) {
      const load = await workshop.compile("load");
      const backend = workshop.path("backend.sock");
      await workshop.start("stdout", await workshop.compile("peer_accept"), backend);
      const [ours, theirs] = await twoTunnels(workshop, backend);
      return {
        ours: () => rate(workshop, load, ours, 4_000, 16),
        peers: () => rate(workshop, load, theirs, 1_000, 16),
      };
    },
  },
  bulkRow("tunnel", "spiped pair", 2.5, 1, twoTunnels),
  bulkRow("tunnel", "spiped pair", 2.5, 8, twoTunnels),
  forwardRow(1),
  forwardRow(16),
  bulkRow("forward", "HAProxy, 1 thread", 1, 1, twoForwards),
  bulkRow("forward", "HAProxy, 1 thread", 1, 8, twoForwards),
  {
    name: `forward, memory of an idle session, ${IDLE} open`,
    peer: "HAProxy, 1 thread",
    floor: 1,
    unit: " KiB",
    more: false,
    prepare(workshop) {
      const backend = workshop.path("backend.sock");
      hold(backend, workshop);
      // A server that has been full once keeps the room, so each round begins with new ones.
      return Promise.resolve({
        ours: async () => await memoryOfIdle(...await ourForward(workshop, backend)),
        peers: async () => await memoryOfIdle(...await haproxy(workshop, backend)),
      });
    },
  },
  runAsRow("python3 setuid script", 4, () => Promise.resolve("python3")),
  // What PATH finds may be a script that looks for the interpreter first.
  runAsRow(
    "the same, by its interpreter's path",
    null,
    async (workshop) =>
      (await workshop.run("python3", "-c", "import sys; print(sys.executable)")).trim(),
  ),
  ...["node -e 0", "python3 -c pass"].flatMap((peer) => [
    startRow("--version", peer, peer.startsWith("node") ? 1 : null, ["--version"]),
    startRow("users list", peer, null, ["users", "list"]),
    startRow("connect -c who", peer, null, ["connect", "-c", "who"]),
  ]),
  {
    name: "serve, from start to ready",
    peer: "120 ms",
    floor: 1,
    unit: "s",
    more: false,
    prepare(workshop) {
      let count = 0;
      return Promise.resolve({
        ours: () =>
          seconds(() =>
            workshop.start(
              "stderr",
              "ipcauth",
              "serve",
              `--unix=${workshop.path(`ready${count++}.sock`)}`,
            )
          ),
        peers: () => Promise.resolve(0.12),
      });
    },
  },
];

interface Result {
  readonly row: string;
  readonly peer: string;
  readonly ours: number;
  readonly peers: number;
  readonly ratio: number;
  readonly floor: number | null;
  readonly unit: string;
}

async function measure(row: Row): Promise<Result> {
  const workshop = await Bench.open();
  const stop = () => void workshop.close().finally(() => Deno.exit(130));
  Deno.addSignalListener("SIGINT", stop);
  try {
    const { ours, peers } = await row.prepare(workshop);
    // The first round warms the compilers and the caches of both.
    await ours();
    await peers();
    const rounds: { ours: number; peers: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push({ ours: await ours(), peers: await peers() });
    }
    return {
      row: row.name,
      peer: row.peer,
      ours: median(rounds.map((round) => round.ours)),
      peers: median(rounds.map((round) => round.peers)),
      ratio: median(
        rounds.map((round) => row.more ? round.ours / round.peers : round.peers / round.ours),
      ),
      floor: row.floor,
      unit: row.unit,
    };
  } finally {
    Deno.removeSignalListener("SIGINT", stop);
    await workshop.close();
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
}

function figure(value: number, unit: string): string {
  if (unit === "s") return `${(value * 1000).toFixed(1)} ms`;
  return `${value < 100 ? value.toFixed(1) : Math.round(value)}${unit}`;
}

function render({ row, peer, ours, peers, ratio, floor, unit }: Result): string {
  const verdict = floor === null ? "" : ratio >= floor ? `≥ ${floor} reached` : `≥ ${floor} MISSED`;
  return [
    row.padEnd(48),
    `${figure(ours, unit)}`.padStart(10),
    `${figure(peers, unit)} ${peer}`.padEnd(34),
    `${ratio.toFixed(2)} ×`.padStart(9),
    verdict,
  ].join("  ");
}

const json = Deno.args.includes("--json");
const wanted = Deno.args.filter((arg) => arg !== "--json");
const results: Result[] = [];
if (!json) {
  console.log(
    `${navigator.hardwareConcurrency} cores, Linux ${Deno.osRelease()}, Deno ${Deno.version.deno}`,
  );
}
for (const row of ROWS) {
  if (wanted.length > 0 && !wanted.some((word) => `${row.name} ${row.peer}`.includes(word))) {
    continue;
  }
  try {
    const result = await measure(row);
    results.push(result);
    if (!json) console.log(render(result));
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    console.error(`left out: ${row.name}, against ${row.peer}: ${error.message}`);
  }
}
if (json) console.log(JSON.stringify(results, null, 2));
