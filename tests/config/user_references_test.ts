/** What acts with the uid and gid of a user's entry. */
import { assertEquals } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { referenceTo } from "../../lib/config/user_references.ts";

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
