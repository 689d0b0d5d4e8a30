/** The log names each change through the console with its author, and what a reload has changed. */
import { assertEquals } from "@std/assert";
import { isRoot, Program } from "../support/program.ts";

const CONFIG = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, gid: 579, local_ipc_access: true, admin: true }
`;

Deno.test("each change through the console is a line of the log (needs root)", {
  ignore: !isRoot,
}, async () => {
  await using program = await Program.install();
  const config = await program.write("config.yaml", CONFIG);
  const socket = program.path("s");
  await using server = await program.serve([`--unix=${socket}`, "--config", config]);
  const bob = async (command: string) => {
    const argv = ["connect", `--unix=${socket}`, "-c", command];
    return (await program.run(argv, { uid: 579 })).code;
  };
  const allow = await bob("allow alice");
  const change = await server.event("change");
  assertEquals(allow, 0);
  const { session, peer, user, what } = change as unknown as Record<string, unknown>;
  assertEquals([typeof session, (peer as { uid: number }).uid, user, what], [
    "number",
    579,
    "bob",
    "user alice local_ipc_access",
  ]);
  assertEquals([change.old, change.new], ["false", "true"]);
  assertEquals(
    (await server.event("reload")).what,
    "user alice local_ipc_access false → true",
  );
  // A value that the field has already is no change.
  assertEquals(await bob("allow alice"), 0);
  assertEquals(await bob("add user carol uid 580"), 0);
  assertEquals(await bob("remove user carol"), 0);
  // One that is refused is none, either.
  assertEquals(await bob("set user alice uid 0") === 0, false);
  assertEquals(await server.stop(), 0);
  const lines = server.of("change").map((line) => [line.what, line.old, line.new]);
  const carol = "uid=580 local_ipc_access=false admin=false";
  assertEquals(lines, [
    ["user alice local_ipc_access", "false", "true"],
    ["user carol", undefined, carol],
    ["user carol", carol, undefined],
  ]);
});

Deno.test("an edit through the console makes no new file where the file is gone", async () => {
  await using program = await Program.install();
  const config = await program.write("config.yaml", CONFIG);
  const socket = program.path("s");
  await using server = await program.serve([`--unix=${socket}`, "--config", config]);
  await Deno.remove(config);
  const add = ["connect", `--unix=${socket}`, "-c", "add user carol uid 580"];
  const { code, stderr } = await program.run(add);
  assertEquals([code === 0, /There is no configuration/.test(stderr)], [false, true], stderr);
  assertEquals(await Deno.stat(config).then(() => true, () => false), false);
  assertEquals(await server.stop(), 0);
});
