/** Access over a Unix socket by uid, by group, and by the allow list of a listener. */
import { assertEquals } from "@std/assert";
import { openConsole, USERS } from "../support/console_server.ts";
import { isRoot, Program, RunningServer } from "../support/program.ts";

const options = { ignore: !isRoot };

Deno.test("a uid that is not listed is denied (needs root)", options, async () => {
  await using fixture = await openConsole();
  assertEquals((await fixture.connect(580)).code, 77);
  assertEquals((await fixture.server.event("deny")).reason, "unknown-uid");
});

Deno.test(
  "a uid without a mapping in the server's user namespace is denied (needs root)",
  options,
  async () => {
    await using program = await Program.install({ privateSystem: true });
    // The server runs in a user namespace that maps only its own uid, so the kernel names every
    // other peer by the overflow uid.
    const own = program.path("own");
    await Deno.mkdir(own);
    await Deno.chown(own, 600, 600);
    const path = `${own}/ipc.sock`;
    const child = program.command(
      ["unshare", "--user", "--map-user=0", "--", "ipcauth", "serve", `--unix=${path}`],
      { uid: 600, env: { IPCAUTH_CONFIG: "", XDG_CONFIG_HOME: own } },
    ).spawn();
    await using server = new RunningServer(child);
    await server.event("listen");
    const outcome = await program.run(["connect", `--unix=${path}`, "--server-user", "600"], {
      uid: 579,
      input: "",
    });
    assertEquals(outcome.code, 77);
    assertEquals((await server.event("deny")).reason, "unmapped-uid");
  },
);

Deno.test(
  "groups allow and deny, by gid and by name, primary and supplementary (needs root)",
  options,
  async () => {
    await using fixture = await openConsole(`users: []
groups:
  - { name: netops, gid: 2000, local_ipc_access: true }
  - { name: daemon, local_ipc_access: true }
  - { name: interns, gid: 3000, local_ipc_access: false }
`);
    const outcome = async (gid: number, groups: number[]) =>
      (await fixture.program.run(["connect", `--unix=${fixture.socket}`], {
        uid: 700,
        gid,
        groups,
        input: "",
      }))
        .code;
    assertEquals(await outcome(700, []), 77);
    assertEquals(await outcome(2000, []), 0);
    assertEquals(await outcome(700, [5, 2000]), 0);
    assertEquals(await outcome(700, [1]), 0);
    assertEquals(await outcome(2000, [3000]), 77);
    const reasons = (await fixture.server.events("deny", 2)).map(({ reason }) => reason);
    assertEquals(reasons, ["unknown-uid", "group-denied"]);
  },
);

Deno.test(
  "the allow list of a listener narrows access, and never widens it (needs root)",
  options,
  async () => {
    await using program = await Program.install();
    const socket = program.path("ipc.sock");
    const file = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${socket}, allow: [bob, alice] }
${USERS}  - { name: carol, uid: 580, local_ipc_access: true }
`,
    );
    await using server = await program.serve(["--config", file]);
    const code = async (uid: number) =>
      (await program.run(["connect", `--unix=${socket}`], { uid, input: "" })).code;
    assertEquals([await code(0), await code(579), await code(580), await code(578)], [
      0,
      0,
      77,
      77,
    ]);
    const reasons = (await server.events("deny", 2)).map(({ reason }) => reason);
    assertEquals(reasons, ["not-on-listener", "user-denied"]);
  },
);
