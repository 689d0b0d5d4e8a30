import { assert, assertEquals } from "@std/assert";
import { countMarks, MarkList, marksAfter } from "../../lib/log/line_mark.ts";
import { RecentLog } from "../../lib/log/recent_log.ts";

/** Lines with numbers, as the log writes them in one call. */
function text(from: number, count: number): Uint8Array {
  return encode(Array.from({ length: count }, (_, index) => `line ${from + index}\n`).join(""));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

Deno.test("RecentLog has the lines in order, and the position to go on from", () => {
  const log = new RecentLog(10, 1_000);
  assertEquals(log.read(0), { lines: [], next: 0, dropped: 0 });
  log.add(text(0, 2), 2);
  log.add(text(2, 1), 1);
  assertEquals(log.read(0), { lines: ["line 0", "line 1", "line 2"], next: 3, dropped: 0 });
  assertEquals(log.read(2), { lines: ["line 2"], next: 3, dropped: 0 });
  assertEquals(log.read(3), { lines: [], next: 3, dropped: 0 });
  // A position of another server, which has been restarted.
  assertEquals(log.read(99), { lines: [], next: 3, dropped: 0 });
});

Deno.test("RecentLog counts what it keeps no more, from the reader's position on", () => {
  const log = new RecentLog(4, 1_000);
  for (let at = 0; at < 20; at++) log.add(text(at, 1), 1);
  assertEquals(log.read(0), {
    lines: ["line 16", "line 17", "line 18", "line 19"],
    next: 20,
    dropped: 16,
  });
  assertEquals(log.read(15).dropped, 1);
  assertEquals(log.read(17), { lines: ["line 17", "line 18", "line 19"], next: 20, dropped: 0 });
});

Deno.test("RecentLog keeps the end of a text that alone is too much", () => {
  const byLines = new RecentLog(3, 1_000);
  byLines.add(text(0, 10), 10);
  assertEquals(byLines.read(0), { lines: ["line 7", "line 8", "line 9"], next: 10, dropped: 7 });
  const byLength = new RecentLog(100, 16);
  byLength.add(text(0, 10), 10);
  assertEquals(byLength.read(0), { lines: ["line 8", "line 9"], next: 10, dropped: 8 });
  byLength.add(encode(`${"x".repeat(99)}\n`), 1);
  assertEquals(byLength.read(0), { lines: [], next: 11, dropped: 11 });
  byLength.add(encode("end\n"), 1);
  assertEquals(byLength.read(0), { lines: ["end"], next: 12, dropped: 11 });
});

Deno.test("RecentLog never keeps more than its bounds, whatever is added", () => {
  const log = new RecentLog(50, 500);
  let total = 0;
  for (let step = 0; step < 2_000; step++) {
    const count = step * 7 % 23 + 1;
    log.add(text(total, count), count);
    total += count;
    const { lines, next, dropped } = log.read(0);
    assert(lines.length <= 50 && lines.join("\n").length < 500);
    assertEquals([next, lines.length + dropped], [total, total]);
    assertEquals(lines.at(-1), `line ${total - 1}`);
  }
});

Deno.test("marksAfter() leaves out the marks of the first lines", () => {
  const marks = "12:user bob\n3!user carol\n1:server\n";
  assertEquals(marksAfter(marks, 0), marks);
  assertEquals(marksAfter(marks, 2), "10:user bob\n3!user carol\n1:server\n");
  assertEquals(marksAfter(marks, 12), "3!user carol\n1:server\n");
  assertEquals(marksAfter(marks, 14), "1!user carol\n1:server\n");
  assertEquals([marksAfter(marks, 16), marksAfter("", 3)], ["", ""]);
});

Deno.test("countMarks() is how many lines the marks are of", () => {
  const marks = new MarkList();
  assertEquals(countMarks(marks.take()), 0);
  for (const user of ["bob", "bob", "alice", null, "bob"]) {
    marks.add({ event: "allow", time: 0, user });
  }
  marks.add({ event: "stderr", time: 0, user: "bob", message: "7:x" });
  assertEquals(countMarks(marks.take()), 6);
});
