import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { parseConfig } from "../../lib/config/schema.ts";
import { type Config, DEFAULT_LIMITS, DEFAULT_LOG } from "../../lib/config/types.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import type { Position } from "../../lib/policy/types.ts";

const NAMES = {
  overflowUid: 65534,
};

function parse(text: string): Config {
  return parseConfig(text, "/c.yaml", NAMES);
}

function refusal(text: string): Failure {
  const failure = assertThrows(() => parse(text), Failure) as Failure;
  assertEquals(failure.exit, ExitCode.config);
  assert(failure.hint !== undefined && failure.hint !== "", "a refusal has a hint");
  return failure;
}

/** A configuration of one user with these fields. */
function user(fields: string): string {
  return `users:\n  - { ${fields} }\n`;
}

/** A configuration of bob and one listener with these lines. */
function listener(...lines: string[]): string {
  return `users: [{ name: bob, uid: 579 }]\nlisteners:\n  - ${lines.join("\n    ")}\n`;
}

const WHOLE = `listeners:
  - unix: /run/ipcauth/ipc.sock
    mode: "0660"
    service: console
  - unix: /run/db/db.sock
    allow: [bob, "@netops"]
    service: { forward: unix:/run/pg.sock, identity: impersonate }
  - tcp: "[::1]:4569"
    keys:
      - { file: /etc/ipcauth/bob.key, user: bob, not_after: 2027-06-30T00:00:00Z }
      - { file: /etc/ipcauth/any.key }
    service: { exec: [/usr/local/bin/report, --today, 5], run_as: peer }
users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob,   uid: 579, local_ipc_access: true, admin: true }
groups:
  - { name: netops, local_ipc_access: true }
limits: { max_connections: 10, max_connections_per_user: 9, max_pending_handshakes: 8,
          handshake_timeout: 500ms, idle_timeout: 0s, grace: 2m }
log: { level: warn, format: json }
`;

/** A place, which is found only when it is asked for. */
const place = ({ line, column }: Position) => ({ line, column });

/** What has a place, with the place found. */
const placed = <T extends { readonly at: Position }>(part: T) => ({ ...part, at: place(part.at) });

Deno.test("parseConfig() reads a configuration with every key", () => {
  const config = parse(WHOLE);
  const [first, second, third] = config.listeners!;
  assertEquals(placed(first!), {
    kind: "unix",
    path: "/run/ipcauth/ipc.sock",
    mode: 0o660,
    allow: null,
    service: { kind: "console" },
    at: { line: 2, column: 5 },
  });
  assertEquals(placed(second!.allow!), {
    users: new Set(["bob"]),
    gids: new Set(),
    unknownGroups: new Set(["netops"]),
    at: { line: 6, column: 12 },
  });
  assertEquals(second?.service, {
    kind: "forward",
    target: { kind: "unix", path: "/run/pg.sock" },
    identity: "impersonate",
    backendUser: null,
  });
  if (third?.kind !== "tcp") throw new Error("the third listener is not a TCP one");
  assertEquals([third.host, third.port], ["::1", 4569]);
  assertEquals(third.keys.map(placed), [
    {
      file: "/etc/ipcauth/bob.key",
      user: "bob",
      notAfter: Date.UTC(2027, 5, 30),
      at: { line: 10, column: 9 },
    },
    { file: "/etc/ipcauth/any.key", user: null, notAfter: null, at: { line: 11, column: 9 } },
  ]);
  assertEquals(third.service, {
    kind: "exec",
    argv: ["/usr/local/bin/report", "--today", "5"],
    runAs: "peer",
  });
  assertEquals(config.access.groups[0]?.gid, null);
  assertEquals(config.namedGroups.map(placed), [
    { name: "netops", at: { line: 17, column: 13 }, key: "groups[0].name" },
  ]);
  assertEquals(config.access.usersByUid.get(579), config.access.usersByName.get("bob"));
  assertEquals(config.limits, {
    maxConnections: 10,
    maxConnectionsPerUser: 9,
    maxPendingHandshakes: 8,
    handshakeTimeout: 500,
    idleTimeout: 0,
    grace: 120_000,
  });
  assertEquals(config.log, { level: "warn", format: "json", file: null });
});

