import { assertEquals } from "@std/assert";
import {
  callersName,
  HIDDEN,
  LIST,
  namesIn,
  SETTINGS,
} from "../../lib/config/launcher_environment.ts";

const NAMES = namesIn("HOME NODE_OPTIONS");

Deno.test("callersName() restores the names of hidden variables, and no others", () => {
  assertEquals(NAMES.map((name) => callersName(HIDDEN + name, NAMES)), NAMES);
  for (const name of [`${HIDDEN}LD_PRELOAD`, HIDDEN, "PATH"]) {
    assertEquals(callersName(name, NAMES), name);
  }
});

Deno.test("callersName() omits the variables that the launcher has set", () => {
  for (const name of [LIST, ...Object.keys(SETTINGS)]) assertEquals(callersName(name, NAMES), null);
});
