/** `ipcauth groups`, and users whose ids are those of the name service, with a running server. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { isRoot, Program } from "../support/program.ts";

Deno.test({
  name: "groups add, deny and remove decide about the next connection (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install({ privateSystem: true });
    const socket = program.path("a.sock");
    const config = await program.write(
      "config.yaml",
      `listeners: [{ unix: ${socket} }] # one\nusers: [] # none\n`,
    );
    await using _server = await program.serve(["--config", config]);
    const groups = async (...args: string[]) => {
      const outcome = await program.run(["groups", ...args, "--config", config]);
      return { ...outcome, text: outcome.stdout + outcome.stderr };
    };
    const connect = async () =>
      (await program.run(["connect", `--unix=${socket}`, "-c", "who"], {
        uid: 579,
        gid: 579,
        groups: [2000],
      })).code;
    assertEquals(await connect(), 77);
    const added = await groups("add", "netops", "--gid", "2000");
    assertEquals([added.code, added.stderr], [0, ""]);
    assertStringIncludes(added.stdout, "its members are denied: ipcauth groups allow netops");
    assertEquals(await connect(), 77);
    assertEquals((await groups("allow", "netops")).code, 0);
    assertEquals(await connect(), 0);
    assertEquals((await groups("check", "netops")).code, 0);
    assertEquals((await groups("check", "2000")).code, 0);
    assertEquals(
      JSON.parse((await groups("list", "--json")).stdout),
      [{ name: "netops", gid: 2000, local_ipc_access: true }],
    );
    assertStringIncludes((await groups()).stdout, "netops  2000  true");
    assertStringIncludes((await groups("show", "netops")).stdout, "gid: 2000\n");
    // Another name for a gid: the entry that denies goes before.
    const same = `groups: [{ name: netops, gid: 0, local_ipc_access: true }, { name: root }]\n`;
    const two = await program.write("two.yaml", same);
    for (const who of ["netops", "root", "0"]) {
      const { code, stdout } = await program.run(["groups", "check", who, "--config", two]);
      assertEquals([who, code], [who, 77]);
      assertStringIncludes(stdout, "decided by group root");
    }
    assertEquals((await groups("deny", "netops")).code, 0);
    assertEquals(await connect(), 77);
    const denied = await groups("check", "netops");
    assertEquals(denied.code, 77);
    assertStringIncludes(denied.stdout, "to change it: ipcauth groups allow netops");
    assertEquals((await groups("set", "netops", "gid", "2001")).code, 0);
    assertEquals((await groups("remove", "netops")).code, 0);
    assertEquals(
      await Deno.readTextFile(config),
      `listeners: [{ unix: ${socket} }] # one\nusers: [] # none\ngroups: []\n`,
    );
    for (
      const [code, ...args] of [
        ["65", "show", "netops"],
        ["65", "check", "no-such-group-here"],
        ["64", "frobnicate"],
        ["64", "add"],
        ["64", "allow", "a", "b"],
        ["64", "list", "--gid", "5"],
      ]
    ) {
      assertEquals(String((await groups(...args)).code), code, args.join(" "));
    }
  },
});

Deno.test("groups add warns where neither the flag nor this machine has a gid", async () => {
  await using program = await Program.install();
  const config = program.path("config.yaml");
  const { code, stderr } = await program.run(
    ["groups", "add", "no-such-group-here", "--local-ipc-access", "--config", config],
  );
  assertEquals(code, 0, stderr);
  assertStringIncludes(stderr, "hint: ipcauth groups set no-such-group-here gid GID --config");
  assertEquals((await program.run(["config", "check", config])).code, 0);
});

Deno.test("users add takes uid and gid from the name service, and says that access is missing", async () => {
  await using program = await Program.install();
  const config = program.path("config.yaml");
  const run = (...args: string[]) => program.run(["users", ...args, "--config", config]);
  const [, , uid, gid] = (await Deno.readTextFile("/etc/passwd")).split("\n")
    .find((line) => line.startsWith("daemon:"))!.split(":");
  const added = await run("add", "daemon");
  assertEquals([added.code, added.stderr], [0, ""]);
  assertEquals(
    added.stdout,
    `added daemon (uid ${uid}) to ${config}; daemon has no access yet: ` +
      `ipcauth users allow daemon --config ${config}\n`,
  );
  const shown = JSON.parse((await run("show", "daemon", "--json")).stdout);
  assertEquals([shown.uid, shown.gid], [Number(uid), Number(gid)]);
  assertEquals((await run("set", "daemon", "gid", "none")).code, 0);
  assertEquals(JSON.parse((await run("show", "daemon", "--json")).stdout).gid, null);
  assertEquals(
    await Deno.readTextFile(config),
    `users:\n  - { name: daemon, uid: ${uid}, local_ipc_access: false }\n`,
  );
  const unknown = await run("add", "no-such-user-here");
  assertEquals(unknown.code, 65);
  assertStringIncludes(unknown.stderr, "hint: ipcauth users add no-such-user-here --uid N");
  const misused = await run("add");
  assertEquals(misused.code, 64);
  assertStringIncludes(
    misused.stderr,
    "Usage: ipcauth users add NAME [--uid N] [--gid N] [--local-ipc-access] [--admin]",
  );
});
