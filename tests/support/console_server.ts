/** A console server on a Unix socket, for tests of access to it. */
import { Program } from "./program.ts";

/** Alice is denied, and bob is allowed. */
export const USERS = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob,   uid: 579, gid: 579, local_ipc_access: true, admin: false }
`;

/** Starts a server with a console. @param config The text of its configuration. */
export async function openConsole(config = USERS) {
  const program = await Program.install();
  const file = await program.write("config.yaml", config);
  const socket = program.path("ipc.sock");
  const server = await program.serve([`--unix=${socket}`, "--config", file]);
  return {
    program,
    server,
    file,
    socket,
    async connect(uid: number, input = "", ...flags: string[]) {
      return await program.run(["connect", `--unix=${socket}`, ...flags], { uid, input });
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await program.remove();
    },
  };
}

/** Connects. @returns The connection, and whether a greeting came. */
export async function openConnection(
  path: string,
): Promise<{ connection: Deno.UnixConn; in: boolean }> {
  const connection = await Deno.connect({ transport: "unix", path });
  return { connection, in: await connection.read(new Uint8Array(4096)) !== null };
}
