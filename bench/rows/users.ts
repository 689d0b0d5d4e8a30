/** What grows with the number of users: an edit, the connection after it, an open session. */
import type { Bench } from "../bench.ts";
import { connectionRate, elapsed } from "../measurements.ts";
import type { Row } from "../row.ts";
import { startEchoBackend, startIpcauthUsers, startOneByteBackend } from "../servers.ts";

/** The aims for a number of users, in seconds; null for none. */
interface Aims {
  readonly edit: number | null;
  readonly firstConnection: number | null;
  readonly pause: number | null;
}

const USERS: readonly (readonly [count: number, aims: Aims])[] = [
  [10, { edit: null, firstConnection: null, pause: null }],
  [1_000, { edit: null, firstConnection: null, pause: null }],
  [10_000, { edit: 0.6, firstConnection: 0.12, pause: 0.02 }],
  [100_000, { edit: 6, firstConnection: 1.2, pause: 0.02 }],
];

/** For how long an open session is watched from the start of an edit, in milliseconds. */
const WATCH_MS = 8_000;

/** Changes the access of a user, to and fro. */
function editor(bench: Bench, config: string): () => Promise<string> {
  let isAllowed = true;
  return () => {
    isAllowed = !isAllowed;
    const verb = isAllowed ? "allow" : "deny";
    return bench.run("ipcauth", "users", verb, "user5", "--config", config);
  };
}

/** A row whose other side is an aim. */
function aimRow(
  name: string,
  aim: number | null,
  prepare: (bench: Bench) => Promise<() => Promise<number>>,
): Row {
  return {
    name,
    peer: aim === null ? "no aim" : "the aim",
    target: aim === null ? null : 1,
    unit: "s",
    moreIsBetter: false,
    async prepare(bench) {
      const ipcauth = await prepare(bench);
      return { ipcauth, peer: () => Promise.resolve(aim ?? 1) };
    },
  };
}

function rowsFor(count: number, aims: Aims): Row[] {
  const users = `${count.toLocaleString("en")} users`;
  return [
    aimRow(`users deny, whole process, ${users}`, aims.edit, async (bench) => {
      const { config } = await startIpcauthUsers(bench, count, await startOneByteBackend(bench));
      const edit = editor(bench, config);
      return () => elapsed(edit);
    }),
    aimRow(`first connection after an edit, ${users}`, aims.firstConnection, async (bench) => {
      const backend = await startOneByteBackend(bench);
      const { config, path } = await startIpcauthUsers(bench, count, backend);
      const edit = editor(bench, config);
      return async () => {
        await edit();
        return await elapsed(async () => {
          using connection = await Deno.connect({ transport: "unix", path });
          await connection.read(new Uint8Array(1));
        });
      };
    }),
    aimRow(`longest pause of an open session, ${users}`, aims.pause, async (bench) => {
      const { config, path } = await startIpcauthUsers(bench, count, startEchoBackend(bench));
      const edit = editor(bench, config);
      const connection = await Deno.connect({ transport: "unix", path });
      bench.onClose(() => connection.close());
      return async () => {
        const edited = edit();
        const longest = await longestPause(connection);
        await edited;
        return longest;
      };
    }),
  ];
}

/** Sends a byte again and again, and waits for it. @returns The longest wait, in seconds. */
async function longestPause(connection: Deno.Conn): Promise<number> {
  const byte = new Uint8Array(1);
  const end = performance.now() + WATCH_MS;
  let longest = 0;
  while (performance.now() < end) {
    const wait = await elapsed(async () => {
      await connection.write(byte);
      await connection.read(byte);
    });
    longest = Math.max(longest, wait);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return longest;
}

export const USERS_ROWS: readonly Row[] = [
  ...USERS.flatMap(([count, aims]) => rowsFor(count, aims)),
  {
    name: "accept and decide, 100,000 users, 1 in flight",
    peer: "10 users",
    target: 0.95,
    unit: "/s",
    moreIsBetter: true,
    async prepare(bench) {
      const load = await bench.compile("load");
      const backend = await startOneByteBackend(bench);
      const many = await startIpcauthUsers(bench, 100_000, backend);
      const few = await startIpcauthUsers(bench, 10, backend);
      return {
        ipcauth: () => connectionRate(bench, load, many.path, 10_000, 1),
        peer: () => connectionRate(bench, load, few.path, 10_000, 1),
      };
    },
  },
];
