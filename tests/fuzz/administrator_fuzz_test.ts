/** Random commits of an administrator, who is not root and must not become root or another user. */
import { assert, assertEquals } from "@std/assert";
import { editEntries } from "../../lib/config/edit_entries.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import type { Config } from "../../lib/config/types.ts";
import { Failure } from "../../lib/errors.ts";
import { COMMIT_PARAMS, readCommit } from "../../lib/service/console/commit_params.ts";
import {
  authorizeEdit,
  authorizeGroupEdit,
  authorizeWrite,
} from "../../lib/service/console/edit_permission.ts";
import { Params } from "../../lib/service/console/params.ts";
import { RequestError } from "../../lib/service/console/request.ts";
import type { Caller } from "../../lib/service/console/session.ts";
import { fc, forAny } from "./fuzz.ts";

const FILE = { path: "/etc/ipcauth/config.yaml", reserved: { overflowUid: 65_534 } };

/** Entries whose ids something acts with: a key, a program, a listener. */
const ACTED_AS = ["keyed", "laptop", "runner", "twin"];
const TEXT = `listeners:
  - { tcp: "127.0.0.1:7000", keys: [{ file: /k, user: keyed }, { dir: /keys.d }] }
  - { unix: /run/a, service: { exec: [/bin/id], run_as: runner } }
  - { unix: /run/b, allow: [twin], service: { forward: "unix:/run/c", identity: impersonate } }
  - { unix: /run/d, allow: ["@ops"] }
users:
  - { name: root, uid: 0, local_ipc_access: true }
  - { name: boss, uid: 600, local_ipc_access: true, admin: true }
  - { name: keyed, uid: 601, local_ipc_access: true }
  - { name: laptop, uid: 602, gid: 602, local_ipc_access: true }
  - { name: runner, uid: 603, gid: 2000 }
  - { name: twin, uid: 604 }
  - { name: other, uid: 605, gid: 605 }
groups:
  - { name: ops, gid: 2000, local_ipc_access: true }
  - { name: netops, gid: 2001 }
`;

/** Listeners of the command line, which name a user and a group that the file has not. */
const FLAGS = `listeners:
  - { unix: /run/e, allow: ["@wheel"] }
  - { unix: /run/f, service: { exec: [/bin/id], run_as: svc } }
users: [{ name: svc, uid: 700 }]
`;

/** Who commits: the entry may be gone by the second commit, or be no administrator's. */
const BOSS: Caller = {
  welcome: {
    ...{ server: "ipcauth", version: "1", user: "boss", admin: true, trusted: false },
    ...{ from: "127.0.0.1", host: "h", service: "console", session: 1 },
  },
  trusted: false,
  actsAs: { name: "boss", uid: 600 },
};

const id = fc.oneof(
  { weight: 2, arbitrary: fc.constant<unknown>(0) },
  { weight: 4, arbitrary: fc.constantFrom<unknown>(606, 607, 608, 2002, 2003) },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(600, 601, 602, 603, 604, 605, 2000, 2001) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(-1, 65_534, 4_294_967_295, "0", null, 0.5) },
);
const flag = fc.oneof(
  { arbitrary: fc.boolean(), weight: 9 },
  fc.constantFrom<unknown>(null, "yes"),
);
const fieldsOf = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(fields, { requiredKeys: [] });
const NAMES = [
  "root",
  "boss",
  "other",
  "new",
  "toor",
  "Root",
  "ops",
  "netops",
  "wheel",
  "svc",
  ...ACTED_AS,
];
const change = (kind: string, fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.tuple(fc.constantFrom(...NAMES), fc.option(fieldsOf(fields), { freq: 4 })).map(
    ([name, set]) => ({ [kind]: name, ...set === null ? { remove: true } : { set } }),
  );
const changes = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: change("user", { local_ipc_access: flag, admin: flag }) },
    { weight: 2, arbitrary: change("user", { uid: id, gid: id, local_ipc_access: flag }) },
    { weight: 1, arbitrary: change("group", { local_ipc_access: flag }) },
    { weight: 1, arbitrary: change("group", { gid: id, local_ipc_access: flag }) },
  ),
  { minLength: 1, maxLength: 3 },
);

const read = (text: string): Config => parseConfig(text, FILE.path, FILE.reserved, true);

/** Makes a commit as `config.commit` does. @returns The text, or null where it is refused. */
function commit(text: string, asked: unknown[], caller: Caller): string | null {
  const options = {
    listeners: read(FLAGS).listeners!,
    gidOf: () => null,
    groups: [],
    hasKeyIn: (_: string, user: string) => user === "laptop",
  };
  try {
    authorizeWrite(caller, read(text).access);
    const request = readCommit(new Params({ base: "", changes: asked }, ...COMMIT_PARAMS));
    return editEntries(text, request.changes, {
      ...FILE,
      authorizeUser: (edited, file) => authorizeEdit(caller, edited, file, options),
      authorizeGroup: (edited, file) => authorizeGroupEdit(caller, edited, file, options),
    }).text;
  } catch (error) {
    if (error instanceof RequestError) return null;
    // What cannot be is refused to root as well. An edit never changes more than it says.
    assert(error instanceof Failure && error.exit !== 70, `${error}`);
    return null;
  }
}

const idsOf = ({ access }: Config) =>
  new Map<string, readonly [uid: number | null, gid: number | null]>([
    ...access.users.map(({ name, uid, gid }) => [`user ${name}`, [uid, gid]] as const),
    ...access.groups.map(({ name, gid }) => [`group ${name}`, [null, gid]] as const),
  ]);

Deno.test("fuzz: no commits of an administrator make another user of what acts by a name", () => {
  const start = read(TEXT);
  const users = ["root", "svc", ...ACTED_AS].map((name) => `user ${name}`);
  const counts = { made: 0, refused: 0 };
  forAny(fc.array(changes, { minLength: 1, maxLength: 4 }), (commits) => {
    let text = TEXT;
    for (const asked of commits) {
      const before = read(text);
      const made = commit(text, asked, BOSS);
      if (made === null) {
        counts.refused++;
        continue;
      }
      counts.made++;
      // Who is no administrator any more, or another uid, has no right left.
      const boss = before.access.usersByName.get("boss");
      assert(boss?.admin === true && boss.uid === 600, "made without a right");
      text = made;
      const [old, now] = [idsOf(before), idsOf(read(text))];
      for (const [entry, ids] of now) {
        // One that stays is the same user or group, and a new one is not root's.
        if (old.has(entry)) assertEquals(ids, old.get(entry), entry);
        else assert(!ids.includes(0), `${entry} has an id of root's`);
      }
    }
    const [first, last] = [idsOf(start), idsOf(read(text))];
    for (const entry of [...users, "group ops", "group wheel"]) {
      assertEquals(last.get(entry), first.get(entry), entry);
    }
    assertEquals(text.slice(0, text.indexOf("users:")), TEXT.slice(0, TEXT.indexOf("users:")));
  }, 0.4);
  assert(Math.min(counts.made, counts.refused) > 100, JSON.stringify(counts));
});

Deno.test("fuzz: a user who is no administrator makes no commit", () => {
  forAny(changes, (asked) => {
    for (const name of ["keyed", "other", "absent"]) {
      const user = read(TEXT).access.usersByName.get(name);
      const caller: Caller = {
        ...BOSS,
        welcome: { ...BOSS.welcome, user: name, admin: false },
        actsAs: user === undefined ? null : { name, uid: user.uid },
      };
      assertEquals(commit(TEXT, asked, caller), null);
    }
  }, 0.3);
});
