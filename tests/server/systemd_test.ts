import { assertEquals } from "@std/assert";
import { watchdogInterval } from "../../lib/server/systemd.ts";

Deno.test("watchdogInterval() is half of WATCHDOG_USEC, and at most what a timer can wait", () => {
  const interval = (WATCHDOG_USEC?: string, WATCHDOG_PID?: string) =>
    watchdogInterval({ WATCHDOG_USEC, WATCHDOG_PID }, 7);
  assertEquals(interval("30000000"), 15_000);
  assertEquals(interval("30000000", "7"), 15_000);
  assertEquals(interval("1"), 1);
  assertEquals(interval("18446744073709551615"), 2 ** 31 - 1);
  assertEquals(interval("9".repeat(400)), 2 ** 31 - 1);
});

Deno.test("watchdogInterval() is null without WATCHDOG_USEC, or if it is no number", () => {
  for (const text of [undefined, "", "0", "abc", "-1", "1e9", "0x10", " 5", "Infinity"]) {
    assertEquals(watchdogInterval({ WATCHDOG_USEC: text }, 7), null, String(text));
  }
  assertEquals(watchdogInterval({ WATCHDOG_USEC: "30000000", WATCHDOG_PID: "8" }, 7), null);
});
