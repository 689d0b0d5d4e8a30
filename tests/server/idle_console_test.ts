/** A console that was about to be closed for being idle is closed when it is idle again. */
import { assert, assertEquals } from "@std/assert";
import { openConsole } from "../support/console_server.ts";
import { isRoot } from "../support/program.ts";
import { TestClient } from "../support/test_client.ts";

Deno.test({
  name: "a request that comes with the idle timeout keeps a session for a time (needs root)",
  ignore: !isRoot,
  async fn() {
    await using fixture = await openConsole("limits: { idle_timeout: 500ms }\n");
    for (let attempt = 1;; attempt++) {
      using client = TestClient.unix(fixture.socket, 0);
      const answers = async () => {
        client.send('{"jsonrpc":"2.0","id":1,"method":"stats"}\n');
        return (await client.line())?.includes('"result"') ?? false;
      };
      await client.line();
      // The control plane has it from its first request on.
      let isServed = await answers();
      Deno.kill(fixture.server.pid, "SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, 700));
      // Its time is over, and the request is there, when the server goes on.
      const answered = answers();
      Deno.kill(fixture.server.pid, "SIGCONT");
      isServed &&= await answered;
      // Where the server is held up for longer, it closes the session at once.
      if (!isServed && attempt < 10) continue;
      assert(isServed);
      let isIdle = true;
      const late = setTimeout(() => {
        isIdle = false;
        client[Symbol.dispose]();
      }, 20_000);
      assertEquals(await client.line(), null);
      clearTimeout(late);
      assert(isIdle, "it is open for 20 s");
      return;
    }
  },
});
