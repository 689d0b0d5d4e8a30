/** The budget of the standard error of programs, with several data planes. */
import { assertEquals } from "@std/assert";
import { ExecServer } from "../support/exec_server.ts";

const LINES = 160;
/** One of `floods`: it costs 3,256 bytes of the log. */
const LONG = "y".repeat(3_000);

Deno.test("one program may take the whole part of its user, however many data planes there are", async () => {
  await using fixture = await ExecServer.open({
    floods: { script: `for line in $(seq ${LINES}); do echo ${LONG} >&2; done; exec cat` },
    // Longer than the burst of a user takes, and shorter than it would at an eighth of the rate.
    later: { script: "exec sleep 30" },
  }, "workers: 8\n");
  const { server } = fixture;
  using _later = await fixture.openConnection("later");
  await server.event("allow");
  using _floods = await fixture.openConnection("floods");
  const first = await Promise.race([
    server.events("stderr", LINES).then(() => "all lines"),
    server.event("close").then(() => "the end of the other program"),
  ]);
  assertEquals(first, "all lines");
});
