import { assertEquals, assertThrows } from "@std/assert";
import { findKeyFile } from "../../lib/keys/key_reader.ts";
import { Failure } from "../../lib/errors.ts";

const SYSTEM = "/etc/ipcauth/ipc.key";
const hasKey = await Deno.stat(SYSTEM).then(() => true, () => false);

Deno.test({
  name: "findKeyFile() names the paths it tried, one or two (needs a machine without a key)",
  ignore: hasKey,
  fn() {
    const sentence = (uid: number, env: Record<string, string>) =>
      assertThrows(() => findKeyFile(null, { uid, env }, null), Failure).message;
    assertEquals(sentence(0, {}), `There is no key: ${SYSTEM} does not exist`);
    assertEquals(
      sentence(1000, { HOME: "/absent" }),
      `There is no key: neither /absent/.config/ipcauth/ipc.key nor ${SYSTEM} exists`,
    );
  },
});
