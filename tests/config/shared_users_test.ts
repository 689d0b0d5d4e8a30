/** Users in shared memory are found, listed and compared as those of the parsed file are. */
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ConfiguredNames } from "../../lib/config/configured_names.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { fromSent, toSent } from "../../lib/config/sent_config.ts";
import type { Config } from "../../lib/config/types.ts";
import { SharedNames } from "../../lib/config/shared_names.ts";
import { SharedUsers, usersData } from "../../lib/config/shared_users.ts";
import { userChanges } from "../../lib/config/user_changes.ts";
import type { Position, User } from "../../lib/policy/types.ts";

const HOST = { overflowUid: 65534 };

const parse = (text: string): Config => parseConfig(text, "/c.yaml", HOST);

/** A configuration after it has passed from one thread to another. */
const sent = (text: string): Config => fromSent(structuredClone(toSent(parse(text))), text);

const place = ({ line, column }: Position) => [line, column];

const plain = (user: User | undefined) =>
  user && { ...user, at: place(user.at), accessAt: place(user.accessAt) };

/** Names that do not look alike: some are beginnings of others, some in other scripts. */
const NAMES = ["a", "ab", "abc", "b", "ba", "жук", "жуки", "名", "名前", "x-y", "Zed", "𠮷"];

const user = fc.record({
  uid: fc.constantFrom(1, 2, 3, 4_294_967_294),
  gid: fc.option(fc.constantFrom(0, 7, 4_294_967_294)),
  access: fc.option(fc.boolean()),
  admin: fc.boolean(),
});

/** The lines of users with different names and uids. */
const file = fc.uniqueArray(fc.tuple(fc.constantFrom(...NAMES), user), {
  selector: ([name]) => name,
}).map((users) =>
  users.map(([name, { uid, gid, access, admin }], index) =>
    `  - { name: ${name}, uid: ${uid === 4_294_967_294 ? uid - index : 10 * index + uid}` +
    `${gid === null ? "" : `, gid: ${gid}`}${admin ? ", admin: true" : ""}` +
    `${access === null ? "" : `, local_ipc_access: ${access}`} }\n`
  )
).map((lines) => lines.length === 0 ? "users: []\n" : `users:\n${lines.join("")}`);

Deno.test("users in shared memory are those of the file, with their places", () => {
  fc.assert(fc.property(file, (text) => {
    const { access } = parse(text);
    const { access: shared } = sent(text);
    assertEquals(shared.users.length, access.users.length);
    assertEquals(shared.users.map(plain), access.users.map(plain));
    assertEquals([...shared.usersByName.keys()], [...access.usersByName.keys()]);
    assertEquals([...shared.usersByUid.keys()], [...access.usersByUid.keys()]);
    for (const index of [-1, 0, 1, 2, NAMES.length]) {
      assertEquals(plain(shared.users.at(index)), plain(access.users.at(index)));
    }
    for (const name of [...NAMES, "", "abcd", "zed", "жу", "root"]) {
      assertEquals(plain(shared.usersByName.get(name)), plain(access.usersByName.get(name)));
      assertEquals(shared.usersByName.has(name), access.usersByName.has(name));
      const [one, other] = [new ConfiguredNames(shared), new ConfiguredNames(access)];
      assertEquals(one.isFree(name), other.isFree(name), name);
    }
    for (const uid of [...access.usersByUid.keys(), 0, 5, 4_294_967_295]) {
      assertEquals(plain(shared.usersByUid.get(uid)), plain(access.usersByUid.get(uid)));
      assertEquals(shared.usersByUid.has(uid), access.usersByUid.has(uid));
    }
  }));
});

/** Users whose fields differ one by one, not in the order of their names or uids. */
const VARIED = `users:
  - { name: ba, uid: 4294967294, gid: 4294967294 }
  - { name: b, uid: 3000000000, gid: 0, local_ipc_access: true }
  - { name: abc, uid: 7, admin: true, local_ipc_access: false }
  - { name: 𠮷, uid: 1, gid: 7, admin: true, local_ipc_access: true }
  - { name: a, uid: 2, local_ipc_access: true }
  - { name: ab, uid: 3000000001 }
  - { name: Ian, uid: 5 }
`;

