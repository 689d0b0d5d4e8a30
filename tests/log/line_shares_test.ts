import { assert, assertEquals } from "@std/assert";
import { LineShares } from "../../lib/log/line_shares.ts";
import { subjectsOf } from "../../lib/log/line_mark.ts";

/** How much a subject gets that takes lines of 1 until it is refused. */
function fill(shares: LineShares, ...subjects: string[]): number {
  let count = 0;
  while (shares.take(subjects, 1)) count++;
  return count;
}

Deno.test("LineShares: each subject gets half of what the others have left", () => {
  const shares = new LineShares(1_024);
  assertEquals(["a", "b", "c", "d"].map((name) => fill(shares, name)), [512, 256, 128, 64]);
  assertEquals(fill(shares, "a"), 0);
  shares.release(["a"], 512);
  assert(fill(shares, "e") > 256);
});

Deno.test("LineShares: subjects that belong together share", () => {
  const shares = new LineShares(1_024);
  let all = 0;
  for (let uid = 0; uid < 100; uid++) all += fill(shares, "unlisted", `uid ${uid}`);
  assert(all > 500 && all <= 512, String(all));
  assertEquals(fill(shares, "user bob"), Math.floor((1_024 - all) / 2));
});

Deno.test("LineShares: one part does not fill the share of all parts", () => {
  const shares = new LineShares(1_024);
  const first = fill(shares, "unlisted", "uid 1");
  assert(Math.abs(first - 341) <= 1, String(first));
  assert(fill(shares, "unlisted", "uid 2") > 100);
  assert(fill(shares, "unlisted", "uid 3") > 30);
  assertEquals(fill(shares, "unlisted", "uid 1"), 0);
});

Deno.test("LineShares: what does not fit takes nothing", () => {
  const shares = new LineShares(10);
  assertEquals(shares.take(["a"], 11), false);
  assertEquals(shares.take(["a"], 5, 6), false);
  assertEquals(shares.take(["a"], 10), true);
  assertEquals(shares.take(["b"], 1), false);
  shares.release(["a"], 10);
  assertEquals(shares.take(["b"], 10), true);
});

Deno.test("subjectsOf() is the user, else uid or address and all such clients together", () => {
  const peer = { pid: 1, uid: 7, gid: 8, exe: null };
  assertEquals(subjectsOf({ user: "bob", peer }), ["user bob"]);
  assertEquals(subjectsOf({ user: null, peer }), ["unlisted", "uid 7"]);
  assertEquals(subjectsOf({ remote: "192.0.2.1:77" }), ["unlisted", "192.0.2.1"]);
  assertEquals(subjectsOf({ remote: "[2001:db8:1:2:3::4]:77" }), ["unlisted", "2001:db8:1:2"]);
  assertEquals(subjectsOf({}), ["server"]);
});
