/**
 * Many clients at once that behave badly, each with a pattern of its own: `storm.ts SOCKET COUNT SEED`.
 * Prints the number of sessions that got in, and fails if a byte of one ever reached another.
 */
const [path, count, seed] = [Deno.args[0]!, Number(Deno.args[1]), Number(Deno.args[2])];
let state = seed;

function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

async function session(index: number): Promise<boolean> {
  const pattern = `p${seed}x${index}x`;
  const behaviour = random();
  const connection = await dial();
  let heard = "";
  try {
    const buffer = new Uint8Array(65536);
    const first = await connection.read(buffer);
    if (first === null) return false;
    heard += new TextDecoder().decode(buffer.subarray(0, first));
    // Some only look.
    if (behaviour < 0.15) return true;
    const calls = 1 + Math.floor(random() * 20);
    let request = "";
    for (let call = 0; call < calls; call++) {
      const id = `${pattern}${call}`;
      request += JSON.stringify({ jsonrpc: "2.0", id, method: "users.get", params: { name: id } }) +
        "\n";
    }
    const bytes = new TextEncoder().encode(request);
    // Some stop in the middle of a line, some in the middle of a session.
    const end = behaviour < 0.3 ? Math.floor(random() * bytes.length) : bytes.length;
    for (let sent = 0; sent < end;) sent += await connection.write(bytes.subarray(sent, end));
    // Some leave without reading, which resets what is on its way.
    if (behaviour < 0.45) return true;
    if (behaviour < 0.8) await connection.closeWrite();
    for (let answers = 0; behaviour < 0.8 || answers < calls;) {
      const read = await connection.read(buffer);
      if (read === null) break;
      const text = new TextDecoder().decode(buffer.subarray(0, read));
      heard += text;
      answers += text.split("\n").length - 1;
    }
    return true;
  } catch {
    // Reset or revoked: whatever was heard until then still has to be ours.
    return heard !== "";
  } finally {
    connection.close();
    check(heard, pattern);
  }
}

async function dial(): Promise<Deno.UnixConn> {
  for (;;) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      // A full backlog: try again, as any client would.
      if (!/temporarily unavailable|os error 11/.test(String(error))) throw error;
    }
  }
}

function check(heard: string, pattern: string): void {
  for (const foreign of heard.matchAll(/p\d+x\d+x/g)) {
    if (foreign[0] !== pattern) throw new Error(`${pattern} heard ${foreign[0]}`);
  }
  const lines = heard.split("\n");
  if (lines.length > 1 && !lines[0]!.includes('"welcome"')) {
    throw new Error(`${pattern} was greeted with ${lines[0]}`);
  }
  if (heard.split('"welcome"').length > 2) throw new Error(`${pattern} was greeted twice`);
}

let started = 0;
let admitted = 0;
await Promise.all(Array.from({ length: 64 }, async () => {
  while (started < count) if (await session(started++)) admitted++;
}));
console.log(admitted);
