/** The steps of a story that change key files. */
import { readKey } from "../support/keys.ts";
import type { Command } from "./connecting.ts";
import { settle } from "./settle.ts";
import { COPIED, type Model, type Real } from "./story.ts";
import { type Way, write } from "./ways_of_writing.ts";

/** A new secret in a key's file. */
export class ReplaceKey implements Command {
  constructor(readonly key: string, readonly way: Way) {}
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    const path = real.path(`${this.key}.key`);
    real.old.set(this.key, readKey(path));
    model.secrets.set(this.key, model.secrets.get(this.key)! + 1);
    await write(path, newSecret(), this.way);
    await settle(model, real);
  }
  toString(): string {
    return `new secret for ${this.key} (${this.way})`;
  }
}

/** A new secret for carol, copied to the directory of keys; or her file there is removed. */
export class CopyKey implements Command {
  constructor(readonly way: Way | "remove") {}
  check({ file }: Readonly<Model>): boolean {
    return this.way !== "remove" || file.keys.has(COPIED);
  }
  async run(model: Model, real: Real): Promise<void> {
    const path = real.path("keys.d/carol.key");
    if (this.way === "remove") {
      model.file.keys.delete(COPIED);
      await Deno.remove(path);
    } else {
      const own = real.path(`${COPIED}.key`);
      real.old.set(COPIED, readKey(own));
      model.secrets.set(COPIED, model.secrets.get(COPIED)! + 1);
      model.file.keys.set(COPIED, { user: "carol", isInDirectory: true });
      const secret = newSecret();
      await Deno.writeTextFile(own, secret);
      await write(path, secret, this.way);
    }
    await settle(model, real);
  }
  toString(): string {
    return `carol's key in the directory (${this.way})`;
  }
}

export function newSecret(): string {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  return `${secret.toBase64({ alphabet: "base64url", omitPadding: true })}\n`;
}
