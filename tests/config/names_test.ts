/** The names of users and groups: words that read as what they are. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { differenceOf, lookAlike, looksOf, mixtureIn } from "../../lib/config/name_looks.ts";
import { lookalikeOf, nameProblem } from "../../lib/config/names.ts";
import { parseConfig } from "../../lib/config/schema.ts";
import { Failure } from "../../lib/errors.ts";

const NAMES = { overflowUid: 65534 };

Deno.test("nameProblem() accepts the names of real directories", () => {
  for (
    const name of [
      ..."alice 2fast _apt www-data a.b-c_d CORP\\alice alice@example.com WS01$ CORP\\WS01$"
        .split(" "),
      ..."Zoë müller nguyễn иван иван@example.com CORP\\иван svc_отчёт 田中 李2 サーバー 佐々木 김철수 राम ผู้ดูแล γιάννης ա"
        .split(" "),
    ]
  ) {
    assertEquals(nameProblem(name, "user"), null, name);
    assertEquals(nameProblem(name, "group"), null, name);
  }
  assertEquals(nameProblem("domain users", "group"), null);
  assertEquals(nameProblem("CORP\\domain users", "group"), null);
});

Deno.test("nameProblem() says what is wrong with a name", () => {
  for (
    const [name, problem] of [
      ["", "is empty"],
      ["a".repeat(65), "is longer than 64 characters"],
      ["a/b", "holds the character /"],
      ["../a", "holds the character /"],
      ["..", 'holds ".."'],
      ["a..b", 'holds ".."'],
      [".a", "begins a word with the character ."],
      ["$(id)", "holds the character ("],
      ["$a", 'holds "$" before its end'],
      ["$", "begins a word with the character $"],
      ["`id`", "holds the character `"],
      ["it's", "holds the character '"],
      ['a"b', 'holds the character "'],
      ["a b", "holds a blank"],
      ["a,b", "holds the character ,"],
      ["a:b", "holds the character :"],
      ["a%b", "holds the character %"],
      ["a\nb", "holds U+000A"],
      ["a\x1b[2J", "holds U+001B"],
      ["a\x9bm", "holds U+009B"],
      ["a\u202eb", "holds U+202E"],
      ["a\u2066b", "holds U+2066"],
      ["a\u200bb", "holds U+200B"],
      ["a\u00a0b", "holds U+00A0"],
      ["a\u2010b", "holds U+2010"],
      ["a\u034fb", "holds U+034F, which is not printed"],
      ["a\u3164b", "holds U+3164, which is not printed"],
      ["a\ufe00b", "holds U+FE00, which is not printed"],
      ["a\ud800", "holds U+D800"],
      ["ａlice", 'holds characters that stand for others: written out it is "alice"'],
      ["ﬁx", 'holds characters that stand for others: written out it is "fix"'],
      ["e\u0301a", 'holds characters that stand for others: written out it is "éa"'],
      ["12", "is a number, which would be taken for an id"],
      ["١٢", "is a number, which would be taken for an id"],
      ["@a", 'begins with "@", which means a group in a list'],
      ["-a", "begins a word with the character -"],
      ["a+b", "holds the character +"],
      ["CORP\\-a", "begins a word with the character -"],
      ["\\a", 'holds "\\" or "@" with nothing beside it'],
      ["a@", 'holds "\\" or "@" with nothing beside it'],
      ["A\\b@c", 'holds more than one "\\" or "@"'],
      ["аlice", "mixes Latin and Cyrillic letters in one word"],
      ["aλ", "mixes Latin and Greek letters in one word"],
      ["λa", "mixes Latin and Greek letters in one word"],
      ["bーb", "mixes Latin letters and U+30FC in one word"],
      ["b〇b", "mixes Latin letters and U+3007 in one word"],
      ["b०b", "mixes Latin letters and U+0966 in one word"],
      ["вера٥", "mixes Cyrillic letters and U+0665 in one word"],
      ["oʼneil", "holds U+02BC, which is drawn as a sign and not as a letter"],
      ["aꓸꓸb", "holds U+A4F8, which is drawn as a sign and not as a letter"],
      ["aǀb", "holds U+01C0, which is drawn as a sign and not as a letter"],
      ["a\u0338b", "holds U+0338, which is drawn as a sign and not as a letter"],
      ["a\u20ddb", "holds U+20DD, which is drawn as a sign and not as a letter"],
      ["ạ\u0316\u0317\u0318\u0319", "holds more than three marks on one letter"],
    ] as const
  ) {
    assertEquals(nameProblem(name, "user"), problem, JSON.stringify(name));
  }
  for (const name of ["a  b", " a", "a ", "a\tb", "CORP\\ a"]) {
    assertEquals(typeof nameProblem(name, "group"), "string", JSON.stringify(name));
  }
});

Deno.test("nameProblem() accepts in a word only what is printed, as itself, in its place", () => {
  const refused = /[\p{C}\p{Z}\p{S}\p{Default_Ignorable_Code_Point}]/u;
  for (let code = 0; code <= 0x10ffff; code++) {
    const character = String.fromCodePoint(code);
    const isPunctuation = /\p{P}/u.test(character) && !"._-@\\".includes(character);
    const isOther = character !== character.normalize("NFKC");
    if (!(refused.test(character) || isPunctuation || isOther)) continue;
    for (const kind of ["user", "group"] as const) {
      if (kind === "group" && character === " ") continue;
      const problem = nameProblem(`a${character}b`, kind);
      if (problem === null) throw new Error(`U+${code.toString(16)} is accepted for a ${kind}`);
    }
  }
});

/** The problems of a configuration with these users. */
function problemsOf(...names: string[]): string {
  const users = names.map((name, index) => `  - { name: "${name}", uid: ${index + 5} }\n`);
  const text = `users:\n${users.join("")}`;
  return assertThrows(() => parseConfig(text, "/c.yaml", NAMES), Failure).message;
}

