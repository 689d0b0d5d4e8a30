/** Threads that ask the name service, and that cannot be started. */
import { assertEquals } from "@std/assert";
import { LocalNames } from "../../lib/names/local_names.ts";
import { LookupScheduler } from "../../lib/names/lookup_scheduler.ts";
import { type LookupRequest, type LookupResult, unknown } from "../../lib/names/results.ts";

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

/** Threads in this one: each question is held until the test answers it. */
class HeldThreads {
  #next = Promise.withResolvers<void>();
  /** What is being asked, in the order in which it was. */
  readonly asked: { readonly request: LookupRequest; answer(): void }[] = [];

  readonly start = () => {
    const worker = {
      onmessage: null as ((event: MessageEvent) => void) | null,
      onerror: null,
      postMessage: (request: LookupRequest) => {
        this.asked.push({
          request,
          answer: () => {
            const result = unknown(request, "x");
            worker.onmessage?.(new MessageEvent("message", { data: result }));
          },
        });
        this.#next.resolve();
        this.#next = Promise.withResolvers();
      },
    };
    return { worker: worker as unknown as Worker, ready: Promise.resolve() };
  };

  /** Waits until so many questions were asked in all. */
  async names(count: number): Promise<string[]> {
    while (this.asked.length < count) await this.#next.promise;
    return this.asked.map(({ request }) => nameOf(request));
  }
}

const nameOf = (request: LookupRequest) => request.kind === "group" ? request.name : "";
const group = (name: string) => ({ kind: "group", name }) as const;

Deno.test("a question that something waits for goes before those that keep answers fresh", async () => {
  const threads = new HeldThreads();
  const scheduler = new LookupScheduler(threads.start as never, () => {});
  for (const name of ["a", "b", "c"]) scheduler.add(group(name));
  await threads.names(1);
  scheduler.add(group("wanted"), true);
  threads.asked[0]!.answer();
  assertEquals((await threads.names(2)).slice(0, 2), ["a", "wanted"]);
});

Deno.test("the last thread asks only what a local file answers", async () => {
  const threads = new HeldThreads();
  const local = { has: (request: LookupRequest) => nameOf(request) === "near" };
  const scheduler = new LookupScheduler(threads.start as never, () => {}, local);
  for (const name of ["h1", "h2", "h3", "h4", "near"]) scheduler.add(group(name));
  assertEquals(await threads.names(4), ["h1", "near", "h2", "h3"]);
  threads.asked[1]!.answer();
  // The threads are in this one, so what is asked at all is asked before the next turn.
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(threads.asked.length, 4);
  scheduler.add(group("near"));
  assertEquals((await threads.names(5)).slice(4), ["near"]);
  threads.asked[0]!.answer();
  assertEquals((await threads.names(6)).slice(5), ["h4"]);
});

Deno.test("LocalNames knows the groups and users of the files, and of no account its groups", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/group`, "netops:x:2000:bob\nusers:x:100:\n");
  const names = new LocalNames(directory);
  assertEquals(["netops", "users", "bob"].map((name) => names.has(group(name))), [
    ...[true, true, false],
  ]);
  assertEquals(names.has({ kind: "user", name: "netops" }), false);
  assertEquals(names.has({ kind: "account", uid: 2000 }), false);
  await Deno.remove(directory, { recursive: true });
});
