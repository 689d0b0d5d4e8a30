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

/** Scripts whose letters are drawn alike. A word with a letter of one holds no other letters. */
const MIXED_SCRIPTS = [
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
  ..."aаαɑ bЬьƄ cсϲᴄ dԁ eе gɡց hһհ iіιıɩɪ jјϳյȷ kкκᴋ lӏӀ nпηոп oоοσօᴏ pрρ qԛզ rгᴦ sѕꜱ uυսᴜʋ"
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

/**
 * Finds a word with letters of one of {@linkcode MIXED_SCRIPTS} and letters or digits of another
 * script. Such a word serves no language, and is read as another one.
 *
 * @param name A name in which only letters, marks and digits are beyond ASCII.
 * @returns Such as `Latin and Cyrillic letters`, or null.
 */
export function mixtureIn(name: string): string | null {
  for (const word of name.split(/[^\p{L}\p{M}\p{N}]+/u)) {
    for (const [script, own] of MIXED_SCRIPTS) {
      if (!own.test(word)) continue;
      const other = Array.from(word).find((one) =>
        !own.test(one) && !/[0-9]|\p{Script=Inherited}/u.test(one)
      );
      if (other === undefined) continue;
      const found = MIXED_SCRIPTS.find(([, letter]) => letter.test(other));
      return found === undefined
        ? `${script} letters and ${codePointText(other)}`
        : `${script} and ${found[0]} letters`;
    }
  }
  return null;
}

/**
 * Whether a letter or mark is drawn as a quote, a colon, a stroke or another sign: modifier letters
 * such as U+02BC, except those that repeat or lengthen a letter; letters of clicks; marks that
 * strike a letter out or enclose it.
 */
export function isDrawnAsSign(letter: string): boolean {
  return /\p{Lm}/u.test(letter) &&
      !/[\u3005\u303b\u309d\u309e\u30fc-\u30fe\u0e46\u0ec6]/.test(letter) ||
    /[\u01c0-\u01c3\ua78b\ua78c\u0334-\u0338\u20d0-\u20f0]|\p{Me}/u.test(letter);
}

/** The number of a character, such as `U+0430`. */
export function codePointText(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** In which way two names that look alike differ, as a part of a sentence. */
export function differenceOf(name: string, other: string): string {
  if (name.toLowerCase() === other.toLowerCase()) return "only in upper and lower case";
  const foreign = [...name, ...other].filter((letter) => LATIN.has(letter)).map(codePointText);
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
  if (!/[A-Z01m]/.test(name) && isAscii(name)) return name;
  return name.replaceAll("I", "l").toLowerCase()
    .replaceAll("1", "l").replaceAll("0", "o").replaceAll("m", "rn");
}
