import { connect, createServer, type Socket } from "node:net";
import { assertEquals } from "@std/assert";
import { ConsoleSession } from "../../../lib/service/console/session.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

Deno.test("a terminated session runs none of the requests that it has received", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.at("a.sock");
  const server = createServer({ allowHalfOpen: true });
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const client = connect(path);
  const welcome = {
    ...{ server: "ipcauth", version: "0", user: "bob", admin: true, trusted: false },
    ...{ from: "127.0.0.1", host: "host", session: 1 },
  };
  let calls = 0;
  const session = new ConsoleSession(
    await accepted,
    { welcome, trusted: false, actsAs: { name: "bob", uid: 579 } },
    {
      confirm: () => Promise.resolve(true),
      call: (_request, caller) => {
        calls++;
        if (calls === 3) session.terminate();
        return Promise.resolve({ result: null, caller });
      },
    },
  );
  // One write, and one read of the session. A notification has no answer that could fail.
  client.write('{"jsonrpc":"2.0","method":"users.add"}\n'.repeat(10));
  await session.run(null);
  assertEquals(calls, 3);
  client.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
