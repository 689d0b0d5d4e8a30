/** Once `users deny` has returned, the next connection is refused. */
import { assertEquals } from "@std/assert";
import { loadHostFacts } from "../../lib/config/load.ts";
import { setUserField } from "../../lib/config/edit.ts";
import { editConfigFile } from "../../lib/config/edit_file.ts";
import { isRoot, Lines, Program } from "../support/program.ts";

const ROUNDS = 2000;

/** Connects once for each line of input, and prints `in` or `out`. */
const CLIENT = `
import socket, sys
for line in sys.stdin:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(sys.argv[1])
    print("in" if s.recv(1) else "out", flush=True)
    s.close()
`;

Deno.test({
  name: `a denied user is refused at the next connection, ${ROUNDS} times (needs root)`,
  ignore: !isRoot,
  async fn() {
    await using program = await Program.install();
    const socket = program.path("ipc.sock");
    const file = await program.write(
      "config.yaml",
      "users:\n  - { name: bob, uid: 579, local_ipc_access: true }\n",
    );
    await using _server = await program.serve([`--unix=${socket}`, "--config", file]);
    const client = program.command(["python3", "-u", "-c", CLIENT, socket], { uid: 579, input: "" })
      .spawn();
    const ask = client.stdin.getWriter();
    const answers = new Lines(client.stdout);
    const connects = async (): Promise<string> => {
      await ask.write(new TextEncoder().encode("\n"));
      return await answers.next() ?? "gone";
    };
    const hostFacts = loadHostFacts(0);
    const machine = { overflowUid: hostFacts.overflowUid };
    // The function behind `ipcauth users`, without starting a process each time.
    const access = (value: string) =>
      editConfigFile(
        file,
        hostFacts,
        (text) =>
          setUserField(text, "bob", "local_ipc_access", value, { path: file, reserved: machine }),
      );
    const wrong: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const value = round % 2 === 0 ? "false" : "true";
      await access(value);
      const answer = await connects();
      if (answer !== (value === "true" ? "in" : "out")) wrong.push(`round ${round}: ${answer}`);
    }
    assertEquals(wrong.slice(0, 5), []);
    await ask.close();
    await answers.cancel();
    await client.stderr.cancel();
    await client.status;
  },
});