for (
  const [what, text] of [
    ["no content", ""],
    ["a line end", "\n"],
    ["blanks", "  \n \n"],
    ["a comment", "# none\n"],
    ["a byte order mark", "\ufeff"],
    ["the start of a document", "---\n"],
    ["the end of a document", "...\n"],
    ["start, comment and end of a document", "--- # none\n...\n"],
    ["null", "null\n"],
    ["null as a tilde", "--- ~\n"],
    ["a %YAML directive", "%YAML 1.2\n"],
    ["a %YAML directive before a document", "%YAML 1.2\n---\n"],
    ["a %TAG directive", "%TAG !e! tag:example.org,2000:\n"],
    ["an unknown directive", "%NONE\n"],
    ["a comment and a directive", "# none\n%YAML 1.2\n"],
  ] as const
) {
  Deno.test(`parseConfig() refuses a file of only ${what}`, () => {
    assertMatch(
      refusal(text).message,
      /^\/c\.yaml:1:1: .*(is empty|directive is not accepted|is no configuration)/,
    );
  });
}

Deno.test("parseConfig() refuses a %TAG directive before a document", () => {
  const { message } = refusal("%TAG !e! tag:example.org,2000:\n---\nusers: []\n");
  assertStringIncludes(message, "a %TAG directive is not accepted");
});

Deno.test("parseConfig() names the command that fills an empty file", () => {
  assertEquals(refusal("# none\n").hint, "echo 'users: []' >> /c.yaml");
});

Deno.test("parseConfig() reads an empty mapping, with a byte order mark or without", () => {
  for (const text of ["{}", "\ufeff{}\n", "users:\n", "users: []\n", "---\nusers: []\n...\n"]) {
    const { listeners, access, limits, log, path } = parse(text);
    assertEquals([listeners, access.users.length, access.groups.length], [null, 0, 0]);
    assertEquals([limits, log, path], [DEFAULT_LIMITS, DEFAULT_LOG, "/c.yaml"]);
  }
});

Deno.test("access and admin default to false, at the place of the entry", () => {
  const [only] = parse(user("name: bob, uid: 579")).access.users;
  assertEquals([only?.localIpcAccess, only?.admin, only?.gid], [false, false, null]);
  assertEquals(place(only!.accessAt), { line: 2, column: 5 });
});

Deno.test("a byte order mark does not move the place of an access rule", () => {
  const [only] = parse("\ufeff" + user("name: bob, uid: 579, local_ipc_access: true")).access.users;
  assertEquals(place(only!.accessAt), { line: 2, column: 46 });
});

Deno.test("a user of the name root may have uid 0, and no other user", () => {
  assertEquals(parse(user("name: root, uid: 0")).access.users.at(0)?.uid, 0);
  for (
    const [text, message] of [
      ["name: bob, uid: 0", `/c.yaml:2:23: users[0].uid: uid 0 is root's: a user named "bob"`],
      ["name: root, uid: 5", "/c.yaml:2:13: users[0].name: the name root belongs to uid 0: "],
      ["name: Root, uid: 5", '/c.yaml:2:13: users[0].name: "Root" looks like "root": '],
      ["name: r00t, uid: 5", '/c.yaml:2:13: users[0].name: "r00t" looks like "root": '],
      ["name: rооt, uid: 5", '/c.yaml:2:13: users[0].name: "rооt" cannot be a name: it mixes '],
    ] as const
  ) {
    const { message: refused, hint } = refusal(user(text));
    assertStringIncludes(refused, message);
    assertStringIncludes(hint ?? "", "name ");
  }
});

Deno.test("parseConfig() reads a file with carriage returns", () => {
  assertEquals(parse("users:\r\n- name: a\r\n  uid: 5\r\n").access.users.at(0)?.uid, 5);
});

Deno.test("parseConfig() refuses at its place what is not a plain uid", () => {
  const wrong = [
    ..."0x10 1e3 05 -1 +1 1.0 0o17 1_000 4294967295 4294967296 99999999999 .inf true ~".split(" "),
    '"12"',
    "'12'",
    "[1]",
    "{ a: 1 }",
    "１２",
  ];
  for (const text of wrong) {
    assertStringIncludes(
      refusal(user(`name: bob, uid: ${text}`)).message,
      "/c.yaml:2:23: users[0].uid: ",
      text,
    );
  }
  refusal("users:\n- name: a\n  uid: >-\n    12\n");
});

Deno.test("parseConfig() names the uid 4294967295 as it was written", () => {
  assertStringIncludes(
    refusal("users:\n  - { name: bob, uid: 4294967295 }\n").message,
    "/c.yaml:2:23: users[0].uid: 4294967295 ",
  );
});

