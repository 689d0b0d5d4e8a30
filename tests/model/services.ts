/**
 * The services behind the listeners of a story. Those that are no console say first who the peer
 * is, in a line as the console's greeting, and then send back what they get.
 */
import { assertEquals } from "@std/assert";
import { Backend, echo, writeAll } from "../support/backend.ts";
import type { ServiceKind } from "./access_model.ts";

/** The program that a server starts. */
const PROGRAM = [
  "/bin/sh",
  "-c",
  `printf '{"params":{"user":"%s","uid":"%s","gid":"%s","pid":"%s","key":"%s","runs":"%s"}}\\n' ` +
  `"$IPCAUTH_USER" "$IPCREMOTEEUID" "$IPCREMOTEEGID" "$IPCAUTH_PID" "$IPCAUTH_KEY_ID" ` +
  `"$(id -u)"; exec cat`,
];

/** A service as the file has it. @param backend The socket of the backend. */
export function serviceText(kind: ServiceKind, backend: string): string {
  switch (kind) {
    case "console":
      return kind;
    case "forward":
      return `{ forward: "unix:${backend}", identity: proxy-v2 }`;
    case "exec":
      return `{ exec: ${JSON.stringify(PROGRAM)} }`;
    case "exec as the peer":
      return `{ exec: ${JSON.stringify(PROGRAM)}, run_as: peer }`;
  }
}

/** Opens the backend of a story. */
export function openBackend(path: string): Backend {
  return new Backend(path, async (connection) => {
    const head = await readExactly(connection, 16);
    assertEquals(head.subarray(0, 13).toHex(), "0d0a0d0a000d0a515549540a21");
    const body = await readExactly(connection, new DataView(head.buffer).getUint16(14));
    const params = { user: "", uid: "", gid: "", pid: "", key: "" };
    const names = Object.keys(params) as (keyof typeof params)[];
    // 12 bytes of addresses come first (section 2.2 of the specification of the header).
    for (let at = 12; at < body.length;) {
      const length = new DataView(body.buffer).getUint16(at + 1);
      const value = new TextDecoder().decode(body.subarray(at + 3, at + 3 + length));
      params[names[body[at]! - 0xe0]!] = value;
      at += 3 + length;
    }
    await writeAll(connection, new TextEncoder().encode(`${JSON.stringify({ params })}\n`));
    await echo(connection);
  });
}

async function readExactly(connection: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) throw new Error("the header ends early");
    at += count;
  }
  return bytes;
}
