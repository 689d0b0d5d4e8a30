import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { addUser, type NewUser, removeUser, setUserField } from "../../lib/config/edit.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { assertSameReading } from "../support/yaml_reading.ts";

const NAMES = { overflowUid: 65534 };
const CONTEXT = { path: "/c.yaml", reserved: NAMES, flags: " --config /c.yaml" };
const ZED: NewUser = { name: "zed", uid: 700, gid: null, localIpcAccess: true, admin: false };
const ENTRY = "{ name: zed, uid: 700, local_ipc_access: true }";

/** An edited text, once `@std/yaml` reads the same from it as the program does. */
function checked(edited: string): string {
  assertSameReading(edited, parseConfig(edited, CONTEXT.path, NAMES));
  return edited;
}

const add = (text: string, user: NewUser = ZED) => checked(addUser(text, user, CONTEXT));
const remove = (text: string, name = "bob") => checked(removeUser(text, name, CONTEXT));
const set = (text: string, field: string, value: string, name = "bob") =>
  checked(setUserField(text, name, field, value, CONTEXT));

function refused(exit: number, edit: () => unknown): Failure {
  const failure = assertThrows(edit, Failure) as Failure;
  assertEquals(failure.exit, exit, failure.message);
  return failure;
}

const FLOW = `# access
users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false } # on leave
  - { name: bob,   uid: 579,           local_ipc_access: true }  # at work
# the end
log: { level: info }   # as ever
`;

const BLOCK = `users:
    # the first
-   name:   "alice"   # quoted
    uid: 578

    local_ipc_access: false
-
    uid: 579 # before the name
    # about bob
    name: bob
# below
limits:
  grace: 5s
`;

Deno.test("setUserField() replaces a value, and nothing else", () => {
  assertEquals(
    set(FLOW, "local_ipc_access", "false"),
    FLOW.replace("local_ipc_access: true }  # at", "local_ipc_access: false }  # at"),
  );
  assertEquals(
    set(BLOCK, "uid", "9"),
    BLOCK.replace("uid: 579 # before", "uid: 9 # before"),
  );
});

Deno.test("setUserField() adds a missing field in the style of its entry", () => {
  assertEquals(
    set(FLOW, "gid", "5"),
    FLOW.replace("true }  # at work", "true, gid: 5 }  # at work"),
  );
  assertEquals(
    set(BLOCK, "admin", "true"),
    BLOCK.replace("    name: bob\n", "    name: bob\n    admin: true\n"),
  );
  assertEquals(
    set(BLOCK, "admin", "true", "alice"),
    BLOCK.replace("access: false\n", "access: false\n    admin: true\n"),
  );
});

Deno.test("addUser() adds a user after the last one, in its style", () => {
  assertEquals(add(FLOW), FLOW.replace("# at work\n", `# at work\n  - ${ENTRY}\n`));
  assertEquals(
    add(BLOCK),
    BLOCK.replace(
      "name: bob\n",
      "name: bob\n- name: zed\n  uid: 700\n  local_ipc_access: true\n",
    ),
  );
});

