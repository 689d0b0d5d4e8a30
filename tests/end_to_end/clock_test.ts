/** A clock that is set while a server runs. */
import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { freePort, writeKey } from "../support/keys.ts";
import { isInstalled } from "../support/installed.ts";
import { Program } from "../support/program.ts";

const hasCompiler = isInstalled("gcc");
if (!hasCompiler) console.log("gcc is missing: no clock is set");

const SOURCE = fromFileUrl(new URL("../support/set_clock.c", import.meta.url));
const HOUR_S = 3_600;

Deno.test(
  "a clock that is set back revives no expired key (needs gcc)",
  { ignore: !hasCompiler },
  async () => {
    await using program = await Program.install();
    const library = program.path("set_clock.so");
    const { success } = await new Deno.Command("gcc", {
      args: ["-shared", "-fPIC", "-O1", "-o", library, SOURCE],
    }).output();
    assertEquals(success, true);
    const clock = await program.write("clock", "0");
    const port = freePort();
    const key = await writeKey(program, "bob.key");
    const end = new Date(Date.now() + HOUR_S * 1_000).toISOString();
    const config = await program.write(
      "config.yaml",
      `listeners:
  - tcp: 127.0.0.1:${port}
    keys: [{ file: ${key}, user: bob, not_after: ${end} }]
    service: console
users: [{ name: bob, uid: 579, local_ipc_access: true }]
`,
    );
    const env = { LD_PRELOAD: library, CLOCK: clock };
    await using server = await program.serve(["--config", config], { env });
    const args = ["connect", `--tcp=127.0.0.1:${port}`, `--key=${key}`, "-c", "who"];
    const connect = async () => (await program.run(args)).code;
    assertEquals(await connect(), 0);
    await program.write("clock", String(2 * HOUR_S));
    assertEquals(await connect(), 77);
    await program.write("clock", String(-2 * HOUR_S));
    assertEquals(await connect(), 77);
    const denials = await server.events("deny", 2);
    assertEquals(denials.map(({ reason }) => reason), ["expired-key", "expired-key"]);
  },
);