Deno.test("users whose fields differ one by one are found and listed in shared memory", () => {
  const { access } = parse(VARIED);
  const { access: shared } = sent(VARIED);
  const { length } = access.users;
  assertEquals([shared.users.length, length], [7, 7]);
  for (const index of [...Array(length + 2).keys(), -1, -7, -8]) {
    assertEquals(plain(shared.users.at(index)), plain(access.users.at(index)), `${index}`);
  }
  for (const name of ["ba", "b", "abc", "𠮷", "a", "ab", "Ian", "", "abcd", "c", "aa", "\ud842"]) {
    assertEquals(plain(shared.usersByName.get(name)), plain(access.usersByName.get(name)), name);
    assertEquals(shared.usersByName.has(name), access.usersByName.has(name), name);
  }
  for (const uid of [...access.usersByUid.keys(), 0, 3, 6, 8, 4_294_967_293, 4_294_967_295]) {
    assertEquals(plain(shared.usersByUid.get(uid)), plain(access.usersByUid.get(uid)));
    assertEquals(shared.usersByUid.has(uid), access.usersByUid.has(uid));
  }
  assertEquals([...shared.usersByName.keys()], [...access.usersByName.keys()]);
  assertEquals([...shared.usersByUid.keys()], [...access.usersByUid.keys()]);
  const isAdmin = ({ admin }: User) => admin;
  assertEquals(shared.users.filter(isAdmin).map(plain), access.users.filter(isAdmin).map(plain));
  assertEquals([shared.users.findIndex(isAdmin), [...shared.users].length], [2, 7]);
  for (const name of ["ba", "b", "B", "lan", "ian", "free", "root", "r00t", "a b", "AB"]) {
    const [one, other] = [new ConfiguredNames(shared), new ConfiguredNames(access)];
    assertEquals([one.isFree(name), other.isFree(name)], Array(2).fill(name === "free"), name);
  }
  // One of its two shapes is enough.
  const lan = new ConfiguredNames(parse("users: [{ name: lan, uid: 1 }]\n").access);
  assertEquals([lan.isFree("Ian"), lan.isFree("ian"), lan.isFree("lan")], [false, true, false]);
});

Deno.test("users that are sent again are not written again, and have their flags", () => {
  const first = sent(VARIED);
  const { users } = first.access;
  if (!(users instanceof SharedUsers)) throw new Error("the users are not shared");
  assertStrictEquals(toSent(first).users, users.memory);
  assert(users.memory.uids instanceof SharedArrayBuffer);
  // With a byte order mark before them, places are those of the text behind it.
  const text = "\ufeffusers: [{ name: a, uid: 1 }]\n";
  assertEquals(place(sent(text).access.users.at(0)!.at), place(parse(text).access.users.at(0)!.at));
  assertEquals(JSON.stringify(sent(text).access.users.at(0)!.at), '{"line":1,"column":9}');
  // Places that are known, and not found when they are asked for.
  const at = { line: 1, column: 5 };
  const user = { name: "a", uid: 1, gid: null, localIpcAccess: true, admin: false, at };
  const { flags } = usersData([
    { ...user, accessAt: at },
    { ...user, accessAt: { line: 2, column: 5 } },
    { ...user, accessAt: { line: 1, column: 6 } },
    { ...user, accessAt: { line: 1, column: 5 } },
  ]);
  assertEquals([...new Uint8Array(flags)], [1, 5, 5, 1]);
});

Deno.test("the changes of a user are those of each field", () => {
  const changed = (before: string, after: string): readonly string[] => {
    const [one, other] = [before, after].map((fields) =>
      `users:\n${fields.split(" | ").map((user) => `  - { ${user} }\n`).join("")}`
    ) as [string, string];
    const { named, more } = userChanges(parse(one).access, parse(other).access);
    assertEquals(userChanges(sent(one).access, sent(other).access), { named, more });
    assertEquals(userChanges(sent(one).access, parse(other).access), { named, more });
    assertEquals(more, 0);
    return named;
  };
  const bob = "name: bob, uid: 5";
  assertEquals(changed(bob, bob), []);
  assertEquals(changed(bob, `${bob}, local_ipc_access: false`), []);
  assertEquals(changed(bob, "name: bob, uid: 6"), ["user bob uid 5 → 6"]);
  assertEquals(changed(bob, `${bob}, gid: 0`), ["user bob gid none → 0"]);
  assertEquals(changed(`${bob}, gid: 7`, bob), ["user bob gid 7 → none"]);
  assertEquals(changed(bob, `${bob}, admin: true`), ["user bob admin false → true"]);
  assertEquals(changed(bob, `${bob}, local_ipc_access: true`), [
    "user bob local_ipc_access false → true",
  ]);
  assertEquals(changed(`${bob}, local_ipc_access: false`, `${bob}, local_ipc_access: true`), [
    "user bob local_ipc_access false → true",
  ]);
  const all = `${bob}, local_ipc_access: true, admin: true`;
  assertEquals(changed(bob, all), [
    ...["user bob local_ipc_access false → true", "user bob admin false → true"],
  ]);
  assertEquals(changed(all, bob), [
    ...["user bob local_ipc_access true → false", "user bob admin true → false"],
  ]);
  assertEquals(changed(bob, "name: bo, uid: 5"), ["user bo added", "user bob removed"]);
  assertEquals(changed("name: bo, uid: 5", bob), ["user bob added", "user bo removed"]);
  assertEquals(changed(bob, "name: eve, uid: 5"), ["user eve added", "user bob removed"]);
  const [a, b, c] = ["name: a, uid: 1", "name: b, uid: 2", "name: c, uid: 3"] as const;
  assertEquals(changed(`${a} | ${b} | ${c}`, `${a} | ${c}`), ["user b removed"]);
  assertEquals(changed(`${a} | ${c}`, `${a} | ${b} | ${c}`), ["user b added"]);
  assertEquals(changed(`${a} | ${b} | ${c}`, `${c} | ${b} | ${a}`), []);
  assertEquals(changed(`${a} | ${b}`, `${b}, gid: 1 | ${c}`), [
    ...["user b gid none → 1", "user c added", "user a removed"],
  ]);
  assertEquals(changed(`${a} | ${a.replace("a,", "x,").replace("1", "9")}`, a), [
    "user x removed",
  ]);
});

