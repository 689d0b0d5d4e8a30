/** The steps of a story that change the users of the file. */
import type { AccessFile } from "./access_model.ts";
import { Edit, type EditWay, type EntryChange } from "./edit.ts";
import { isListed } from "./policy_edits.ts";
import { type Model, UIDS } from "./story.ts";

export class SetAccess extends Edit {
  constructor(readonly user: string, readonly access: boolean, way: EditWay) {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    return file.users.has(this.user);
  }
  edit({ users }: AccessFile): void {
    users.get(this.user)!.access = this.access;
  }
  protected override argv(): string[] {
    return ["users", this.access ? "allow" : "deny", this.user];
  }
  override change(): EntryChange {
    return { user: this.user, set: { local_ipc_access: this.access } };
  }
  protected override request(): unknown {
    const params = { name: this.user, field: "local_ipc_access", value: this.access };
    return { method: "users.set", params };
  }
  protected get name(): string {
    return `${this.access ? "allow" : "deny"} ${this.user}`;
  }
}

export class AddUser extends Edit {
  constructor(readonly user: string, readonly access: boolean, way: EditWay) {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    return !file.users.has(this.user);
  }
  edit({ users }: AccessFile): void {
    users.set(this.user, { uid: UIDS[this.user]!, access: this.access });
  }
  protected override argv(): string[] {
    const flags = this.access ? ["--local-ipc-access"] : [];
    return ["users", "add", this.user, `--uid=${UIDS[this.user]}`, ...flags];
  }
  override change(): EntryChange {
    return { user: this.user, set: { uid: UIDS[this.user], local_ipc_access: this.access } };
  }
  protected override request(): unknown {
    const params = { name: this.user, uid: UIDS[this.user], local_ipc_access: this.access };
    return { method: "users.add", params };
  }
  protected get name(): string {
    return `add ${this.user}`;
  }
}

export class RemoveUser extends Edit {
  constructor(readonly user: string, way: EditWay) {
    super(way);
  }
  check({ file }: Readonly<Model>): boolean {
    const named = [...file.keys.values()]
      .some(({ user, isInDirectory }) => user === this.user && !isInDirectory);
    return file.users.has(this.user) && !named && !isListed(file, this.user);
  }
  edit({ users }: AccessFile): void {
    users.delete(this.user);
  }
  protected override argv(): string[] {
    return ["users", "remove", this.user];
  }
  override change(): EntryChange {
    return { user: this.user, remove: true };
  }
  protected override request(): unknown {
    return { method: "users.remove", params: { name: this.user } };
  }
  protected get name(): string {
    return `remove ${this.user}`;
  }
}
