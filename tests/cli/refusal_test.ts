/** What a client says where a Unix server closes without a byte: refused, or the service ended. */
import { assertEquals } from "@std/assert";
import { isRoot, Program } from "../support/program.ts";

Deno.test({
  name: "a closed connection is a refusal only where the client has no access (needs root)",
  ignore: !isRoot,
  fn: async () => {
    await using program = await Program.install();
    const [dead, only] = [program.path("dead.sock"), program.path("only.sock")];
    const forward = `{ forward: "unix:${program.path("no-backend.sock")}" }`;
    const config = await program.write(
      "config.yaml",
      `listeners:
  - { unix: ${dead}, service: ${forward} }
  - { unix: ${only}, service: ${forward}, allow: [root] }
users:
  - { name: alice, uid: 578 }
  - { name: bob, uid: 579, local_ipc_access: true }
  - { name: root, uid: 0 }
groups: [{ name: netops, gid: 2000, local_ipc_access: true }]
`,
    );
    await using _server = await program.serve(["--config", config]);
    const failureOf = async (path: string, mode: string[], uid: number, groups: number[] = []) => {
      const { code, stderr } = await program.run(
        ["connect", `--unix=${path}`, "--config", config, ...mode],
        { uid, groups, input: "" },
      );
      return [code, stderr.split("\n")[0]!.replace("Failed to connect to server: ", "")];
    };
    const ended = (uid: number) =>
      `${dead} has closed without sending data: uid ${uid} has access by ${config}, so the ` +
      "service has ended, its backend cannot be reached, or a limit of connections is reached";
    for (const mode of [["-c", "who"], ["--pipe"]]) {
      assertEquals(await failureOf(dead, mode, 579), [77, ended(579)]);
      assertEquals(await failureOf(dead, mode, 578), [77, `${dead} refuses uid 578`]);
    }
    assertEquals(await failureOf(dead, [], 0), [77, ended(0)]);
    assertEquals(await failureOf(dead, [], 577, [2000]), [77, ended(577)]);
    assertEquals(await failureOf(dead, [], 577), [77, `${dead} refuses uid 577`]);
    assertEquals(await failureOf(only, [], 579), [77, `${only} refuses uid 579`]);
    // A client that cannot read the file knows neither.
    await Deno.chmod(config, 0o600);
    const unread = await program.run(["connect", `--unix=${dead}`, "--config", config], {
      uid: 579,
    });
    assertEquals(
      unread.stderr.split("\n")[0],
      `Failed to connect to server: ${dead} has closed without sending data: uid 579 has no ` +
        "access, or the service has ended or cannot be reached",
    );
  },
});