Deno.test("parseConfig() refuses the overflow uid", () => {
  assertStringIncludes(refusal(user("name: x, uid: 65534")).message, "65534 is the overflow uid");
});

Deno.test("parseConfig() accepts only true and false as flags", () => {
  for (const text of ["yes", "on", '"true"', "1", "~", "'false'", "[]"]) {
    for (const field of ["local_ipc_access", "admin"]) {
      const { message } = refusal(user(`name: bob, uid: 579, ${field}: ${text}`));
      assertStringIncludes(message, `users[0].${field}: this is true or false`);
    }
  }
});

Deno.test("parseConfig() refuses a duplicate with the line of the first", () => {
  const { message } = refusal(`users:
  - { name: a, uid: 1 }
  - { name: a, uid: 2 }
  - { name: b, uid: 1 }
groups:
  - { name: g, gid: 1 }
  - { name: g, gid: 2 }
  - { name: h, gid: 1 }
`);
  assertEquals(message.split("\n"), [
    "/c.yaml:3:13: users[1].name: the user a stands already in line 2",
    "/c.yaml:4:21: users[2].uid: the uid 1 stands already in line 2",
    "/c.yaml:7:13: groups[1].name: the group g stands already in line 6",
    "/c.yaml:8:21: groups[2].gid: the gid 1 stands already in line 6",
  ]);
});

Deno.test("parseConfig() refuses two listeners with one address in any spelling", () => {
  for (const second of ["unix: /run/a", "unix: /run//a", "unix: /run/./a", "unix: /x/../run/a"]) {
    assertStringIncludes(
      refusal(`listeners:\n  - unix: /run/a\n  - ${second}\n`).message,
      "is listened on already by line 2",
    );
  }
});

Deno.test("parseConfig() refuses an unknown key, and names the nearest one", () => {
  const { message, hint } = refusal(user("name: bob, uid: 579, local_ipc_acess: true"));
  assertStringIncludes(message, "/c.yaml:2:28: users[0].local_ipc_acess: there is no key");
  assertStringIncludes(message, 'did you mean "local_ipc_access"?');
  assertEquals(hint, "the keys are name, uid, gid, local_ipc_access, admin");
});

Deno.test("parseConfig() refuses the property names of JavaScript objects as keys", () => {
  for (const key of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
    const text = `users: []\n${key}: {}\n`;
    assertStringIncludes(refusal(text).message, `${key}: there is no key`);
  }
});

const ONE_CAUSE: readonly [what: string, text: string, at: string][] = [
  ["an anchor alone", "&a\n", "1:3"],
  ["an anchor at a list", "users: &a\n  - { name: bob, uid: 5 }\n" + naming("bob"), "2:3"],
  ["an anchor at a user", "users: [&a { name: bob, uid: 5 }]\n" + naming("bob"), "1:12"],
  ["an anchor at a name", "users: [{ name: &a bob, uid: 5 }]\n" + naming("bob"), "1:20"],
  ["an anchor at a key", "&a users: [{ name: bob, uid: 5 }]\n" + naming("bob"), "1:4"],
  ["an alias of a user", "users: [&a { name: bob, uid: 5 }, *a]\n" + naming("eve"), "1:12"],
  ["an alias of a uid", user("name: bob, uid: &a 5, gid: *a"), "2:26"],
  ["an alias as users", "limits: &a { grace: 1s }\nusers: *a\n" + naming("bob"), "1:12"],
  [
    "a merge key of an alias",
    "users: [&a { name: bob, uid: 5 }, { <<: *a, gid: 6 }]\n" + naming("eve"),
    "1:12",
  ],
  ["a merge key of the whole file", "limits: &a { grace: 1s }\n<<: *a\n" + naming("eve"), "1:12"],
  ["a merge key of its own", "users: [{ <<: { name: bob, uid: 5 } }]\n" + naming("bob"), "1:11"],
  ["an alias of nothing", "users: *a\n" + naming("bob"), "1:8"],
  ["a tag", "users: !!seq [{ name: bob, uid: 5 }]\n" + naming("bob"), "1:14"],
  ["a wrong uid of a user", "users: [{ name: bob, uid: x }]\n" + naming("bob"), "1:27"],
];