Deno.test("two names that look alike are refused with the place of both and the difference", () => {
  for (
    const [one, other, difference] of [
      ["alice", "Alice", "only in upper and lower case"],
      ["вера", "ВЕРА", "only in upper and lower case"],
      ["coco", "сосо", "in letters that are drawn alike (U+0441, U+043E)"],
      ["сосо", "coco", "in letters that are drawn alike (U+0441, U+043E)"],
      ["COCO", "сосо", "in letters that are drawn alike (U+0441, U+043E)"],
      ["BEPA", "ВЕРА", "in letters that are drawn alike (U+0412, U+0415, U+0420, U+0410)"],
      ["pop", "ρορ", "in letters that are drawn alike (U+03C1, U+03BF)"],
      ["uno", "սոօ", "in letters that are drawn alike (U+057D, U+0578, U+0585)"],
      ["alice", "aIice", "in letters or digits that are drawn alike"],
      ["bill", "bi11", "in letters or digits that are drawn alike"],
      ["bob", "b0b", "in letters or digits that are drawn alike"],
      ["admin", "adrnin", "in letters or digits that are drawn alike"],
      ["info", "ınfo", "in letters that are drawn alike (U+0131)"],
    ] as const
  ) {
    assertEquals(
      problemsOf("zed", one, other),
      `/c.yaml:4:13: users[2].name: "${other}" looks like "${one}" in line 3: ` +
        `they differ ${difference}`,
    );
  }
});

Deno.test("names that do not look alike stay, and so do a user and a group of one name", () => {
  const different = ["ali", "all", "anna", "ana", "bert", "berta", "user1", "user10", "user11"];
  const users = different.map((name, index) => `  - { name: ${name}, uid: ${index + 5} }\n`);
  const text =
    `users:\n${users.join("")}groups: [{ name: anna }, { name: domain users, gid: 5 }]\n` +
    'listeners: [{ unix: /run/a, allow: [ali, "@anna", "@domain users", "@CORP\\\\x y"] }]\n';
  const { access, listeners } = parseConfig(text, "/c.yaml", NAMES);
  assertEquals(access.users.length, different.length);
  assertEquals(listeners?.[0]?.allow?.gids, new Set([5]));
  assertEquals(listeners?.[0]?.allow?.unknownGroups, new Set(["anna", "CORP\\x y"]));
});

