/** An exec service: `run_as` sets the uid, gid and groups of its program. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ExecServer, isOf } from "../support/exec_server.ts";
import { isRoot } from "../support/program.ts";

const options = { ignore: !isRoot };

Deno.test(
  "exec: run_as sets uid, gid and groups of the program (needs root)",
  options,
  async (test) => {
    const script =
      "id -u; id -g; id -G; echo $HOME; grep -E 'Cap(Prm|Eff|Inh|Amb)' /proc/$$/status";
    await using fixture = await ExecServer.open({
      peer: { script, runAs: "peer", tcp: true },
      carol: { script, runAs: "carol" },
      dora: { script, runAs: "dora" },
      server: { script },
    });
    const NONE = "0000000000000000";
    const caps = ["Inh", "Prm", "Eff", "Amb"].map((name) => `Cap${name}:\t${NONE}\n`).join("");
    await test.step("peer: uid, gid and groups of the peer, and no capability", async () => {
      assertEquals(
        await fixture.local("peer", 579, "", [2000, 2001]),
        `579\n579\n579 2000 2001\n/\n${caps}`,
      );
      const { stdout } = await fixture.keyed("peer", "bob.key");
      assertEquals(stdout, `579\n579\n579\n/\n${caps}`);
    });
    await test.step("a listed user", async () => {
      assertEquals(await fixture.local("carol", 579), `580\n1234\n1234\n/\n${caps}`);
    });
    await test.step("the server, by default", async () => {
      assertMatch(await fixture.local("server", 579), /^0\n0\n/);
    });
    await test.step("a user whose gid is unknown is refused", async () => {
      assertEquals(await fixture.local("dora", 579), "");
      const { reason } = await fixture.server.event("close", isOf("dora"));
      assertEquals(reason, "exec-failed");
      const { message } = await fixture.server.event("error");
      assertStringIncludes(String(message), "primary group of dora");
      assertEquals((await fixture.keyed("peer", "dora.key")).stdout, "");
    });
    await test.step("a trusted peer keeps uid 0", async () => {
      assertMatch(await fixture.local("peer", 0), /^0\n0\n/);
    });
  },
);
