/** Threads that ask the name service, and that cannot be started. */
import { assertEquals } from "@std/assert";
import { LookupScheduler } from "../../lib/names/lookup_scheduler.ts";
import { type LookupResult, unknown } from "../../lib/names/results.ts";

Deno.test("a question is answered also where no thread can be started for it", async () => {
  const problem = "The name service cannot be started: the system starts no more threads";
  const answer = Promise.withResolvers<LookupResult>();
  const scheduler = new LookupScheduler(() => {
    throw new Error(problem);
  }, answer.resolve);
  const request = { kind: "group", name: "netops" } as const;
  scheduler.add(request);
  assertEquals(await answer.promise, unknown(request, problem));
});