Deno.test("a place that names a user by a similar name says which user that is", () => {
  const listeners = [
    "{ unix: /a, allow: [B0B] }",
    "{ unix: /a, service: { exec: [/b], run_as: Bob } }",
    '{ tcp: "127.0.0.1:1", keys: [{ file: /k, user: bоb }] }',
  ];
  for (const listener of listeners) {
    const text = `users:\n  - { name: bob, uid: 5 }\nlisteners: [${listener}]\n`;
    const failure = assertThrows(() => parseConfig(text, "/c.yaml", NAMES), Failure);
    assertStringIncludes(failure.message, ' looks like "bob" in line 2: they differ ');
  }
});

Deno.test("a group in a list is a name, and looks like no other", () => {
  const failure = assertThrows(
    () =>
      parseConfig(
        "groups: [{ name: netops, gid: 5 }, { name: Netops, gid: 6 }]\n" +
          'listeners: [{ unix: /run/a, allow: ["@a/b", "@", "@@netops", "@netops", "@NetOps"] }]\n',
        "/c.yaml",
        NAMES,
      ),
    Failure,
  );
  for (
    const part of [
      'groups[1].name: "Netops" looks like "netops" in line 1',
      'allow[0]: "a/b" cannot be a group\'s name: it holds the character /',
      'allow[1]: "" cannot be a group\'s name: it is empty',
      'allow[2]: "@netops" cannot be a group\'s name: it begins with "@"',
      'allow[4]: "NetOps" looks like "netops" in line 1: they differ only in upper and lower case',
    ]
  ) assertStringIncludes(failure.message, part);
});

Deno.test("names that look alike in one of their two shapes look alike", () => {
  for (
    const [one, other, isAlike] of [
      ["Ian", "ian", true],
      ["Ian", "lan", true],
      ["ian", "lan", false],
      ["IAN", "1an", true],
      ["İan", "ian", false],
      ["bob", "BOB", true],
      ["rn", "m", true],
      ["иван", "Иван", true],
      ["иван", "иван2", false],
      ["сор", "cop", true],
      ["Ӏan", "lan", true],
      ["bob", "bab", false],
    ] as const
  ) {
    assertEquals(
      [lookAlike(one, other), lookAlike(other, one)],
      [isAlike, isAlike],
      `${one} ${other}`,
    );
  }
  assertEquals([looksOf("Ian"), looksOf("ian"), looksOf("ИВАН")], [
    ...[["lan", "ian"], ["ian"], ["иbah", "ивaн"]],
  ]);
  assertEquals(differenceOf("bob", "BOB"), "only in upper and lower case");
  assertEquals(differenceOf("BOB", "bob"), "only in upper and lower case");
});

Deno.test("lookalikeOf() finds another name, and not the same one", () => {
  assertEquals(lookalikeOf("bob", ["eve", "bob", "b0b"]), "b0b");
  assertEquals(lookalikeOf("bob", ["eve", "bob"]), null);
  assertEquals(nameProblem("a".repeat(64), "user"), null);
  assertEquals(nameProblem("é".repeat(64), "user"), null);
});

Deno.test("mixtureIn() names both scripts of a word, in any order", () => {
  for (
    const [name, mixture] of [
      ["aա", "Latin and Armenian letters"],
      ["aᎠ", "Latin and Cherokee letters"],
      ["aⲁ", "Latin and Coptic letters"],
      ["ա०", "Armenian letters and U+0966"],
      ["Ꭰ०", "Cherokee letters and U+0966"],
      ["ⲁ०", "Coptic letters and U+0966"],
      ["λа", "Greek and Cyrillic letters"],
      ["ա1", null],
      ["a-ա", null],
      ["田a", "Latin letters and U+7530"],
      ["田ナ", null],
    ] as const
  ) assertEquals([mixtureIn(name), name], [mixture, name]);
});