/** Listeners that name a user. */
function naming(user: string): string {
  return `listeners:
  - { unix: /a, allow: [${user}] }
  - { tcp: "h:1", keys: [{ file: /k, user: ${user} }], service: { exec: [/b], run_as: ${user} } }
`;
}

for (const [what, text, at] of ONE_CAUSE) {
  Deno.test(`parseConfig() has one problem for ${what}`, () => {
    const { lines } = refusal(text);
    assertEquals(lines.map((line) => line.split(":").slice(1, 3).join(":")), [at], text);
  });
}

Deno.test("parseConfig() names the lines of an anchor's aliases", () => {
  const { message } = refusal(
    "users:\n  - { name: bob, uid: &a 5, gid: *a }\ngroups:\n" +
      "  - { name: x, gid: *a }\n",
  );
  assertStringIncludes(message, "/c.yaml:2:26: users[0].uid: anchors and aliases are not accepted");
  assertStringIncludes(message, "write the value out here and in lines 2, 4");
});

const REFUSED: readonly [what: string, text: string, message: string][] = [
  ["a user without a name", user("uid: 5"), "users[0]: the name is missing"],
  ["a user without a uid", user("name: bob"), "users[0]: the uid is missing"],
  ["a gid without a value", user("name: bob, uid: 5, gid: "), "users[0].gid: the gid is missing"],
  ["a gid in quotes", user('name: bob, uid: 5, gid: "5"'), 'users[0].gid: "5" is not a gid'],
  ["a name that is a number", user('name: "12", uid: 5'), "users[0].name: "],
  ["a name that is no text", user("name: 12, uid: 5"), "users[0].name: the name is a text"],
  ["a name with a blank", user("name: a b, uid: 5"), "users[0].name: "],
  ["a name like a group", user('name: "@a", uid: 5'), "users[0].name: "],
  ["a name like a flag", user('name: "-a", uid: 5'), "users[0].name: "],
  ["a name with a control", user('name: "a\\x1b", uid: 5'), "holds a control character"],
  ["a user that is no mapping", "users: [bob]", "users[0]: this is bob, not a mapping"],
  ["users that are no list", "users: { bob: 5 }", "users: this is a mapping, not a list"],
  ["a document that is no mapping", "- a\n", "this is a list, not a mapping"],
  ["two documents", "users: []\n---\nusers: []\n", "more than one YAML document"],
  ["a key twice", "users: []\nusers: []\n", "/c.yaml:2:1: this key stands here twice"],
  ["an anchor", "users: &a []\n", "anchors and aliases are not accepted"],
  ["an anchor without a value", "&a\n", "anchors and aliases are not accepted"],
  ["an alias", "users: &a []\ngroups: *a\n", "anchors and aliases are not accepted"],
  ["a tag", user("name: bob, uid: !!int 5"), "the tag tag:yaml.org,2002:int is not accepted"],
  ["a local tag", user("name: bob, uid: !x 5"), "/c.yaml:2:23: "],
  ["a tag on a key", "!!str users: []\n", "a key is a plain word"],
  ["a merge key", user("<<: { name: bob }, uid: 5"), "a merge key is not accepted"],
  ["an alias of nothing", "users: *a\n", "anchors and aliases are not accepted"],
  ["a YAML directive", "%YAML 1.1\n---\nusers: []\n", "a %YAML directive is not accepted"],
  ["broken YAML", "users: [", "/c.yaml:1:"],
  ["a tab in the indent", "users:\n\t- { name: a, uid: 1 }\n", "/c.yaml:2:1: Tabs"],
  ["a NUL", "users: []\n#\0\n", "/c.yaml:2:2: there is a control character"],
  ["an escape character", "# \x1b[2J\n", "/c.yaml:1:3: there is a control character"],
  ["a lone carriage return", "# a\rusers: []\n", "/c.yaml:1:4: there is a control character"],
  ["a file too large", "#".repeat((64 << 20) + 1), "/c.yaml:1:1: the file is larger than 64 MiB"],
  [
    "a good file too large",
    `users: []\n${"#\n".repeat(32 << 20)}`,
    "/c.yaml:1:1: the file is larger than 64 MiB",
  ],
  ["endless brackets", "[".repeat(100_000), "/c.yaml:1:1: the file is nested too deeply"],
  ["endless lists", "- ".repeat(100_000), "/c.yaml:1:1: the file is nested too deeply"],

  ["a list of no listeners", "listeners: []", "listeners: there is no listener"],
  ["a listener of neither kind", listener("mode: '0666'"), "has one of unix and tcp"],
  ["a listener of both kinds", listener("unix: /a", "tcp: a:1"), "has one of unix and tcp"],
  ["an abstract name", listener('unix: "@a"'), "is an abstract name"],
  ["a relative path", listener("unix: run/a"), "does not begin with /"],
  ["a directory's path", listener("unix: /run/"), "/run/ is the path of a directory"],
  ["a path without a value", listener("unix:"), "the socket path is missing"],
  ["a path too long", listener(`unix: /${"a".repeat(107)}`), "at most 107 bytes"],
  ["a path too long in bytes", listener(`unix: /${"é".repeat(54)}`), "at most 107 bytes"],
  ["a path with a NUL", listener('unix: "/a\\0b"'), "holds a control character"],
  ["a bare mode", listener("unix: /a", "mode: 0666"), "a mode stands in quotes"],
  ["an octal mode", listener("unix: /a", "mode: 0o666"), "a mode stands in quotes"],
  ["a setuid mode", listener("unix: /a", 'mode: "4755"'), '"4755" is not a mode'],
  ["a sticky mode", listener("unix: /a", 'mode: "1777"'), '"1777" is not a mode'],
  ["a mode of nines", listener("unix: /a", 'mode: "999"'), '"999" is not a mode'],
  ["a short mode", listener("unix: /a", 'mode: "66"'), '"66" is not a mode'],
  ["an unknown user allowed", listener("unix: /a", "allow: [eve]"), 'there is no user "eve"'],
  ["a list that is a word", listener("unix: /a", "allow: bob"), "allow: this is bob, not a list"],
  ["keys on a Unix socket", listener("unix: /a", "keys: [{ file: /k }]"), "keys go with tcp"],
  ["an unknown service", listener("unix: /a", "service: shell"), "a service is console"],
  [
    "a service of two kinds",
    listener("unix: /a", "service: { forward: unix:/b, exec: [/c] }"),
    "one of forward and exec",
  ],
  ["an empty service", listener("unix: /a", "service: {}"), "one of forward and exec"],
  [
    "an unknown identity",
    listener("unix: /a", "service: { forward: unix:/b, identity: proxy }"),
    "is none of none, proxy-v2, impersonate",
  ],
  [
    "impersonation over TCP",
    listener("unix: /a", "service: { forward: 'tcp:h:1', identity: impersonate }"),
    "impersonate goes with a unix: target",
  ],
  [
    "a target of no kind",
    listener("unix: /a", "service: { forward: /b }"),
    "is neither unix:/PATH nor tcp:HOST:PORT",
  ],
  [
    "a relative target",
    listener("unix: /a", "service: { forward: unix:b }"),
    "does not begin with /",
  ],
  ["no program", listener("unix: /a", "service: { exec: [] }"), "a program is missing"],
  ["a relative program", listener("unix: /a", "service: { exec: [sh] }"), "does not begin with /"],
  ["a program in one text", listener("unix: /a", "service: { exec: /bin/a b }"), "not a list"],
  [
    "a NUL in an argument",
    listener("unix: /a", 'service: { exec: [/b, "\\0"] }'),
    "cannot hold a NUL",
  ],
  [
    "run_as an unknown user",
    listener("unix: /a", "service: { exec: [/b], run_as: eve }"),
    'run_as is server, peer or a listed user, and there is no user "eve" in users',
  ],
  [
    "run_as with forward",
    listener("unix: /a", "service: { forward: unix:/b, run_as: peer }"),
    "run_as goes with exec",
  ],

  ["tcp without keys", listener("tcp: 127.0.0.1:1"), "a tcp listener without keys"],
  ["tcp with no keys", listener("tcp: 127.0.0.1:1", "keys: []"), "a tcp listener without keys"],
  [
    "mode with tcp",
    listener("tcp: 127.0.0.1:1", 'mode: "0666"', "keys: [{ file: /k }]"),
    "mode goes with unix",
  ],
  [
    "a key's unknown user",
    listener("tcp: 127.0.0.1:1", "keys: [{ file: /k, user: eve }]"),
    'there is no user "eve"',
  ],
  [
    "a key's user left blank",
    listener("tcp: 127.0.0.1:1", "keys: [{ file: /k, user: }]"),
    "the user is missing",
  ],
  ["a relative key", listener("tcp: 127.0.0.1:1", "keys: [{ file: k }]"), "does not begin with /"],
  [
    "a key without a file",
    listener("tcp: 127.0.0.1:1", "keys: [{ user: bob }]"),
    "the key file is missing",
  ],

  ["an unknown level", "log: { level: loud }", "log.level: loud is none of debug"],
  ["an unknown format", "log: { format: xml }", "log.format: xml is none of text, json"],
  ["no handshake timeout", "limits: { handshake_timeout: 0s }", "limits.handshake_timeout: "],
];

