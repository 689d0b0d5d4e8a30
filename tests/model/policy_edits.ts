/** The steps of a story that change groups, lists, listeners, keys and limits of the file. */
import type { AccessFile } from "./access_model.ts";
import { Edit, type EditWay, type EntryChange } from "./edit.ts";
import { type EndKind, newEnd, waitForEnd } from "./key_ends.ts";
import { GIDS, keyFile, type Model, type Real, settlePlanes } from "./story.ts";
import type { Way } from "./ways_of_writing.ts";

export class SetGroup extends Edit {
  /** @param access Null removes it. */
  constructor(readonly group: string, readonly access: boolean | null, way: EditWay) {
    super(way);
  }
  check({ file, names }: Readonly<Model>): boolean {
    if (names === null && GIDS[this.group] === undefined) return false;
    return this.access !== null || !isListed(file, `@${this.group}`);
  }
  edit({ groups }: AccessFile): void {
    if (this.access === null) groups.delete(this.group);
    else groups.set(this.group, { gid: GIDS[this.group] ?? null, access: this.access });
  }
  protected override argv({ groups }: AccessFile): string[] | null {
    const { group, access } = this;
    if (access === null) return groups.has(group) ? ["groups", "remove", group] : null;
    if (groups.has(group)) return ["groups", access ? "allow" : "deny", group];
    const gid = GIDS[group];
    // Without a gid, the command asks a name service that is not the server's.
    if (gid === undefined) return null;
    return ["groups", "add", group, `--gid=${gid}`, ...access ? ["--local-ipc-access"] : []];
  }
  override change({ groups }: AccessFile): EntryChange | null {
    const { group, access } = this;
    if (access === null) return groups.has(group) ? { group, remove: true } : null;
    const gid = GIDS[group];
    const id = groups.has(group) || gid === undefined ? {} : { gid };
    return { group, set: { ...id, local_ipc_access: access } };
  }
  protected get name(): string {
    return `group ${this.group} ${this.access}`;
  }
}

export class SetAllow extends Edit {
  constructor(
    readonly listener: "narrow" | "tcp",
    readonly allow: readonly string[] | null,
    way: Way,
  ) {
    super(way);
  }
  check({ file, names }: Readonly<Model>): boolean {
    // The groups of a key's user are those of the name service.
    if (this.listener === "tcp" && names === null) return false;
    // A removed listener keeps the list that it had.
    return file.listeners.has(this.listener) &&
      (this.allow ?? []).every((name) =>
        name.startsWith("@") ? file.groups.has(name.slice(1)) : file.users.has(name)
      );
  }
  edit({ lists }: AccessFile): void {
    lists[this.listener] = this.allow;
  }
  protected get name(): string {
    return `allow ${JSON.stringify(this.allow)} on ${this.listener}`;
  }
}

/** Removes a listener, or adds it again. */
export class SetListener extends Edit {
  /** How many listeners had been opened before. */
  #opened = 0;

  constructor(readonly listener: "narrow" | "tcp", readonly isListed: boolean, way: Way) {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    return file.listeners.has(this.listener) !== this.isListed;
  }
  edit({ listeners }: AccessFile): void {
    if (this.isListed) listeners.add(this.listener);
    else listeners.delete(this.listener);
  }
  override async run(model: Model, real: Real): Promise<void> {
    this.#opened = real.server.of("listen").length;
    const removals = real.server.of("stop").length;
    model.isRemoving = !this.isListed && real.workers > 1;
    await super.run(model, real);
    if (!this.isListed) await real.server.events("stop", removals + 1);
    if (model.isRemoving) await settlePlanes(real);
    model.isRemoving = false;
  }
  protected override async applied(_model: Model, { server }: Real): Promise<void> {
    if (this.isListed) await server.events("listen", this.#opened + 1);
  }
  protected get name(): string {
    return `${this.isListed ? "add" : "remove"} listener ${this.listener}`;
  }
}

export class SetKey extends Edit {
  #end: number | undefined;

  /** @param user Null for a trusted key, undefined to remove it. */
  constructor(
    readonly key: string,
    readonly user: string | null | undefined,
    readonly notAfter: EndKind,
    way: EditWay,
  ) {
    super(way);
  }
  check({ file, secrets }: Readonly<Model>): boolean {
    // A removed listener keeps the entries that it had.
    return file.listeners.has("tcp") && secrets.has(this.key) &&
      (this.user === null || this.user === undefined || file.users.has(this.user));
  }
  edit({ keys }: AccessFile): void {
    if (this.user === undefined) keys.delete(this.key);
    else keys.set(this.key, { user: this.user, notAfter: this.#end });
  }
  override run(model: Model, real: Real): Promise<void> {
    this.#end = newEnd(this.notAfter);
    return super.run(model, real);
  }
  protected override async applied(model: Model, real: Real): Promise<void> {
    if (this.notAfter !== "soon" || this.user === undefined) return;
    await waitForEnd(this.key, this.#end!, model, real);
  }
  protected override argv({ keys }: AccessFile, real: Real): string[] | null {
    const file = keyFile(real, this.key);
    const isKnown = keys.has(this.key);
    if (this.user === undefined) return isKnown ? ["keys", "revoke", file] : null;
    const end = this.#end;
    // The command changes no entry, and takes no time that is over when it reads it.
    if (isKnown || this.notAfter === "soon" || end !== undefined && end <= Date.now()) return null;
    return [
      ...["keys", "add", file],
      ...this.user === null ? [] : [`--user=${this.user}`],
      ...end === undefined ? [] : [`--not-after=${new Date(end).toISOString()}`],
    ];
  }
  protected get name(): string {
    return `key ${this.key} of ${this.user} until ${this.notAfter}`;
  }
}

export class SetLimits extends Edit {
  constructor(readonly all: number, readonly perUser: number, way: Way) {
    super(way);
  }
  check(): boolean {
    return true;
  }
  edit(file: AccessFile): void {
    file.limits = { all: this.all, perUser: this.perUser };
  }
  protected get name(): string {
    return `limits ${this.all}, ${this.perUser} of a user`;
  }
}

/** Whether the list of any listener has a name. */
export function isListed({ lists }: AccessFile, name: string): boolean {
  return Object.values(lists).some((list) => list?.includes(name) ?? false);
}
