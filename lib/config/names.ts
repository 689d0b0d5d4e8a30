/**
 * What the readers of users and groups share: names, reserved ids and duplicates.
 *
 * @module
 */
import type { AccessTable, HostFacts, Position } from "../policy/types.ts";
import { didYouMean } from "../text/nearest.ts";
import type { Place, Value } from "./document.ts";
import {
  codePointText,
  differenceOf,
  isDrawnAsSign,
  lookAlike,
  looksOf,
  mixtureIn,
} from "./name_looks.ts";
import type { Reader } from "./reader.ts";

/** What a configuration is checked against beside its own text: a uid that no user may have. */
export type ReservedId = Pick<HostFacts, "overflowUid">;

/** An entry that was read, and where its name and its id stand. */
export interface NamedEntry<T> {
  readonly entry: T;
  readonly nameAt: Place;
  readonly idAt: Place;
}

/** What a name stands for. */
type NameKind = "user" | "group";

/** The longest name, in UTF-16 code units. */
const MAX_NAME_LENGTH = 64;

/**
 * Why a text cannot be the name of a user or group: the end of a sentence that begins with the
 * name, such as `holds "/"`. Null where it can.
 *
 * A name is a word: letters and digits of any script, `.`, `_` and `-`. `CORP\alice` and
 * `alice@example.com` are two words with a separator, machine accounts end in `$`, and a group may
 * have single blanks between words, as `domain users`. Nothing in it has a meaning in a path, a
 * shell, a list or `passwd(5)`, and it reads as what it is: see `name_looks.ts`.
 */
export function nameProblem(name: string, kind: NameKind): string | null {
  if (name === "") return "is empty";
  if (name.length > MAX_NAME_LENGTH) return `is longer than ${MAX_NAME_LENGTH} characters`;
  // Almost every name is one of these, and a file may have 100,000 of them.
  if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name)) return null;
  const blank = kind === "group" ? " " : "";
  for (const character of name) {
    if (!/[\p{L}\p{M}\p{N}._@\\$-]/u.test(character) && character !== blank) {
      return `holds ${characterText(character)}`;
    }
    if (/\p{Default_Ignorable_Code_Point}/u.test(character)) {
      return `holds ${characterText(character)}, which is not printed`;
    }
    if (isDrawnAsSign(character)) {
      return `holds ${characterText(character)}, which is drawn as a sign and not as a letter`;
    }
  }
  const normal = name.normalize("NFKC");
  if (normal !== name) {
    return `holds characters that stand for others: written out it is ${JSON.stringify(normal)}`;
  }
  if (/^\p{N}+$/u.test(name)) return "is a number, which would be taken for an id";
  if (/\p{M}{4}/u.test(name)) return "holds more than three marks on one letter";
  const mixed = mixtureIn(name);
  return shapeProblem(name) ?? (mixed && `mixes ${mixed} in one word`);
}

/** What is wrong with the place of a character. */
function shapeProblem(name: string): string | null {
  if (name.startsWith("@")) return 'begins with "@", which means a group in a list';
  if (name.includes("..")) return 'holds ".."';
  if (name.includes("$") && name.indexOf("$") < name.length - 1) return 'holds "$" before its end';
  if (/ {2}| $/.test(name)) return "holds a blank that is not between two words";
  const words = name.split(/[\\@]/);
  if (words.length > 2) return 'holds more than one "\\" or "@"';
  for (const word of words) {
    if (word === "") return 'holds "\\" or "@" with nothing beside it';
    if (/^[^\p{L}\p{N}_]/u.test(word)) return `begins a word with ${characterText([...word][0]!)}`;
  }
  return null;
}

/** A character as it can be printed: as itself, or by its number. */
function characterText(character: string): string {
  if (character === " ") return "a blank";
  return /[!-~]/.test(character) ? `the character ${character}` : codePointText(character);
}

