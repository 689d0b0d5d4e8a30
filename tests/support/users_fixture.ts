/** `ipcauth users` for tests: a configuration file, and actions run on it. */
import { PLAIN } from "../../lib/text/view.ts";
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import type { Context } from "../../lib/cli/context.ts";
import { users } from "../../lib/cli/users.ts";
import type { UsersAction } from "../../lib/cli/users_action.ts";
import { Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";

/** A configuration of two users. */
export const FILE = `users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob, uid: 579, local_ipc_access: true, admin: true } # at work
`;

/** A configuration file, and the subcommand run on it. */
export class UsersFixture {
  readonly directory = Deno.realPathSync(Deno.makeTempDirSync());
  readonly path = join(this.directory, "config.yaml");
  #out = "";

  constructor(text: string | null = FILE) {
    if (text !== null) Deno.writeTextFileSync(this.path, text, { mode: 0o644 });
  }

  /** Runs an action. The file is named by `--config`; by the environment where `flag` is false.
   * With `absent` no file is named; with `notes` standard error is returned. */
  async run(
    action: UsersAction,
    { json = false, flag = true, notes = false, absent = false } = {},
  ) {
    this.#out = "";
    let err = "";
    const context: Context = {
      environment: {
        // A user without a home has the configuration of the host, or none.
        uid: effectiveUid(),
        variables: flag || absent ? {} : { IPCAUTH_CONFIG: this.path },
      },
      config: flag && !absent ? this.path : null,
      color: false,
      view: () => PLAIN,
      out: (text) => this.#out += text,
      err: (text) => err += text,
    };
    const exit = await users(action, json, context);
    if (notes) return { exit, out: this.#out, err };
    assertEquals(err, "", "standard error must stay empty");
    return { exit, out: this.#out };
  }

  async json(action: UsersAction): Promise<unknown> {
    return JSON.parse((await this.run(action, { json: true })).out);
  }

  async refused(exit: number, action: UsersAction): Promise<Failure> {
    const before = this.text();
    const failure = await assertRejects(() => this.run(action), Failure) as Failure;
    assertEquals([failure.exit, this.text(), this.#out], [exit, before, ""], failure.message);
    return failure;
  }

  text(): string {
    return Deno.readTextFileSync(this.path);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

/** Adds a user with access. */
export function add(name: string, uid: number): UsersAction {
  return { verb: "add", name, uid, gid: null, localIpcAccess: true, admin: false };
}
