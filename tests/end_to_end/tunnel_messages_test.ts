/** The messages of a tunnel never end it and never hold it up, whatever reads them. */
import { assertEquals } from "@std/assert";
import { Backend, echo, forwardServer, writeAll } from "../support/backend.ts";
import { drain } from "../support/connections.ts";
import type { KeyedServer } from "../support/keys.ts";
import { Lines } from "../support/program.ts";

async function answerThrough(path: string, text: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  await writeAll(connection, new TextEncoder().encode(text)).catch(() => {});
  await connection.closeWrite().catch(() => {});
  return new TextDecoder().decode((await drain(connection)).bytes);
}

/** Puts the content of another key file into a tunnel's. */
async function useKey({ program }: KeyedServer, name: string): Promise<void> {
  await program.write("own.key", await Deno.readTextFile(program.path(name)), 0o600);
}

/** Many connections that fail, each with a message, and one that does not. */
async function checkService(fixture: KeyedServer, path: string): Promise<void> {
  for (let count = 0; count < 20; count++) assertEquals(await answerThrough(path, "x"), "");
  await useKey(fixture, "bob.key");
  assertEquals(await answerThrough(path, "hello"), "hello");
}

Deno.test("a tunnel goes on when its messages are not read, and SIGTERM ends it", async (test) => {
  for (
    const [what, script] of [
      ["the reader has gone", "exec 4<&-"],
      ["the pipe is full", "head -c 65536 /dev/zero >&3"],
    ] as const
  ) {
    await test.step(what, async () => {
      await using fixture = await forwardServer();
      const { program, address } = fixture;
      using _backend = new Backend(program.path("backend.sock"), echo);
      await useKey(fixture, "wrong.key");
      const path = program.path("tunnel.sock");
      const tunnel = `ipcauth connect --tcp=${address} --key=${program.path("own.key")}`;
      const fifo = program.path("messages");
      const child = program.command([
        "bash",
        "-c",
        `mkfifo ${fifo} && exec 4<>${fifo} 3>${fifo} 4<${fifo} &&
        { ${tunnel} --listen unix:${path} 2>&3 4<&- & } && pid=$! && read -r line <&4 &&
        echo "$line" && ${script} && exec 3>&- && echo $pid && wait $pid`,
      ]).spawn();
      const lines = new Lines(child.stdout);
      assertEquals(await lines.next(), `listening on unix:${path}`);
      const pid = Number(await lines.next());
      try {
        await checkService(fixture, path);
      } finally {
        Deno.kill(pid, "SIGTERM");
      }
      assertEquals((await child.status).code, 0);
      await Promise.all([lines.cancel(), child.stderr.cancel()]);
    });
  }
});
