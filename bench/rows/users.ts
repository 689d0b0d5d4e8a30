/** What grows with the number of users: a decision, an edit, the connection after it, a pause. */
import { connectionRate, elapsed } from "../measurements.ts";
import type { Companion, Place } from "../place.ts";
import { connect } from "../place.ts";
import type { Aim, Figures, Measure, Scenario, Side } from "../scenario.ts";
import { type ConfiguredServer, manyUsers } from "../servers/ipcauth.ts";
import { forwardTo, startIpcauth } from "../servers/ipcauth.ts";
import { startHoldingBackend } from "../servers/limits.ts";
import { connecting } from "./accept.ts";
import { direct, inFront } from "./forward.ts";

/** The aims for a number of users, in seconds; undefined: none. */
interface Aims {
  readonly edit?: number;
  readonly first?: number;
  readonly pause?: number;
}

const USERS: Readonly<Record<number, Aims>> = {
  10: {},
  100: {},
  1_000: {},
  10_000: { edit: 0.6, first: 0.12, pause: 0.02 },
  100_000: { edit: 6, first: 1.2, pause: 0.02 },
};

/** For how long after an edit an open session is watched, in milliseconds. */
const WATCH_MS = 500;

const aimOf = (figure: number | undefined): readonly Aim[] =>
  figure === undefined ? [] : [{ figure }];

/** The longest wait of the session since it was last asked for, in seconds. */
async function longestWait(session: Companion): Promise<number> {
  await session.write("\n");
  return Number(await session.line());
}

async function firstByte(path: string): Promise<number> {
  return await elapsed(async () => {
    using connection = await connect(path);
    if (await connection.read(new Uint8Array(1)) === null) throw new Error("it was refused");
  });
}

/** Edits, connects, and watches a session that is open all the time. */
async function measureEdit(
  path: string,
  session: Companion,
  edit: () => Promise<unknown>,
): Promise<Figures> {
  await longestWait(session);
  const edited = await elapsed(edit);
  const first = await firstByte(path);
  await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  return { edit: edited, first, pause: await longestWait(session) };
}

async function startSession(place: Place, path: string): Promise<Companion> {
  const session = place.companion(await place.installation.compile("ping"), path);
  await session.line();
  return session;
}

/** The command that changes the access of a user, to and fro. */
function editor(place: Place, { config }: ConfiguredServer): () => Promise<unknown> {
  let isAllowed = true;
  return () => {
    isAllowed = !isAllowed;
    const verb = isAllowed ? "allow" : "deny";
    return place.run("ipcauth", "users", verb, "user5", "--config", config);
  };
}

async function startMany(place: Place, count: number): Promise<Measure> {
  const { path: backend } = await place.shared(startHoldingBackend);
  const server = await startIpcauth(place, {
    listener: forwardTo(backend),
    users: manyUsers(count),
  });
  const session = await startSession(place, server.path);
  const edit = editor(place, server);
  return async () => {
    const { rate } = await connectionRate(place, server.path, 1);
    return { rate: rate!, ...await measureEdit(server.path, session, edit) };
  };
}

/** The same without a server: the file is written anew, and nothing reads it. */
const withoutServer = (count: number): Side => ({
  name: "the disk and the backend alone",
  role: "limit",
  async start(place) {
    const { path } = await place.shared(startHoldingBackend);
    const session = await startSession(place, path);
    const [file, next] = [place.path("yaml"), place.path("yaml")];
    await Deno.writeTextFile(file, manyUsers(count));
    const edit = async () => {
      const text = await Deno.readTextFile(file);
      using opened = await Deno.open(next, { write: true, create: true, truncate: true });
      await opened.write(new TextEncoder().encode(text));
      await opened.sync();
      await Deno.rename(next, file);
    };
    return async () => {
      const { rate } = await connectionRate(place, path, 1);
      return { rate: rate!, ...await measureEdit(path, session, edit) };
    };
  },
});

const EDIT_REASON = "An edit of N users is the start of a process, the reading of the file with " +
  "two parsers (`@std/yaml` reads what counts, `yaml` keeps comments and places), the comparison " +
  "of both, and the writing of a new file. The second parser takes most of the time; it is the " +
  "one that can keep what an administrator wrote by hand.";

const PAUSE_REASON = "The pause is that of the machine where the figure beside it, of a session " +
  "without ipcauth, is of the same size: the command that edits uses one of the cores, and the " +
  "thread that reads the changed file another one. The data plane reads no file of more than " +
  "16 KiB itself; it gets arrays in shared memory.";

function usersScenario(count: number): Scenario {
  const aims = USERS[count]!;
  const text = `${count.toLocaleString("en")} users`;
  const series = (name: string) => ({ name, at: count });
  const row = { unit: "s", better: "less" } as const;
  return {
    id: `users-${count}`,
    group: "users",
    measures: "Edit: the whole process of `ipcauth users deny` or `allow`. First connection: the " +
      "time until a client that connects when the edit has ended has its first byte, so it " +
      "includes reading the file. Pause: the longest wait of a client that sends a byte through " +
      "a forwarded session and gets it back, from the start of the edit until half a second " +
      "behind the first connection. Decision: connections a second through the forward. Without " +
      "ipcauth: the same file is read, written, synchronized (`fsync`) and renamed; the session " +
      "leads to the backend",
    rounds: count > 10_000 ? 3 : 5,
    seconds: count > 10_000 ? 65 : count > 1_000 ? 25 : 14,
    sides: [
      { name: "ipcauth", role: "ipcauth", start: (place) => startMany(place, count) },
      withoutServer(count),
    ],
    rows: {
      edit: {
        ...row,
        name: `edit, ${text}`,
        aims: aimOf(aims.edit),
        series: series("edit"),
        reason: EDIT_REASON,
      },
      first: {
        ...row,
        name: `first connection after an edit, ${text}`,
        aims: aimOf(aims.first),
        series: series("first connection"),
        reason:
          "The connection waits until the changed file has been read, in a thread of its own, " +
          "and is decided by it.",
      },
      pause: {
        ...row,
        name: `longest pause of an open session, ${text}`,
        aims: aimOf(aims.pause),
        series: series("pause"),
        reason: PAUSE_REASON,
      },
      rate: {
        name: `accept and decide, ${text}`,
        unit: "/s",
        better: "more",
        aims: [],
        series: series("decision"),
      },
    },
  };
}

const FEW = "ipcauth, 10 users";

/** `ipcauth serve` with that many users, in front of the backend that writes one byte. */
const forwardWithUsers = (count: number) =>
  inFront(async (place, backend) =>
    (await startIpcauth(place, { listener: forwardTo(backend), users: manyUsers(count) })).path
  );

const DECIDE: Scenario = {
  id: "decide-100000",
  group: "users",
  measures: "Connections a second of a forwarding server with 100,000 users beside one with 10",
  rounds: 9,
  seconds: 25,
  sides: [
    connecting("ipcauth", "ipcauth", 1, forwardWithUsers(100_000)),
    connecting(FEW, "peer", 1, forwardWithUsers(10)),
    direct(1),
  ],
  rows: {
    rate: {
      name: "accept and decide, 100,000 users beside 10",
      unit: "/s",
      better: "more",
      aims: [{ beside: FEW, ratio: 0.95 }],
      reason:
        "A decision is a look-up in a map, whatever its size. What differs is the heap that " +
        "holds the users, which the garbage collector visits now and then.",
    },
  },
};

export const USERS_ROWS: readonly Scenario[] = [
  ...Object.keys(USERS).map((count) => usersScenario(Number(count))),
  DECIDE,
];
