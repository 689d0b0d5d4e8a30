/** Who may read the memory of a process that holds a key. */
import { assertEquals } from "@std/assert";
import { RunningTunnel } from "../support/backend.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

Deno.test(
  "a process with a key is read by no process of the same user (needs root)",
  { ignore: !isRoot },
  async () => {
    await using program = await Program.install();
    const key = await writeKey(program, "bob.key");
    await Deno.chown(key, 579, 579);
    const directory = program.path("own");
    await Deno.mkdir(directory);
    await Deno.chown(directory, 579, 579);
    const port = freePort();
    const readers = async (pid: number) => {
      const names = ["environ", "mem", "maps"].map((name) => `/proc/${pid}/${name}`);
      const script = 'for path; do ( : < "$path" ) 2>/dev/null && echo "${path##*/}"; done';
      const argv = ["sh", "-c", script, "sh", ...names];
      return (await program.execute(argv, { uid: 579 })).stdout.split("\n").filter(Boolean);
    };
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${directory}/s.sock, service: { exec: [/bin/cat] } }
  - { tcp: "127.0.0.1:${port}", keys: [{ file: ${key} }] }
`,
    );
    await using server = await program.serve(["--config", config], { uid: 579 });
    await server.events("listen", 2);
    assertEquals(await readers(server.pid), []);
    const listen = ["--listen", `unix:${directory}/tunnel.sock`];
    const argv = ["ipcauth", "connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`, ...listen];
    await using tunnel = new RunningTunnel(program.command(argv, { uid: 579 }).spawn());
    await tunnel.line("listening on ");
    assertEquals(await readers(tunnel.pid), []);
    // A program that the server starts is like any other.
    using connection = await Deno.connect({ transport: "unix", path: `${directory}/s.sock` });
    const { session } = await server.event("allow");
    await connection.write(new TextEncoder().encode("started\n"));
    await connection.read(new Uint8Array(8));
    const { stdout } = await program.execute(["ps", "-o", "pid=", "--ppid", String(server.pid)]);
    assertEquals([typeof session, await readers(Number(stdout))], [
      "number",
      ["environ", "mem", "maps"],
    ]);
  },
);
