import { assertEquals } from "@std/assert";
import {
  callersName,
  FILE_LIMIT,
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

Deno.test("callersName() omits the limit of files, and knows a hidden name by its prefix alone", () => {
  assertEquals(callersName(FILE_LIMIT, NAMES), null);
  // The caller's own variable of this name.
  assertEquals(callersName(HIDDEN + FILE_LIMIT, namesIn(FILE_LIMIT)), FILE_LIMIT);
  assertEquals(callersName("NODE_OPTIONS", NAMES), "NODE_OPTIONS");
  assertEquals(
    callersName("x".repeat(HIDDEN.length) + "NODE_OPTIONS", NAMES),
    "x".repeat(HIDDEN.length) + "NODE_OPTIONS",
  );
});

Deno.test("the launcher leaves the runtime no home, no cache and nothing to say", () => {
  // The names are those of the launcher's own source, tools/build/launcher/.
  assertEquals([LIST, FILE_LIMIT, HIDDEN], ["IPCAUTH_KEEP", "IPCAUTH_FILE_LIMIT", "IPCAUTH_KEEP_"]);
  assertEquals(SETTINGS, {
    HOME: "/proc/ipcauth",
    DENO_DIR: "/proc/ipcauth",
    DENO_DISABLE_NODE_SHIM: "1",
    DENO_NO_UPDATE_CHECK: "1",
    DENO_LOG: "error,deno::cache::cache_db=off",
  });
});
