/**
 * Run by a test: many console clients at once that misbehave, each with a pattern of its own.
 * Prints the number of accepted sessions, and fails if a byte of one reached another.
 *
 * `console_load.ts SOCKET COUNT SEED`
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
  const connection = await connect();
  let received = "";
  try {
    const buffer = new Uint8Array(65536);
    const first = await connection.read(buffer);
    if (first === null) return false;
    received += new TextDecoder().decode(buffer.subarray(0, first));
    // Some only read the greeting.
    if (behaviour < 0.15) return true;
    const calls = 1 + Math.floor(random() * 20);
    let request = "";
    for (let call = 0; call < calls; call++) {
      const id = `${pattern}${call}`;
      request += JSON.stringify({ jsonrpc: "2.0", id, method: "users.get", params: { name: id } }) +
        "\n";
    }
    const bytes = new TextEncoder().encode(request);
    // Some end in the middle of a line, some in the middle of a session.
    const end = behaviour < 0.3 ? Math.floor(random() * bytes.length) : bytes.length;
    for (let sent = 0; sent < end;) sent += await connection.write(bytes.subarray(sent, end));
    // Some close without reading, which resets the connection.
    if (behaviour < 0.45) return true;
    if (behaviour < 0.8) await connection.closeWrite();
    for (let answers = 0; behaviour < 0.8 || answers < calls;) {
      const read = await connection.read(buffer);
      if (read === null) break;
      const text = new TextDecoder().decode(buffer.subarray(0, read));
      received += text;
      answers += text.split("\n").length - 1;
    }
    return true;
  } catch {
    // Reset or revoked: what was received until then is still checked.
    return received !== "";
  } finally {
    connection.close();
    check(received, pattern);
  }
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

function check(received: string, pattern: string): void {
  for (const foreign of received.matchAll(/p\d+x\d+x/g)) {
    if (foreign[0] !== pattern) throw new Error(`${pattern} received ${foreign[0]}`);
  }
  const lines = received.split("\n");
  if (lines.length > 1 && !lines[0]!.includes('"welcome"')) {
    throw new Error(`${pattern} was greeted with ${lines[0]}`);
  }
  if (received.split('"welcome"').length > 2) throw new Error(`${pattern} was greeted twice`);
}

let started = 0;
let admitted = 0;
await Promise.all(Array.from({ length: 64 }, async () => {
  while (started < count) if (await session(started++)) admitted++;
}));
console.log(admitted);
