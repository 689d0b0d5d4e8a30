/**
 * Texts that are almost YAML, for comparing its parsers: each is made from a number, and so again.
 */

/** Documents that mutations begin with. */
const DOCUMENTS: readonly string[] = [
  `# access
listeners:
  - unix: /run/a.sock
    mode: "0660"
    allow: [bob, "@netops"]   # a list
    service: { exec: [/bin/x, --today, 5, 0x10, "5", ~, 'it''s'], run_as: peer }
users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false } # on leave
  - { name: bob,   uid: 579, local_ipc_access: true, admin: true }
groups:
  - { name: domain users, gid: 2000 }
limits: { max_connections: 7, grace: 1500ms }
`,
  `users:
    # the first
-   name:   "alice"   # quoted
    uid: 578

    local_ipc_access: false
-
    uid: 579 # before the name
    name: bob
# below
limits:
  grace: 5s
`,
  `{
  "users": [
    { "name": "alice", "uid": 578, "local_ipc_access": true },
    {"name":"bob","uid":579,"gid":null}
  ],
  "log": { "level": "warn" }
}
`,
  `---
listeners:
- tcp: 127.0.0.1:4569
  keys:
  - {file: /etc/a.key, user: bob, not_after: 2027-06-30T00:00:00Z}
  service:
    exec:
    - /bin/echo
    - >-
      folded
      text
    - |
      literal
        more
    - plain over
      two lines
    - "with \\t \\x41 \\u00e9 escapes
      and lines"
users: [{name: bob, uid: 1}]
...
`,
];

/** What is put into a document. */
const PIECES: readonly string[] = [
  ..."yes no on off y n true True TRUE tRUE false null Null NULL ~ nan .nan .NaN .inf -.Inf +.inf"
    .split(" "),
  ..."0o17 017 0579 0899 0b11 0x1F 0X1F 1_000 1__0 _1 1_ 1:30 1:30:00 -0 +5 -5 00 0 1e3 1E3 1.5e+3"
    .split(" "),
  ..."1. .5 +.5 -1.5 1.5.5 12e03 9007199254740993 99999999999999999999 2001-12-14 =".split(" "),
  ..."users name uid __proto__ constructor << 0 1".split(" "),
  ..."# #x & && &a &a\tb * *a ! !! !a !!str !!int !<x> % %YAML @a `a` | > |- >+ |2 >1- ?".split(
    " ",
  ),
  ..."- -- --- .. ... : :: , , [ ] { } [] {} [[ }] \" ' '' \"\" \\ \\n \\x41 \\u0041 \\/ \\e"
    .split(" "),
  " ",
  "  ",
  "    ",
  "\t",
  " \t",
  "\n",
  "\n\n",
  "\r\n",
  "\n  ",
  "\n    ",
  "\n- ",
  "\n  - ",
  "\n\t",
  "\u2028",
  "\u2029",
  "\u0085",
  "\u00a0",
  "\ufeff",
  "\ud83d\ude00",
  "\u3000",
  "\uffff",
  ": ",
  " :",
  ": #",
  " # ",
  "#",
  "- - ",
  "- ? ",
  "? ",
  "\n? ",
  "\n: ",
  "[users]: ",
  "{a: b}: ",
  "? [users]\n: ",
  "\n---\n",
  "\n...\n",
  "\n--- ",
  "%YAML 1.1\n---\n",
  "%TAG ! tag:x,1:\n---\n",
  "!!binary aGk=",
  "!!set {a}",
  "&x bob",
  "*x",
  "<<: *x",
  "<<: {a: b}",
  '"a"#c',
  "[a]#c",
  '"a\\\n  b"',
  "'a\n\n  b'",
  "a\n  b",
  "a #b",
  "a# b",
  "x: y: z",
  "a: 'b' c",
  "{a, b: c}",
  "[a: b, c]",
  "[a, , b]",
  "[, a]",
  "{,}",
  '"a":b',
  '{"a":b}',
  "{a:b}",
  "[?a, -b]",
  "-a",
  "it's",
  "# don't",
  '"b, *c, d"',
  "'b, *c, d'",
  '"a"  b: c',
  '"a" b',
  '- "b, *c"',
  '\n "b, *c, d"',
  "'a''b'",
  'a "b',
  " ".repeat(40),
  " ".repeat(1100),
  "k".repeat(1100),
];

/** A source of numbers: the same seed gives the same numbers (Marsaglia, "Xorshift RNGs"). */
function numbersFrom(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A document with one to four changes. */
export function mutatedYaml(seed: number): string {
  const random = numbersFrom(seed);
  for (let skipped = 0; skipped < 8; skipped++) random(2);
  let text = DOCUMENTS[random(DOCUMENTS.length)]!;
  for (let changes = 1 + random(4); changes > 0; changes--) text = mutated(text, random);
  return text;
}

function mutated(text: string, random: (below: number) => number): string {
  const at = random(text.length + 1);
  const piece = PIECES[random(PIECES.length)]!;
  const token = /[^\s,:[\]{}]+|\s+|[,:[\]{}]/g;
  token.lastIndex = at;
  const found = token.exec(text);
  const lines = text.split("\n");
  const line = random(lines.length);
  switch (random(9)) {
    case 0:
      return text.slice(0, at) + piece + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + random(3));
    case 2:
    case 3:
    case 4:
      return found === null
        ? text + piece
        : text.slice(0, found.index) + piece + text.slice(found.index + found[0].length);
    case 5:
      return found === null ? text : text.slice(0, found.index) + piece + text.slice(found.index);
    case 6:
      return lines.toSpliced(line, 0, lines[random(lines.length)]!).join("\n");
    case 7:
      return lines.with(line, `${" ".repeat(random(5))}${lines[line]!.trimStart()}`).join("\n");
    default:
      return random(2) === 0 ? text.replaceAll("\n", "\r\n") : text.trimEnd();
  }
}
