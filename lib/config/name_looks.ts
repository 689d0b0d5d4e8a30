/**
 * Which names look alike: pure.
 *
 * The idea is that of Unicode Technical Standard #39, "Unicode Security Mechanisms", section 4: two
 * names look alike where their skeletons are equal. The table here is a small part of
 * `confusables.txt`: the letters that are drawn as Latin ones in the scripts of
 * {@linkcode MIXED_SCRIPTS}, the digits 0 and 1, and `m` for `rn`. Names of other scripts are
 * compared as they are.
 *
 * @module
 */

/** Scripts whose letters are drawn alike, so that one word may hold letters of one of them only. */
export const MIXED_SCRIPTS = [
  ["Latin", /\p{Script=Latin}/u],
  ["Greek", /\p{Script=Greek}/u],
  ["Cyrillic", /\p{Script=Cyrillic}/u],
  ["Armenian", /\p{Script=Armenian}/u],
  ["Cherokee", /\p{Script=Cherokee}/u],
  ["Coptic", /\p{Script=Coptic}/u],
] as const;

/** Latin letters, each with the letters that are drawn like it. */
const DRAWN_ALIKE = [
  ..."AАΑ BВΒ CСϹ EЕΕ FϜ GԌ HНΗ IІΙӀ JЈͿ KКΚ MМΜϺ NΝ OОΟՕ PРΡ QԚ SЅՏ TТΤ UՍ VѴ WԜ XХΧ YУΥҮ ZΖ"
    .split(" "),
  ..."aаαɑ bЬьƄ cсϲᴄ dԁ eе gɡց hһհ iіιıɩɪ jјϳյȷ kкκᴋ lӏǀӀ nпηոп oоοσօᴏ pрρ qԛզ rгᴦ sѕꜱ uυսᴜʋ"
    .split(" "),
  ..."vνѵᴠ wѡԝωաᴡ xхχ yуүγყʏ zᴢ 3зЗӠӡʒ 6б".split(" "),
];

const LATIN = new Map(
  DRAWN_ALIKE.flatMap(([latin, ...others]) => others.map((other) => [other, latin!] as const)),
);

/**
 * The skeletons of a name: names that have one in common look alike. They are the shape of its
 * letters and the shape of its letters in lower case. Both are one for almost every name.
 */
export function looksOf(name: string): readonly string[] {
  const drawn = asDrawn(inLatin(name));
  if (isAscii(name) && !name.includes("I")) return [drawn];
  const folded = asDrawn(inLatin(name.toLowerCase()));
  return drawn === folded ? [drawn] : [drawn, folded];
}

/** Whether two names look alike. Equal names do. */
export function lookAlike(one: string, other: string): boolean {
  const looks = looksOf(other);
  return looksOf(one).some((look) => looks.includes(look));
}

/** In which way two names that look alike differ, as a part of a sentence. */
export function differenceOf(name: string, other: string): string {
  if (name.toLowerCase() === other.toLowerCase()) return "only in upper and lower case";
  const foreign = [...name, ...other].filter((letter) => LATIN.has(letter))
    .map((letter) => `U+${letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`);
  return foreign.length > 0
    ? `in letters that are drawn alike (${[...new Set(foreign)].join(", ")})`
    : "in letters or digits that are drawn alike";
}

function inLatin(name: string): string {
  return isAscii(name) ? name : Array.from(name, (letter) => LATIN.get(letter) ?? letter).join("");
}

function isAscii(name: string): boolean {
  return /^[\0-\x7f]*$/.test(name);
}

function asDrawn(name: string): string {
  // One call a letter is faster than a function for each match; a file may have 100,000 names.
  return name.replaceAll("I", "l").toLowerCase()
    .replaceAll("1", "l").replaceAll("0", "o").replaceAll("m", "rn");
}