for (const [what, text, message] of REFUSED) {
  Deno.test(`parseConfig() refuses ${what}`, () => {
    const failure = refusal(text);
    assert(failure.message.startsWith("/c.yaml:"), failure.message);
    assertStringIncludes(failure.message, message);
  });
}

Deno.test("parseConfig() refuses a bare mode, with the text to write instead", () => {
  assertEquals(refusal(listener("unix: /a", "mode: 0660")).hint, 'mode: "0660"');
});

Deno.test("parseConfig() accepts only HOST:PORT that every resolver reads alike", () => {
  const right = ["127.0.0.1:1", "localhost:65535", "a-b.example.org:4569", '"[::1]:80"'];
  const wrong = [
    ..."127.0.0.1 127.0.0.1:0 127.0.0.1:65536 127.0.0.1:080 127.1:80 256.0.0.1:80".split(" "),
    ..."010.0.0.1:80 1.2.3.4.5:80 a..b:80 -a:80 ::1:80 http://a:80 a:b :80".split(" "),
    '"[::1]"',
    '"[:::1]:80"',
    '"[127.0.0.1]:80"',
    '"*:80"',
    '"a b:80"',
  ];
  for (const address of right) parse(listener(`tcp: ${address}`, "keys: [{ file: /k }]"));
  for (const address of wrong) {
    const { message } = refusal(listener(`tcp: ${address}`, "keys: [{ file: /k }]"));
    assertStringIncludes(message, "listeners[0].tcp: ", address);
  }
});

