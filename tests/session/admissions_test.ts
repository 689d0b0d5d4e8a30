/** The counts that the limits rest on, of one data plane and of several. */
import { assertEquals } from "@std/assert";
import type { Decision } from "../../lib/policy/types.ts";
import { SharedLock } from "../../lib/reactor/shared_lock.ts";
import { mapsFilledBy } from "../support/filled_maps.ts";
import { type Admissions, OwnAdmissions, SharedAdmissions } from "../../lib/session/admissions.ts";

const DENIED: Decision = { allow: false, reason: "over-limit", by: null };

/** Admits a session of a uid where fewer than a number are open. */
function admit(admissions: Admissions, uid: number, limit: number): boolean {
  return admissions.admit(uid, ({ connections }): Decision =>
    connections >= limit ? DENIED : {
      allow: true,
      identity: { user: null, uid, gid: uid, trusted: false },
      rule: "group",
      by: null,
    }).allow;
}

function shared(count: number): Admissions[] {
  const lock = new SharedLock(SharedLock.memory());
  const data = SharedAdmissions.data(100);
  return Array.from({ length: count }, () => new SharedAdmissions(lock, data));
}

const KINDS: Readonly<Record<string, [Admissions, Admissions]>> = {
  "the only data plane": [1].map(() => new OwnAdmissions()).flatMap((one) => [one, one]) as [
    OwnAdmissions,
    OwnAdmissions,
  ],
  "two data planes": shared(2) as [Admissions, Admissions],
};

for (const [name, [one, two]] of Object.entries(KINDS)) {
  Deno.test(`an allowed session counts until it is given back, in ${name}`, () => {
    assertEquals([admit(one, 578, 3), admit(two, 579, 3), admit(one, 579, 3)], [true, true, true]);
    assertEquals([admit(one, 578, 3), admit(two, 578, 3)], [false, false]);
    assertEquals([one.countByUid(579), two.countByUid(578), one.countByUid(580)], [2, 1, 0]);
    one.giveBack(579);
    assertEquals([one.countByUid(579), two.countByUid(579)], [1, 1]);
    assertEquals([admit(two, 580, 3), admit(one, 580, 3)], [true, false]);
    assertEquals([one.nextId(), two.nextId(), one.nextId()], [1, 2, 3]);
  });
}

Deno.test("nothing stays of a uid whose sessions have ended", () => {
  const admissions = new OwnAdmissions();
  const maps = mapsFilledBy(() => {
    for (let uid = 0; uid < 100; uid++) admit(admissions, uid, 200);
    for (let uid = 0; uid < 100; uid++) admissions.giveBack(uid);
  });
  assertEquals(Array.from(maps, ({ size }) => size), [0]);
});