/** What to do about a name that cannot be: the entry need not have the name of the account. */
export function nameHint(kind: NameKind): string {
  return kind === "user"
    ? "name the entry otherwise: its uid decides who it is"
    : "name the entry otherwise, and give its gid: gid: N";
}

/** Reads the name of a user or group. */
export function readName(
  value: Value | null,
  place: Place,
  kind: NameKind,
  reader: Reader,
): string | null {
  const name = reader.text(value, place, "the name");
  const problem = name === null ? null : nameProblem(name, kind);
  if (problem === null) return name;
  return reader.refuse(
    value!,
    `${JSON.stringify(name)} cannot be a name: it ${problem}`,
    nameHint(kind),
  );
}

/**
 * Reports every name that stands twice, and every name that looks like one before it: a
 * reader of the log would take one user for the other.
 */
export function refuseSameNames(
  all: readonly NamedEntry<{ readonly name: string }>[],
  kind: NameKind,
  reader: Reader,
): void {
  const first = new Map<string, NamedEntry<{ readonly name: string }>>();
  for (const one of all) {
    const { name } = one.entry;
    const looks = looksOf(name);
    let before: NamedEntry<{ readonly name: string }> | undefined;
    for (const look of looks) before ??= first.get(look);
    if (before !== undefined) {
      const { line } = before.nameAt.at;
      reader.refuse(
        one.nameAt,
        before.entry.name === name
          ? `the ${kind} ${name} stands already in line ${line}`
          : similarity(name, before.entry.name, ` in line ${line}`),
        before.entry.name === name ? undefined : nameHint(kind),
      );
    }
    for (const look of looks) if (!first.has(look)) first.set(look, one);
  }
}

/**
 * The sentence about a name that looks like another one.
 *
 * @param where Where the other one stands, such as ` in line 3`.
 */
export function similarity(name: string, other: string, where = ""): string {
  return `${JSON.stringify(name)} looks like ${JSON.stringify(other)}${where}: ` +
    `they differ ${differenceOf(name, other)}`;
}

/** The sentence about a name that no user has, with the user that it looks like. */
export function unknownUser(name: string, { usersByName }: AccessTable): string {
  const other = lookalikeOf(name, usersByName.keys());
  return `there is no user ${JSON.stringify(name)} in users` +
    (other === null
      ? didYouMean(name, usersByName.keys())
      : `; ${similarity(name, other, lineOf(usersByName.get(other)!))}`);
}

function lineOf({ at }: { readonly at: Position }): string {
  return ` in line ${at.line}`;
}

/** A name of a list that a new name looks like, or null. */
export function lookalikeOf(name: string, names: Iterable<string>): string | null {
  for (const other of names) {
    if (other !== name && lookAlike(other, name)) return other;
  }
  return null;
}

/**
 * Why a user may not have a name and a uid together: uid 0 has the name root alone, so neither a
 * key nor `run_as` is root under another name. Null where it may.
 */
export function rootProblem(name: string, uid: number): string | null {
  if ((name === "root") === (uid === 0)) {
    return uid !== 0 && lookAlike(name, "root") ? similarity(name, "root") : null;
  }
  return uid === 0
    ? `uid 0 is root's: a user named ${JSON.stringify(name)} cannot have it`
    : `the name root belongs to uid 0: a user of uid ${uid} cannot have it`;
}

/**
 * Reports every entry that has the same key as one before it.
 *
 * @param what What the key is, such as `uid`.
 * @param keyOf The key of an entry.
 * @param placeOf Where an entry's key stands.
 */
export function refuseDuplicates<T>(
  all: readonly T[],
  what: string,
  keyOf: (one: T) => string | number,
  reader: Reader,
  placeOf: (one: T) => Place,
): void {
  const first = new Map<string | number, T>();
  for (const one of all) {
    const key = keyOf(one);
    const before = first.get(key);
    if (before === undefined) first.set(key, one);
    else {
      const { line } = placeOf(before).at;
      reader.refuse(placeOf(one), `the ${what} ${key} stands already in line ${line}`);
    }
  }
}
