/** Reading and writing whole streams of bytes. */

/** Reads to the end of a connection. @returns The bytes, and whether a reset ended it. */
export async function drain(
  connection: Deno.Conn,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; reset: boolean }> {
  const chunks: Uint8Array[] = [];
  let reset = false;
  try {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) break;
      chunks.push(buffer.slice(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    reset = true;
  }
  return { bytes: new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()), reset };
}

/** Writes all bytes; a connection that the server has closed is no error. */
export async function sendAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  try {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await connection.write(rest));
  } catch (error) {
    const gone = error instanceof Deno.errors.BrokenPipe ||
      error instanceof Deno.errors.ConnectionReset;
    if (!gone) throw error;
  }
}

/** Connects to a Unix socket and reads to the end. @returns The text, also before a reset. */
export async function receiveAll(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  return new TextDecoder().decode((await drain(connection)).bytes);
}