Deno.test("changes of users in shared memory are those of the files", () => {
  fc.assert(fc.property(file, file, (before, after) => {
    const changes = userChanges(parse(before).access, parse(after).access);
    assertEquals(userChanges(sent(before).access, sent(after).access), changes);
    assertEquals(userChanges(parse(before).access, sent(after).access), changes);
    const same = userChanges(sent(after).access, sent(after).access);
    assertEquals(same, { named: [], more: 0 });
  }));
});

Deno.test("of many changes 32 are named, and the others are counted", () => {
  const list = (from: number, to: number, access: boolean) =>
    `users:\n${
      Array.from(
        { length: to - from },
        (_, index) =>
          `  - { name: u${from + index}x, uid: ${
            from + index + 1
          }, local_ipc_access: ${access} }\n`,
      ).join("")
    }`;
  const [before, after] = [list(0, 100, true), list(50, 120, false)];
  for (const read of [parse, sent]) {
    const { named, more } = userChanges(read(before).access, read(after).access);
    // 50 have changed, 20 were added, 50 removed.
    assertEquals([named.length, more], [32, 120 - 32]);
    assertEquals(named[0], "user u50x local_ipc_access true → false");
    const removed = userChanges(read(after).access, read("users: []\n").access);
    assertEquals([removed.named.length, removed.more], [32, 70 - 32]);
    assert(removed.named.every((one) => one.endsWith(" removed")), removed.named[0]);
  }
});

Deno.test("listeners, groups, keys and named groups have their places after they were sent", () => {
  const text = `\ufefflisteners:
  - { unix: /a, allow: ["@ops", bob] }
  - { tcp: "127.0.0.1:1", keys: [{ file: /k, user: bob }] }
groups: [{ name: ops, local_ipc_access: true }]
users:
  - { name: bob, uid: 5 }
`;
  const places = (config: Config): unknown => {
    const found: unknown[] = [];
    const visit = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      for (const [name, part] of Object.entries(value)) {
        if (name === "at" || name === "accessAt") found.push(place(part));
        else visit(part);
      }
    };
    const { access, ...others } = config;
    visit([others, access.groups]);
    return found;
  };
  const [before, after] = [parse(text), sent(text)];
  assertEquals(places(after), places(before));
  assert((places(after) as unknown[]).length >= 6);
  assertEquals(after.listeners![0]!.allow!.users, new Set(["bob"]));
});

Deno.test("SharedNames finds each name, and compares names of two lists", () => {
  const lists = [
    ["", "a", "ab", "abc", "b", "ba", "𠮷", "\ud842", "Ab", "名前"],
    ["ba", "名", "abd", "", "ab", "abc", "x", "a"],
  ].map((names) => ({ names, shared: new SharedNames(SharedNames.dataOf(names)) }));
  for (const { names, shared } of lists) {
    assertEquals(names.map((_name, index) => shared.at(index)), names);
    assertEquals(names.map((name) => shared.indexOf(name)), [...names.keys()]);
    for (const name of ["aa", "abcd", "B", "c", "\udfb7", "名前名"]) {
      assertEquals(shared.indexOf(name), -1, name);
    }
    for (const index of [names.length, names.length + 1, -2]) {
      assertThrows(() => shared.at(index), RangeError, "there is no name");
    }
    for (const { names: others, shared: other } of lists) {
      for (const [one, name] of names.entries()) {
        for (const [two, otherName] of others.entries()) {
          const isSame = shared.isSame(one, other, two);
          assertEquals(isSame, name === otherName, `${name} ${otherName}`);
        }
      }
    }
  }
  const none = new SharedNames(SharedNames.dataOf([]));
  assertEquals([none.indexOf(""), none.length, lists[0]!.shared.length], [-1, 0, 10]);
  assertEquals(SharedNames.dataOf(["ab", "c"]).units.byteLength, 6);
});
