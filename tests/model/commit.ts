/** The step of a story in which several entries are changed at once in the console. */
import { assertEquals, equal } from "@std/assert";
import type { AuditEvent } from "../support/program.ts";
import type { AccessFile } from "./access_model.ts";
import type { Command } from "./connecting.ts";
import { commitOf, type Edit, type EntryChange, requestAsRoot } from "./edit.ts";
import { settle } from "./settle.ts";
import type { Model, Real } from "./story.ts";

type Entries = Pick<AccessFile, "users" | "groups">;

/** What becomes of a commit: it needs no word, gets one in time, or does not. */
export type CommitEnd = "stays" | "is confirmed" | "is rolled back";

/** A time that no story lasts, and one that is soon over, in seconds. */
const [LONG, SHORT] = [600, 1];

/** Said in the log where a commit is undone in part. */
const NOT_UNDONE = "The commit of root was not confirmed, and is rolled back without: ";

/** `config.commit`. */
export class Commit implements Command {
  /**
   * @param edits Those that are possible are made, the first of each entry.
   * @param between Another edit before a commit is rolled back.
   */
  constructor(
    readonly edits: readonly Edit[],
    readonly end: CommitEnd,
    readonly between: Edit | null,
  ) {}

  check(model: Readonly<Model>): boolean {
    return this.edits.some((edit) => edit.check(model) && edit.change(model.file) !== null);
  }

  async run(model: Model, real: Real): Promise<void> {
    const before = entriesOf(model.file);
    const changes = this.#edit(model);
    // What changes nothing is not to be confirmed.
    const made = entriesOf(model.file);
    const end = equal(made, before) ? "stays" : this.end;
    const request = commitOf(changes, end === "stays" ? undefined : LONG);
    if (!await requestAsRoot(request, model, real)) return void undo(model.file, before, made);
    await settle(model, real);
    if (end === "is confirmed") {
      assertEquals(await requestAsRoot({ method: "config.confirm" }, model, real), true);
    } else if (end === "is rolled back") {
      if (this.between?.check(model)) await this.between.run(model, real);
      await this.#rollBack(before, made, model, real);
    }
  }

  /** Lets the time of a commit pass. */
  async #rollBack(before: Entries, made: Entries, model: Model, real: Real): Promise<void> {
    const now = entriesOf(model.file);
    const left = undo(model.file, before, made);
    const isUndone = !equal(entriesOf(model.file), now);
    // Where everything has been set back since, the log has no line of the end.
    if (!isUndone && left.length === 0) {
      return assertEquals(await requestAsRoot({ method: "config.confirm" }, model, real), true);
    }
    if (left.length > 0) model.errors.push(`${NOT_UNDONE}${left.join("; ")}`);
    const kind = isUndone ? "change" : "error";
    let earlier = real.server.of(kind).filter(isOfRollBack).length;
    assertEquals(await requestAsRoot(commitOf([], SHORT), model, real), true);
    await real.server.event(kind, (event) => isOfRollBack(event) && earlier-- === 0);
    await settle(model, real);
  }

  /** Changes the model's file. @returns What is asked for. */
  #edit(model: Model): EntryChange[] {
    const changes = new Map<string, EntryChange>();
    for (const edit of this.edits) {
      const change = edit.check(model) ? edit.change(model.file) : null;
      if (change === null) continue;
      const entry = "user" in change ? `user ${change.user}` : `group ${change.group}`;
      if (changes.has(entry)) continue;
      changes.set(entry, change);
      edit.edit(model.file);
    }
    return [...changes.values()];
  }

  toString(): string {
    const between = this.between !== null && this.end === "is rolled back"
      ? `, then ${this.between}`
      : "";
    return `a commit of ${this.edits.join(", ")}${between} (${this.end})`;
  }
}

function isOfRollBack({ reason, message }: AuditEvent): boolean {
  return reason === "rolled-back" || String(message).startsWith(NOT_UNDONE);
}

/** The users and groups, which no later change changes. */
function entriesOf({ users, groups }: AccessFile): Entries {
  return structuredClone({ users, groups });
}

/** Undoes a commit. @returns What was edited since, and is not undone. */
function undo({ users, groups }: AccessFile, before: Entries, made: Entries): string[] {
  return [
    ...undoIn(users, before.users, made.users).map((one) => `user ${one}`),
    ...undoIn(groups, before.groups, made.groups).map((one) => `group ${one}`),
  ].map((one) => `${one}: it was edited since`);
}

function undoIn<Entry extends { access: boolean }>(
  now: Map<string, Entry>,
  before: ReadonlyMap<string, Entry>,
  made: ReadonlyMap<string, Entry>,
): string[] {
  const left: string[] = [];
  for (const name of new Set([...before.keys(), ...made.keys()])) {
    const [was, own, current] = [before.get(name), made.get(name), now.get(name)];
    if (was?.access === own?.access) continue;
    if (own === undefined) now.set(name, was!);
    else if (was === undefined && current!.access === own.access) now.delete(name);
    else if (current!.access === own.access) current!.access = was!.access;
    // What the commit has added stays, without the access that it gave. A flag that has been set
    // back is what it was before.
    else if (was === undefined) left.push(name);
  }
  return left;
}
