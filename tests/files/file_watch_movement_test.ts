/** What a watch takes for a file that is at rest: paths that move, alone and together. */
import { assertEquals } from "@std/assert";
import { FileWatch, type WatchedStatus } from "../../lib/files/file_watch.ts";

/** A path whose next look shows a movement. */
class Path implements WatchedStatus {
  exists = true;
  failure = null;
  isReplaced = false;
  isBeingWritten = false;
  granularity = 20;
  #next: "none" | "replaced" | "in place" = "in place";

  move(how: "replaced" | "in place"): void {
    this.#next = how;
  }

  update(): boolean {
    const how = this.#next;
    this.#next = "none";
    this.isReplaced = how === "replaced";
    return how !== "none";
  }
}

/** A watch of two paths, and its clock. */
class Place {
  readonly paths = [new Path(), new Path()] as const;
  content = "one";
  now = 1_000;
  reads = 0;
  readonly discarded: string[] = [];
  /** Runs in the middle of each read. */
  during = () => {};
  readonly watch: FileWatch<string> = new FileWatch<string>(
    this.paths,
    {
      read: () => {
        this.reads++;
        const { content } = this;
        this.during();
        return content;
      },
      isSame: (one, other) => one === other,
      discard: (content) => this.discarded.push(content),
    },
    () => this.now,
  );

  /** Changes the content, as one of the paths shows it. */
  change(content: string, index: 0 | 1, how: "replaced" | "in place"): void {
    this.content = content;
    this.paths[index].move(how);
  }

  poll(): string {
    const result = this.watch.poll();
    return result.kind === "read" ? `read ${result.content}` : result.kind;
  }
}

Deno.test("a file that is replaced in each read is read three times, and then waited for", () => {
  const place = new Place();
  assertEquals(place.poll(), "read one");
  place.change("two", 0, "replaced");
  place.during = () => place.paths[0].move("replaced");
  place.reads = 0;
  assertEquals([place.poll(), place.reads, place.discarded], [
    "unsettled",
    3,
    Array(3).fill("two"),
  ]);
  place.during = () => {};
  assertEquals(place.poll(), "read two");
});

Deno.test("a file that is written in place while it is read is not taken as a replaced one", () => {
  const place = new Place();
  place.poll();
  place.change("tw", 0, "replaced");
  place.during = () => place.change("two", 0, "in place");
  assertEquals(place.poll(), "unsettled");
  place.during = () => {};
  assertEquals([place.poll(), place.discarded], ["unsettled", ["tw"]]);
  place.now += 49;
  assertEquals(place.poll(), "unsettled");
  place.now += 1;
  assertEquals(place.poll(), "read two");
});

Deno.test("of two paths, one that is written in place decides, in any order", () => {
  for (const [written, replaced] of [[0, 1], [1, 0]] as const) {
    const place = new Place();
    place.poll();
    place.change("two", replaced, "replaced");
    place.paths[written].move("in place");
    assertEquals(place.poll(), "unsettled");
    place.now += 50;
    assertEquals(place.poll(), "read two");
    place.change("three", replaced, "replaced");
    assertEquals(place.poll(), "read three");
  }
});

Deno.test("one of two paths that is open for writing keeps the content from being taken", () => {
  for (const index of [0, 1] as const) {
    const place = new Place();
    place.paths[index].isBeingWritten = true;
    assertEquals(place.poll(), "unsettled");
    place.paths[index].isBeingWritten = false;
    place.now += 50;
    assertEquals(place.poll(), "read one");
  }
});

Deno.test("a write of the same bytes is a movement: the file has to be still again", () => {
  const place = new Place();
  place.poll();
  place.change("two", 0, "in place");
  assertEquals(place.poll(), "unsettled");
  place.now += 40;
  place.change("two", 0, "in place");
  assertEquals(place.poll(), "unsettled");
  place.now += 49;
  assertEquals(place.poll(), "unsettled");
  place.now += 1;
  assertEquals(place.poll(), "read two");
});

Deno.test("each content that is looked at and not taken is discarded, once", () => {
  const place = new Place();
  place.poll();
  place.change("two", 0, "in place");
  place.poll();
  // Open for writing when it has been still: it is read again, and waited for.
  place.paths[0].isBeingWritten = true;
  place.now += 50;
  assertEquals([place.poll(), place.discarded], ["unsettled", ["two"]]);
  place.paths[0].isBeingWritten = false;
  place.now += 50;
  assertEquals([place.poll(), place.discarded], ["read two", ["two", "two"]]);
});