Deno.test("parseConfig() accepts durations with a unit", () => {
  const times = { "500ms": 500, "5s": 5_000, "2m": 120_000, "1h": 3_600_000, "0s": 0 };
  for (const [text, time] of Object.entries(times)) {
    assertEquals(parse(`limits: { grace: ${text} }`).limits.grace, time);
  }
  for (const text of ["5", "5 s", "1.5s", "-1s", "s", "5d", "1h30m", "100000h", "~", "[]"]) {
    assertStringIncludes(refusal(`limits: { grace: ${text} }`).message, "limits.grace: ", text);
  }
});

Deno.test("parseConfig() accepts counts that are whole numbers within bounds", () => {
  for (const text of ["0", "-1", "1.5", "1e3", "0x10", '"5"', "1000001", "true", "~"]) {
    const { message } = refusal(`limits: { max_connections: ${text} }`);
    assertStringIncludes(message, "limits.max_connections: ", text);
  }
});

Deno.test("parseConfig() accepts as not_after a whole time stamp of a real day", () => {
  const key = (time: string) => listener("tcp: a:1", `keys: [{ file: /k, not_after: ${time} }]`);
  for (const time of ["2028-02-29T23:59:59Z", "2027-01-01T00:00:00.5+02:00"]) parse(key(time));
  for (
    const time of [
      "2027-02-29T00:00:00Z",
      "2027-02-30T00:00:00Z",
      "2027-13-01T00:00:00Z",
      "2027-06-30",
      "2027-06-30T00:00:00",
      "2027-06-30T25:00:00Z",
      "2027-06-30T24:00:00Z",
      "2027-06-30T23:60:00Z",
      "2027-06-30T23:59:60Z",
      "2027-06-30T23:00:00+24:00",
      "2027-06-30T23:00:00+01:60",
      "1814313600",
      "tomorrow",
      "~",
    ]
  ) assertStringIncludes(refusal(key(time)).message, "not_after: ", time);
});

