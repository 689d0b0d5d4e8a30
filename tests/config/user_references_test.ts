/** What acts with the uid and gid of a user's entry. */
import { assertEquals } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { asksForGroups, listsGroup, referenceTo } from "../../lib/config/user_references.ts";

/** What acts as the user carl (uid 600, gid 600), by a listener of a file. */
function referenceIn(listener: string, groups: readonly number[] | null = [600]): string | null {
  const text = "users: [{ name: carl, uid: 600 }, { name: bob, uid: 601 }]\n" +
    `groups: [{ name: own, gid: 600 }, { name: used, gid: 2000 }]\nlisteners: [${listener}]\n`;
  const { listeners } = parseConfig(text, "/c.yaml", { overflowUid: 65534 });
  const user = { name: "carl", gid: 600 };
  const names = {
    gidOf: (name: string) => name === "found" ? 2001 : null,
    groups,
    hasKeyIn: (path: string) => path === "/has",
  };
  return referenceTo(user, listeners ?? [], names)?.what ?? null;
}

const TCP = 'tcp: "127.0.0.1:1"';
const IMPERSONATE = 'service: { forward: "unix:/b", identity: impersonate }';
const IMPERSONATES = "a listener that impersonates the users it admits";

Deno.test("referenceTo() finds keys, run_as, and listeners that impersonate the user", () => {
  for (
    const [listener, what] of [
      [`{ ${TCP}, keys: [{ file: /k, user: bob }, { file: /l, user: carl }] }`, "a key of carl's"],
      [`{ ${TCP}, keys: [{ file: /k, user: bob }] }`, null],
      [`{ ${TCP}, keys: [{ file: /k }] }`, null],
      [`{ ${TCP}, keys: [{ dir: /has }] }`, "a key of carl's in /has"],
      [`{ ${TCP}, keys: [{ dir: /none }] }`, null],
      ["{ unix: /a, service: { exec: [/b], run_as: carl } }", "run_as: carl"],
      ["{ unix: /a, service: { exec: [/b], run_as: bob } }", null],
      ["{ unix: /a, service: { exec: [/b], run_as: peer } }", IMPERSONATES],
      [`{ unix: /a, ${IMPERSONATE} }`, IMPERSONATES],
      [`{ unix: /a, allow: [carl], ${IMPERSONATE} }`, IMPERSONATES],
      [`{ unix: /a, allow: ["@own"], ${IMPERSONATE} }`, IMPERSONATES],
      [`{ unix: /a, allow: [bob, "@used"], ${IMPERSONATE} }`, null],
      [`{ unix: /a, allow: [], ${IMPERSONATE} }`, null],
      ["{ unix: /a, allow: [carl], service: { exec: [/b] } }", null],
      ['{ unix: /a, service: { forward: "unix:/b", identity: proxy-v2 } }', null],
      ["{ unix: /a }", null],
    ] as const
  ) assertEquals(referenceIn(listener), what, listener);
});

Deno.test("referenceTo() counts a member of a listed group, and unknown groups as listed", () => {
  const listener = `{ unix: /a, allow: ["@used"], ${IMPERSONATE} }`;
  assertEquals(referenceIn(listener, [600, 2000]), IMPERSONATES);
  assertEquals(referenceIn(listener, null), IMPERSONATES);
  assertEquals(referenceIn(listener, [600]), null);
  for (const [name, other] of [["found", null], ["lost", IMPERSONATES]] as const) {
    const named = `{ unix: /a, allow: ["@${name}"], ${IMPERSONATE} }`;
    assertEquals(referenceIn(named, [600]), other);
    assertEquals(referenceIn(named, [2001]), IMPERSONATES);
  }
});

Deno.test("referenceTo() asks for the groups of a user only where its own gid does not decide", () => {
  const listener = (groups: string) => `{ unix: /a, allow: [${groups}], ${IMPERSONATE} }`;
  // By the gid of its entry, though it is in none of the groups.
  assertEquals(referenceIn(listener('"@own"'), []), IMPERSONATES);
  assertEquals(referenceIn(listener('"@used"'), []), null);
  assertEquals(referenceIn(listener('"@used"'), [5, 2000]), IMPERSONATES);
  // No group is listed, so it is not needed which the user has.
  for (const allow of ["", "bob"]) assertEquals(referenceIn(listener(allow), null), null);
});

Deno.test("asksForGroups() and listsGroup() look at each listener", () => {
  const text = (listeners: string) =>
    `groups: [{ name: used, gid: 2000 }, { name: far }]\nlisteners: [${listeners}]\n`;
  const of = (listeners: string) =>
    parseConfig(text(listeners), "/c.yaml", { overflowUid: 65534 }).listeners!;
  const plain = "{ unix: /p }";
  const listed = '{ unix: /l, allow: ["@used", "@far"] }';
  assertEquals(asksForGroups(of(plain)), false);
  assertEquals(asksForGroups(of(listed)), false);
  assertEquals(asksForGroups(of(`{ unix: /i, ${IMPERSONATE} }`)), false);
  const forwards = `{ unix: /f, allow: [], service: { forward: "unix:/b" } }`;
  assertEquals(asksForGroups(of(forwards)), false);
  for (const service of [IMPERSONATE, "service: { exec: [/b], run_as: peer }"]) {
    assertEquals(asksForGroups(of(`${plain}, { unix: /i, allow: [], ${service} }`)), true);
  }
  const place = (name: string, gid: number | null, listeners: string) => {
    const at = listsGroup({ name, gid }, of(listeners));
    return at && [at.line, at.column];
  };
  const both = `${plain}, ${listed}`;
  assertEquals(place("far", null, both), [2, 46]);
  assertEquals(place("used", 2000, both), [2, 46]);
  assertEquals(place("other", 2000, both), [2, 46]);
  assertEquals([place("used", null, both), place("used", 7, both)], [null, null]);
  assertEquals([place("far", null, plain), place("other", 7, both)], [null, null]);
});