Deno.test("removeUser() removes the lines of a user, and keeps the comments around", () => {
  assertEquals(remove(FLOW), FLOW.replace(/ {2}- \{ name: bob.*\n/, ""));
  assertEquals(remove(FLOW, "alice"), FLOW.replace(/ {2}- \{ name: alice.*\n/, ""));
  assertEquals(remove(BLOCK), BLOCK.replace(/-\n {4}uid: 579[\s\S]*name: bob\n/, ""));
});

Deno.test("removeUser() leaves an empty list, which addUser() fills", () => {
  const empty = remove(remove(FLOW, "alice"));
  assertEquals(
    empty,
    "# access\nusers: []\n# the end\nlog: { level: info }   # as ever\n",
  );
  assertEquals(add(empty), empty.replace("users: []\n", `users:\n  - ${ENTRY}\n`));
});

const ADDED: readonly [what: string, before: string, after: string][] = [
  ["an empty file", "", `users:\n  - ${ENTRY}\n`],
  ["a file of a comment", "# none", `# none\nusers:\n  - ${ENTRY}\n`],
  ["a byte order mark", "\ufeff", `\ufeffusers:\n  - ${ENTRY}\n`],
  ["a file without users", "log: {}\n", `log: {}\nusers:\n  - ${ENTRY}\n`],
  ["an indented file", "  log: {}\n", `  log: {}\n  users:\n    - ${ENTRY}\n`],
  ["a file with an end mark", "log: {}\n...\n", `log: {}\nusers:\n  - ${ENTRY}\n...\n`],
  ["a file with a start mark", "---\n", `---\nusers:\n  - ${ENTRY}\n`],
  ["users without a value", "users: # c\nlog: {}\n", `users: # c\n  - ${ENTRY}\nlog: {}\n`],
  ["users that are null", "users: ~ # c\n", `users: # c\n  - ${ENTRY}\n`],
  ["an empty list", "users:   []  # c\n", `users:  # c\n  - ${ENTRY}\n`],
  ["an empty list with a comment", "users: [\n  # c\n]\n", `users: [${ENTRY} \n  # c\n]\n`],
  ["a list in brackets", "users: [{ name: a, uid: 1 }]", `users: [{ name: a, uid: 1 }, ${ENTRY}]`],
  ["a trailing comma", "users: [{ name: a, uid: 1 },]", `users: [{ name: a, uid: 1 }, ${ENTRY},]`],
  ["braces", "{}", `{users: [${ENTRY}]}`],
  ["braces with something", "{ log: {} }", `{ log: {}, users: [${ENTRY}] }`],
  ["braces with no users", "{ users: [] }", `{ users: [${ENTRY}] }`],
  ["braces with null users", "{ users: null }", `{ users: [${ENTRY}] }`],
  ["braces with a bare key", "{ users }", `{ users: [${ENTRY}] }`],
  [
    "JSON",
    '{"users":[{"name":"a","uid":1}]}',
    '{"users":[{"name":"a","uid":1}, { "name": "zed", "uid": 700, "local_ipc_access": true }]}',
  ],
  ["no last newline", "users:\n- {name: a, uid: 1}", `users:\n- {name: a, uid: 1}\n- ${ENTRY}`],
  [
    "dashes in comments",
    "users:\n  - # a - b\n    # c - d\n    name: a\n    uid: 1\n",
    "users:\n  - # a - b\n    # c - d\n    name: a\n    uid: 1\n" +
    "  - name: zed\n    uid: 700\n    local_ipc_access: true\n",
  ],
  [
    "carriage returns",
    "users:\r\n  - name: a\r\n    uid: 1 # c\r\nlog: {}\r\n",
    "users:\r\n  - name: a\r\n    uid: 1 # c\r\n" +
    "  - name: zed\r\n    uid: 700\r\n    local_ipc_access: true\r\nlog: {}\r\n",
  ],
];

for (const [what, before, after] of ADDED) {
  Deno.test(`addUser() adds a user to ${what}`, () => {
    assertEquals(add(before), after);
    assertEquals(parseConfig(after, "/c.yaml", NAMES).access.users.at(-1)?.name, "zed");
  });
}

const A = "{ name: alice, uid: 578 }";
const B = "{ name: bob, uid: 579 }";

for (
  const [before, after] of [
    [`[ ${A}, ${B} ]`, `[ ${A} ]`],
    [`[ ${B}, ${A} ]`, `[ ${A} ]`],
    [`[${A} , ${B}, ]`, `[${A} , ]`],
    [`[ ${B}, ]`, "[ ]"],
    [`[ ${B} # his\n , ] # end`, "[  # his\n  ] # end"],
    [`[\n  ${A}, # hers\n  ${B}, # his\n]`, `[\n  ${A}, # hers\n]`],
    [`[\n  ${A}, # hers\n  ${B} # his\n]`, `[\n  ${A} # hers\n]`],
    [`[\n  ${B}, # his\n  # her\n  ${A} # hers\n]`, `[\n  # her\n  ${A} # hers\n]`],
    [`[${A}, # hers\n  ${B}]`, `[${A} # hers\n  ]`],
    [`[${B}, # his\n  ${A}]`, `[ # his\n  ${A}]`],
    [`[\n  ${A}\n  , # hers\n  ${B} # his\n]`, `[\n  ${A}\n   # hers\n]`],
  ] as const
) {
  Deno.test(`removeUser() removes a user from ${JSON.stringify(before)}`, () => {
    assertEquals(remove(`users: ${before}\n`), `users: ${after}\n`);
  });
}

for (
  const [before, after] of [
    [`[ ${A} ]`, `[ ${A}, ${ENTRY} ]`],
    [`[ ${A}, ] # end`, `[ ${A}, ${ENTRY}, ] # end`],
    [`[\n  ${A} # hers\n]`, `[\n  ${A}, # hers\n  ${ENTRY}\n]`],
    [`[\n  ${A}, # hers\n]`, `[\n  ${A}, # hers\n  ${ENTRY},\n]`],
  ] as const
) {
  Deno.test(`addUser() keeps the comments of ${JSON.stringify(before)}`, () => {
    assertEquals(add(`users: ${before}\n`), `users: ${after}\n`);
  });
}

Deno.test("an edit finds a name that is a block scalar", () => {
  const text =
    "users:\n- uid: 578\n  name: |-\n    alice\n- uid: 579\n  name: >-\n    bob\n\n# end\n";
  assertEquals(set(text, "admin", "true"), text.replace("bob\n", "bob\n  admin: true\n"));
  assertEquals(set(text, "gid", "5", "alice"), text.replace("alice\n", "alice\n  gid: 5\n"));
  assertEquals(remove(text, "alice"), "users:\n- uid: 579\n  name: >-\n    bob\n\n# end\n");
  assertEquals(remove(text), "users:\n- uid: 578\n  name: |-\n    alice\n\n# end\n");
});

Deno.test("an edit of a JSON file is JSON", () => {
  const json = '{"users":[{"name":"bob","uid":1}],"log":{}}';
  for (const text of [add(json), set(json, "admin", "true"), remove(json), add("{}")]) {
    if (text.startsWith('{"')) JSON.parse(text);
  }
});

Deno.test("an edit of a file with carriage returns adds no bare newline", () => {
  const text = FLOW.replaceAll("\n", "\r\n");
  for (const edited of [add(text), set(text, "admin", "true"), remove(text)]) {
    assert(!/(^|[^\r])\n/.test(edited));
  }
});

Deno.test("setUserField() answers the same text for the same value", () => {
  assertEquals(set(FLOW, "local_ipc_access", "true"), FLOW);
  assertEquals(set(FLOW, "admin", "false"), FLOW, "left out is false");
});

Deno.test("addUser() writes all fields of a user", () => {
  assertStringIncludes(
    add("", { ...ZED, gid: 5, admin: true, localIpcAccess: false }),
    "{ name: zed, uid: 700, gid: 5, local_ipc_access: false, admin: true }",
  );
});

Deno.test("addUser() quotes a name that YAML would read as another type", () => {
  for (
    const name of [
      "true",
      "Null",
      "yes",
      "é",
      "1e3",
      "0x7",
      "_",
      "2fast",
      "CORP\\al",
      "a@b.c",
      "pc$",
    ]
  ) {
    const user = { ...ZED, name };
    for (const text of ["", "{}", "users:\n- name: a\n  uid: 1\n"]) {
      const { users } = parseConfig(add(text, user), "/c.yaml", NAMES).access;
      assertEquals(users.at(-1)?.name, name);
    }
  }
});

Deno.test("addUser() and setUserField() refuse a name or uid that is configured", () => {
  const name = refused(ExitCode.exists, () => add(FLOW, { ...ZED, name: "bob" }));
  assertEquals(name.hint, "ipcauth users show bob --config /c.yaml");
  const uid = refused(ExitCode.exists, () => add(FLOW, { ...ZED, uid: 579 }));
  assertEquals(uid.hint, "ipcauth users show bob --config /c.yaml");
  refused(ExitCode.exists, () => set(FLOW, "uid", "578"));
});

Deno.test("addUser() refuses a name or uid that cannot be one", () => {
  for (const name of ["", "12", "a b", "@a", "-a", "a:b", "a,b", "a\n", "\x1b", "x".repeat(65)]) {
    refused(ExitCode.usage, () => add(FLOW, { ...ZED, name }));
  }
  refused(ExitCode.usage, () => add(FLOW, { ...ZED, uid: 65534 }));
});

Deno.test("addUser() refuses a name that looks like a configured one, and says where", () => {
  for (const name of ["B0B", "Bob", "bоb"]) {
    const { message, hint } = refused(ExitCode.usage, () => add(FLOW, { ...ZED, name }));
    assertStringIncludes(message, `${JSON.stringify(name)} `);
    assertStringIncludes(hint!, "ipcauth users add NAME --uid 700 --config /c.yaml: ");
  }
  const { message } = refused(ExitCode.usage, () => add(FLOW, { ...ZED, name: "BOB" }));
  assertEquals(
    message,
    '"BOB" looks like "bob" in line 4: they differ only in upper and lower case',
  );
});

Deno.test("uid 0 and the name root go together in addUser() and setUserField()", () => {
  refused(ExitCode.usage, () => add(FLOW, { ...ZED, uid: 0 }));
  refused(ExitCode.usage, () => add(FLOW, { ...ZED, name: "root" }));
  refused(ExitCode.usage, () => add(FLOW, { ...ZED, name: "Root" }));
  refused(ExitCode.usage, () => set(FLOW, "uid", "0"));
  const withRoot = add(FLOW, { ...ZED, name: "root", uid: 0 });
  refused(ExitCode.usage, () => setUserField(withRoot, "root", "uid", "7", CONTEXT));
});

Deno.test("setUserField() refuses a value that the field cannot have", () => {
  for (const value of ["", "-1", "0x10", "1e3", "05", "4294967295", "65534", "5 ", "5}"]) {
    refused(ExitCode.usage, () => set(FLOW, "uid", value));
  }
  for (const value of ["yes", "TRUE", "1", "", "true }", "true\n"]) {
    refused(ExitCode.usage, () => set(FLOW, "admin", value));
  }
});

Deno.test("setUserField() refuses an unknown field and the name", () => {
  for (const field of ["name", "shell", "", "__proto__", "Admin"]) {
    refused(ExitCode.usage, () => set(FLOW, field, "true"));
  }
});

Deno.test("setUserField() and removeUser() refuse a user who is not configured", () => {
  const { hint } = refused(ExitCode.data, () => set(FLOW, "admin", "true", "eve"));
  assertEquals(hint, "ipcauth users list --config /c.yaml");
  refused(ExitCode.data, () => remove(FLOW, "eve"));
  refused(ExitCode.data, () => remove("", "eve"));
});

Deno.test("removeUser() refuses a user that a listener names", () => {
  for (
    const names of [
      "{ unix: /a, allow: [bob] }",
      "{ tcp: a:1, keys: [{ file: /k, user: bob }] }",
      "{ unix: /a, service: { exec: [/b], run_as: bob } }",
    ]
  ) {
    const text = `${FLOW}listeners: [${names}]\n`;
    const { message, hint } = refused(ExitCode.config, () => remove(text));
    assertStringIncludes(message, "Cannot remove bob: /c.yaml:7:");
    assertEquals(hint, "edit /c.yaml, line 7");
    remove(text, "alice");
  }
});

Deno.test("an edit refuses a bad file", () => {
  refused(ExitCode.config, () => add("users: [{ name: bob, uid: x }]\n"));
  refused(ExitCode.config, () => set(`${FLOW}typo: 1\n`, "admin", "true"));
});

/** A generator of numbers that are the same in every run (xorshift32). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A random file, whose entries have different styles. */
function randomFile(random: (below: number) => number): string {
  const newline = random(4) === 0 ? "\r\n" : "\n";
  const pick = <T>(...choices: T[]): T => choices[random(choices.length)]!;
  const comment = () => pick("", "", " # a - b: c", "  # { x: 1 } [", "\t# tab");
  const line = () => pick([], [], [], ["# on its own - line"], [""], ["      # far: in"]);
  const indent = pick("", "  ", "    ");
  const lines: string[] = [...line(), ...pick([], ["---"]), ...pick([], [`log: {}${comment()}`])];
  const count = random(5);
  if (count > 0 && random(3) === 0) {
    lines.push(...bracketed(count, random, pick, comment, line));
    lines.push(...line(), ...pick([], ["limits:", `  grace: 5s${comment()}`]));
    return lines.join(newline) + pick("", newline, newline);
  }
  lines.push(count === 0 ? pick("users:", "users: []", "users: ~") : `users:${comment()}`);
  for (let number = 0; number < count; number++) {
    const name = pick(`u${number}`, `"u${number}"`, `'u${number}'`);
    const fields = [`name: ${name}`, `uid:  ${number + 1}`];
    if (random(2)) fields.push(`gid: ${random(9)}`);
    if (random(2)) fields.push(`local_ipc_access: ${pick("true", "false")}`);
    if (random(2)) fields.reverse();
    lines.push(...line());
    if (random(2)) {
      lines.push(
        `${indent}- ${pick("{", "{ ")}${fields.join(pick(",", ", ", ",  "))} }${comment()}`,
      );
    } else {
      const dash = pick("- ", "-   ");
      const inner = " ".repeat(indent.length + dash.length);
      lines.push(indent + dash + fields.map((field) => field + comment()).join(newline + inner));
    }
  }
  lines.push(...line(), ...pick([], ["limits:", `  grace: 5s${comment()}`]));
  return lines.join(newline) + pick("", newline, newline);
}

/** A list in brackets, on one line or on many, with or without a comma at its end. */
function bracketed(
  count: number,
  random: (below: number) => number,
  pick: <T>(...choices: T[]) => T,
  comment: () => string,
  line: () => string[],
): string[] {
  const item = (number: number) =>
    `{ name: u${number}, uid: ${number + 1}${pick("", `, gid: ${number}`)} }`;
  const items = Array.from({ length: count }, (_, number) => item(number));
  const last = pick("", ",", " ,");
  if (random(2)) {
    return [`users: [${pick("", " ")}${items.join(pick(",  ", " , "))}${last}]${comment()}`];
  }
  const lines = items.flatMap((text, number) => {
    const comma = number < count - 1 ? pick(",", " ,") : last;
    const own = line().map((one) => one === "" ? "" : `  ${one}`);
    return [...own, `  ${text}${comma}${comment()}`];
  });
  return [`users: [${comment()}`, ...lines, ...line().map((one) => ` ${one}`), " ]" + comment()];
}

/** How many characters at the beginning and at the end of two texts are the same. */
function untouched(before: string, after: string): number {
  const limit = Math.min(before.length, after.length);
  let start = 0;
  while (start < limit && before[start] === after[start]) start++;
  let end = 0;
  while (end < limit - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  return start + end;
}

/** Whether a text is another one without some of its characters. */
function isWithin(text: string, longer: string): boolean {
  let at = 0;
  for (const character of longer) if (text[at] === character) at++;
  return at === text.length;
}

Deno.test("random edits of random files change one place and leave every other byte", () => {
  const random = numbers(20_250_101);
  for (let round = 0; round < 1_500; round++) {
    const text = randomFile(random);
    const before = parseConfig(text, "/c.yaml", NAMES).access.users;
    const added = add(text);
    if (before.length === 0) {
      // The first item replaces the empty list.
      assert(untouched(text, added) >= text.length - "users: []".length, `${text}\n=>\n${added}`);
      continue;
    }
    assert(isWithin(text, added), `${text}\n=>\n${added}`);
    const { name, localIpcAccess, gid } = before.at(random(before.length))!;
    const flipped = set(text, "local_ipc_access", String(!localIpcAccess), name);
    assert(untouched(text, flipped) >= text.length - "false".length, `${text}\n=>\n${flipped}`);
    const grouped = set(text, "gid", "12345", name);
    assert(untouched(text, grouped) >= text.length - (gid === null ? 0 : 1));
    const removed = remove(text, name);
    assertEquals(lost(text, removed), [], `${text}\n=>\n${removed}`);
    // The inverse edits restore the text.
    assertEquals(remove(added, "zed").trimEnd(), text.trimEnd());
    const back = set(flipped, "local_ipc_access", String(localIpcAccess), name);
    // An added field stays.
    assert(back === text || back.length > text.length);
  }
});

/** The comment lines of a text that another one does not have. */
function lost(before: string, after: string): string[] {
  const left = after.split(/\r?\n/);
  return before.split(/\r?\n/).filter((line) => line.trimStart().startsWith("#"))
    .filter((line) => !left.includes(line));
}