Deno.test("parseConfig() refuses a key file that stands twice, and no hint overwrites it", () => {
  const keys = (...entries: string[]) =>
    listener("tcp: a:1", `keys: [${entries.join(", ")}]`)
      .replace("uid: 579 }", "uid: 579 }, { name: carol, uid: 580 }");
  parse(keys("{ file: /k, user: bob }", "{ file: /l, user: bob }"));
  for (
    const second of [
      "{ file: /k, user: carol }",
      "{ file: /k }",
      "{ file: /x/../k, user: carol }",
      "{ file: /k, user: bob }",
      "{ file: /k, user: bob, not_after: 2027-06-30T00:00:00Z }",
    ]
  ) {
    const { message, hint } = refusal(keys("{ file: /k, user: bob }", second));
    assertStringIncludes(message, " stands in line 4 already", second);
    assertEquals(hint?.includes("--force"), false);
  }
});

Deno.test("parseConfig() takes arguments as they are written, folded as in YAML", () => {
  const { listeners } = parse(
    listener("unix: /a", 'service: { exec: [/b, 007, 1e3, true, "x\\ty", p', "  q] }"),
  );
  assertEquals(listeners?.[0]?.service, {
    kind: "exec",
    argv: ["/b", "007", "1e3", "true", "x\ty", "p q"],
    runAs: "server",
  });
});

Deno.test("parseConfig() reports all problems at once, in the order of the file", () => {
  const { message } = refusal(`log: { level: loud }
users: [{ name: a, uid: x }]
limits: { grace: 5 }
`);
  assertEquals(message.split("\n").map((line) => line.slice(0, 10)), [
    "/c.yaml:1:",
    "/c.yaml:2:",
    "/c.yaml:3:",
  ]);
});

Deno.test("parseConfig() reports twenty problems, and how many more there are", () => {
  const users = Array.from({ length: 30 }, (_, index) => `  - { name: u${index}, uid: x }\n`);
  const lines = refusal(`users:\n${users.join("")}`).message.split("\n");
  assertEquals([lines.length, lines.at(-1)], [21, "and 10 more"]);
});

Deno.test("parseConfig() escapes control characters in its messages", () => {
  const texts = [user('name: b, uid: 1, admin: "\\e[2J"'), '"\\e[2J": 1', 'log: { level: "\\a" }'];
  for (const text of texts) {
    // deno-lint-ignore no-control-regex -- that is what is searched for
    assert(!/[\x00-\x09\x0b-\x1f\x7f]/.test(refusal(text).message), text);
  }
});

Deno.test("parseConfig() reads 100,000 keys in linear time", () => {
  const keys = Array.from({ length: 100_000 }, (_, number) => `k${number}: 1\n`).join("");
  assertStringIncludes(refusal(`users: []\n${keys}`).message, "and 99980 more");
});

Deno.test("parseConfig() accepts as log file a path that begins with /", () => {
  assertEquals(parse("log: { file: /var/log/ipcauth.log }").log.file, "/var/log/ipcauth.log");
  for (const path of ["audit.log", "/var/log/", "[]", "''"]) {
    assertThrows(() => parse(`log: { file: ${path} }`), Failure, "c.yaml:1:14: log.file:");
  }
});

Deno.test("parseConfig() quotes nothing of a file that is no configuration", () => {
  for (
    const text of [
      "root:*:20417:0:99999:7:::\nbob:$y$j9T$SECRET$abc:19000:0:99999:7:::\n",
      "users:x:100:bob,SECRET\n",
      "SECRETc2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U\n",
      "# a comment\nSECRET\n",
      "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\nSECRET=\n-----END OPENSSH PRIVATE KEY-----\n",
      "PASSWORD=SECRET\n",
      "localhost:5432:db:me:SECRET\n",
      "machine x login y password SECRET\n",
      '{"token": "SECRET"}\n',
      "password: SECRET\n",
      "!SECRET x: y\n",
      "a: |SECRET\n b\n",
      "%YAML SECRET\n---\na: b\n",
      "SECRET:\n",
      "SECRET: 1\nSECRET: 2\n",
      "[SECRET]\nkey = SECRET\n",
      "<html>SECRET</html>\n",
      "a: *SECRET\nb: &SECRET c\n",
      '"SECRET\\q"\n',
    ]
  ) {
    const { message, hint } = refusal(text);
    assertEquals(`${message} ${hint}`.includes("SECRET"), false, message);
  }
  // A mistake in a configuration is quoted, also where it has a mistake in its only key.
  assertStringIncludes(refusal("users: bob\n").message, "users: this is bob, not a list");
  assertStringIncludes(refusal("user: []\n").message, 'did you mean "users"?');
  assertStringIncludes(refusal('{"users": "bob"}\n').message, 'this is "bob", not a list');
});
