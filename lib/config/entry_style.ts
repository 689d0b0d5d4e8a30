/**
 * How an entry of a list, such as `users:`, is written as YAML.
 *
 * @module
 */

/** Fields of an entry with their values as YAML scalars, in the order in which they are written. */
export type EntryFields = Readonly<Record<string, string>>;

/** Writes entries as the file writes them: with or without quotes around keys and texts. */
export class EntryStyle {
  readonly #quotes: boolean;

  /** @param quotes Whether keys and texts are written in quotes, as in JSON, which is YAML too. */
  constructor(quotes: boolean) {
    this.#quotes = quotes;
  }

  /** An entry with one field a line. @param separator The newline and indent between them. */
  block(fields: EntryFields, separator: string): string {
    return this.#pairs(fields).join(separator);
  }

  /** An entry in braces. */
  flow(fields: EntryFields): string {
    return `{ ${this.#pairs(fields).join(", ")} }`;
  }

  /** One field. */
  pair(field: string, value: string): string {
    if (!this.#quotes) return `${field}: ${value}`;
    const isText = !/^["[0-9]/.test(value) || /[^0-9]/.test(value) && /^[0-9]/.test(value);
    return `"${field}": ${isText && !isFlag(value) ? `"${value}"` : value}`;
  }

  #pairs(fields: EntryFields): string[] {
    return Object.entries(fields).map(([field, value]) => this.pair(field, value));
  }
}

/** A value as a YAML scalar. A name that YAML could read as another type is quoted. */
export function scalarText(value: string | number | boolean): string {
  if (typeof value !== "string") return String(value);
  const plain = /^[A-Za-z_/][A-Za-z0-9_./-]*$/.test(value) && !/^(true|false|null)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}

function isFlag(text: string): boolean {
  return text === "true" || text === "false";
}
