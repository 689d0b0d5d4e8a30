/**
 * Run by a test: many clients of a service that echoes, which misbehave, each with a pattern of its
 * own. Prints how many sessions ended cleanly, and fails if a byte of one reached another.
 *
 * `stress_client.ts SOCKET COUNT SEED`
 */
const [path, count, seed] = [Deno.args[0]!, Number(Deno.args[1]), Number(Deno.args[2])];
let state = seed;

function random(below: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * below);
}

/** The bytes of a session from an offset on: each 16 of them hold seed, session and block. */
function pattern(session: number, from: number, length: number): Uint8Array<ArrayBuffer> {
  const first = from >> 4;
  const words = new Uint32Array(((from + length + 15) >> 4 << 2) - (first << 2));
  for (let at = 0; at < words.length; at += 4) {
    const block = first + (at >> 2);
    words.set([seed, session, block, (session * 31 + block) >>> 0], at);
  }
  return new Uint8Array(words.buffer).subarray(from - (first << 4), from - (first << 4) + length);
}

/** Runs one session. @returns Whether it ended cleanly with everything that was sent. */
async function session(number: number): Promise<boolean> {
  const total = random(8) === 0 ? random(1 << 20) : random(60_000);
  // Some close early, some never read, some pause, which fills each buffer on the way.
  const behaviour = random(10);
  const closesAt = behaviour < 3 ? random(total + 1) : Infinity;
  const connection = await connect();
  let received = 0;
  let sent = 0;
  try {
    const reading = (async () => {
      if (behaviour === 0) return;
      const buffer = new Uint8Array(1 + random(65_536));
      for (;;) {
        if (behaviour === 4 && random(4) === 0) await pause();
        const read = await connection.read(buffer);
        if (read === null) return;
        const expected = pattern(number, received, read);
        for (let at = 0; at < read; at++) {
          if (buffer[at] !== expected[at]) {
            throw new ForeignByteError(`session ${number}, byte ${received + at}`);
          }
        }
        received += read;
        if (received > sent) {
          throw new ForeignByteError(`session ${number} received more than it has sent`);
        }
      }
    })();
    const writing = (async () => {
      while (sent < total && sent < closesAt) {
        const length = Math.min(1 + random(50_000), total - sent, closesAt - sent);
        const bytes = pattern(number, sent, length);
        // It counts as sent as soon as it may come back.
        sent += length;
        for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
      }
      if (closesAt === Infinity) await connection.closeWrite();
      else connection.close();
    })();
    const [read, written] = await Promise.allSettled([reading, writing]);
    for (const one of [read, written]) {
      if (one.status === "rejected" && one.reason instanceof ForeignByteError) throw one.reason;
    }
    return read.status === "fulfilled" && written.status === "fulfilled" && received === total;
  } finally {
    try {
      connection.close();
    } catch {
      // It is already closed.
    }
  }
}

class ForeignByteError extends Error {}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, random(20)));
}

async function connect(): Promise<Deno.UnixConn> {
  for (;;) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      // The backlog is full: try again.
      if (!/temporarily unavailable|os error 11/.test(String(error))) throw error;
    }
  }
}

let started = 0;
let clean = 0;
await Promise.all(Array.from({ length: 24 }, async () => {
  while (started < count) if (await session(++started)) clean++;
}));
console.log(clean);
