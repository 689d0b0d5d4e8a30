/** The steps of a story that change key files. */
import { readKey } from "../support/keys.ts";
import type { Command } from "./connecting.ts";
import { settle } from "./settle.ts";
import { type EndKind, newEnd, waitForEnd } from "./key_ends.ts";
import { COPIED, keyFile, type Model, type Real } from "./story.ts";
import { type Way, write } from "./ways_of_writing.ts";

/** A new secret in a key's file. */
export class ReplaceKey implements Command {
  constructor(readonly key: string, readonly way: Way) {}
  check(): boolean {
    return true;
  }
  async run(model: Model, real: Real): Promise<void> {
    const path = keyFile(real, this.key);
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

/** The end of carol's key in the directory, which need not be there, in a file of its own. */
export class SetKeyEnd implements Command {
  /** @param end Undefined removes the file; null writes one without a time. */
  constructor(readonly end: EndKind | null, readonly way: Way) {}
  check({ file }: Readonly<Model>): boolean {
    return this.end !== undefined || file.directoryEnd !== undefined;
  }
  async run(model: Model, real: Real): Promise<void> {
    const { file } = model;
    const path = real.path("keys.d/carol.not-after");
    const end = newEnd(this.end ?? undefined);
    file.directoryEnd = this.end === null ? 0 : end;
    if (this.end === undefined) await Deno.remove(path);
    else {
      const text = this.end === null ? "in June\n" : `# hers\n\n${new Date(end!).toISOString()}\n`;
      await write(path, text, this.way);
    }
    if (this.end === "soon") await waitForEnd(COPIED, end!, model, real);
    await settle(model, real);
  }
  toString(): string {
    return `the end of carol's key in the directory: ${this.end} (${this.way})`;
  }
}

export function newSecret(): string {
  const secret = crypto.getRandomValues(new Uint8Array(32));
  return `${secret.toBase64({ alphabet: "base64url", omitPadding: true })}\n`;
}
