/**
 * A draft: changes of users and groups that are not committed. Pure.
 *
 * @module
 */
import {
  changesBetween,
  entriesByKey,
  type EntryEdit,
  entryKey,
  type FieldsEntry,
  type FieldValue,
} from "../config/entry_changes.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { quoteWord } from "./line_words.ts";

/** An entry, without its fields. */
export type EntryName = Pick<FieldsEntry, "kind" | "name">;

/** What a draft begins with. */
export interface DraftStart {
  /** Stands for the configuration (`config.entries` of docs/console-api.md). */
  readonly base: string;
  readonly entries: readonly FieldsEntry[];
}

/** What an entry has whose fields were not given. */
const UNSET: Readonly<Record<string, FieldValue>> = {
  gid: null,
  local_ipc_access: false,
  admin: false,
};

/** The fields of an entry, in the order in which they are printed. */
const FIELDS = {
  user: ["uid", "gid", "local_ipc_access", "admin"],
  group: ["gid", "local_ipc_access"],
} as const;

/** Changes, and what they are changes of. Names are as they are, and are escaped in texts. */
export class ConfigDraft {
  #start: DraftStart;
  #base: ReadonlyMap<string, FieldsEntry>;
  readonly #edits = new Map<string, EntryEdit>();

  constructor(start: DraftStart) {
    this.#start = start;
    this.#base = entriesByKey(start.entries);
  }

  /** What `config.commit` compares with the configuration. */
  get base(): string {
    return this.#start.base;
  }

  /** The changes that make a difference. */
  get changes(): EntryEdit[] {
    const changes: EntryEdit[] = [];
    for (const [key, edit] of this.#edits) {
      const before = this.#base.get(key);
      if (edit.set === null) {
        if (before !== undefined) changes.push(edit);
        continue;
      }
      const fields = before?.fields ?? {};
      const set = Object.entries(edit.set).filter(([field, value]) => fields[field] !== value);
      if (before === undefined) changes.push(edit);
      else if (set.length > 0) changes.push({ ...edit, set: Object.fromEntries(set) });
    }
    return changes;
  }

  /** The names of the entries of a kind, with the changes. */
  names(kind: FieldsEntry["kind"]): string[] {
    const names = [...this.#base.values()].filter((one) => one.kind === kind)
      .map(({ name }) => name);
    const added = [...this.#edits.values()].filter((one) => one.kind === kind)
      .map(({ name }) => name);
    return [...new Set([...names, ...added])].filter((name) => this.has({ kind, name }));
  }

  /** Whether there is an entry, with the changes. */
  has(entry: EntryName): boolean {
    const edit = this.#edits.get(entryKey(entry));
    return edit === undefined ? this.#base.has(entryKey(entry)) : edit.set !== null;
  }

  /** Sets fields of an entry, which is added where there is none. */
  set(entry: EntryName, fields: Readonly<Record<string, FieldValue>>): void {
    if (Object.keys(fields).length === 0) return;
    const key = entryKey(entry);
    const edit = this.#edits.get(key);
    // An entry that was removed and is set again has none of its former values.
    const former = edit === undefined ? {} : edit.set ?? unsetFields(entry);
    const { kind, name } = entry;
    this.#edits.set(key, { kind, name, set: { ...former, ...fields } });
  }

  /** Removes an entry. */
  remove({ kind, name }: EntryName): void {
    this.#edits.set(entryKey({ kind, name }), { kind, name, set: null });
  }

  /** Takes a field back to what it is where the file does not have it. */
  unset(entry: EntryName, field: string): void {
    this.set(entry, { [field]: UNSET[field] ?? null });
  }

  /** Drops all changes. */
  clear(): void {
    this.#edits.clear();
  }

  /** Begins with another state of the configuration. The changes stay. */
  rebase(start: DraftStart): void {
    this.#start = start;
    this.#base = entriesByKey(start.entries);
  }

  /** Begins with what was committed. @param base Its base. */
  committed(base: string): void {
    const entries = new Map(this.#base);
    for (const { kind, name, set } of this.changes) {
      const key = entryKey({ kind, name });
      if (set === null) entries.delete(key);
      else {
        const fields = entries.get(key)?.fields ?? unsetFields({ kind, name });
        entries.set(key, { kind, name, fields: { ...fields, ...set } });
      }
    }
    this.clear();
    this.rebase({ base, entries: [...entries.values()] });
  }

  /** The changes as configuration lines. */
  difference(): string {
    return differenceText(this.#start.entries, this.changes);
  }

  /** The difference between what the draft begins with and another state, as such lines. */
  differenceTo({ entries }: DraftStart): string {
    return differenceText(this.#start.entries, changesBetween(this.#start.entries, entries));
  }
}

function unsetFields({ kind }: EntryName): Record<string, FieldValue> {
  return Object.fromEntries(
    FIELDS[kind].filter((field) => field !== "uid").map((field) => [field, UNSET[field]!]),
  );
}

/** Changes as lines of a network device's configuration, with a blank, `+` or `-` before each. */
function differenceText(
  before: readonly FieldsEntry[],
  changes: readonly EntryEdit[],
): string {
  const base = entriesByKey(before);
  return changes.map((change) => {
    const former = base.get(entryKey(change));
    const sign = change.set === null ? "-" : former === undefined ? "+" : " ";
    const old = former?.fields ?? {};
    const lines = FIELDS[change.kind].flatMap((field) => {
      const isChanged = change.set === null || Object.hasOwn(change.set, field);
      if (!isChanged) return [];
      const now = change.set === null ? null : change.set[field] ?? null;
      return [...fieldLines("-", field, old[field] ?? null), ...fieldLines("+", field, now)];
    });
    return `${sign}${entryLine(change)}\n${lines.join("")}${sign}!\n`;
  }).join("");
}

function fieldLines(sign: string, field: string, value: FieldValue): string[] {
  return value === null ? [] : [`${sign} ${field} ${value}\n`];
}

/** The line that an entry begins with. */
export function entryLine({ kind, name }: EntryName): string {
  return `aaa authentication ${kind}s ${kind} ${quoteWord(escapeForTerminal(name))}`;
}
