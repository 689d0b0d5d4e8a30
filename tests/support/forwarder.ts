/** A server with a forward service, for tests of what its backend learns of the peer. */
import { freePort, writeKey } from "./keys.ts";
import type { Program } from "./program.ts";

const USERS = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true }
  - { name: carol, uid: 580, local_ipc_access: true }
`;

/** A forward service for one backend, on a Unix socket and on TCP. */
export class Forwarder implements AsyncDisposable {
  static async open(identity: string, program: Program) {
    const [unix, port] = [program.path("ipc.sock"), freePort()];
    const backend = program.path("backend.sock");
    const [bob, carol, root] = [
      await writeKey(program, "bob.key"),
      await writeKey(program, "carol.key"),
      await writeKey(program, "root.key"),
    ];
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${unix}, service: { forward: "unix:${backend}", identity: ${identity} } }
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${bob}, user: bob }, { file: ${carol}, user: carol }, { file: ${root} }]
    service: { forward: "unix:${backend}", identity: ${identity} }
${USERS}`,
    );
    const server = await program.serve(["--config", config]);
    return new Forwarder(program, server, unix, port);
  }

  constructor(
    readonly program: Program,
    readonly server: Awaited<ReturnType<Program["serve"]>>,
    readonly unix: string,
    readonly port: number,
  ) {}

  /** What a client on the Unix socket receives. */
  async local(uid: number, groups: number[] = [], gid = uid): Promise<string> {
    const { stdout } = await this.program.execute(
      ["socat", "-u", `UNIX:${this.unix}`, "-"],
      { uid, gid, groups },
    );
    return stdout;
  }

  /** What a client with a key receives. */
  async keyed(key: string, ...flags: string[]): Promise<string> {
    const path = `--key=${this.program.path(key)}`;
    const args = ["connect", `--tcp=127.0.0.1:${this.port}`, path, ...flags, "--pipe"];
    return (await this.program.run(args, { input: "" })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }
}
