/** The step of a story in which a key is replaced by another one of the same user. */
import { assertEquals } from "@std/assert";
import { readKey } from "../support/keys.ts";
import { type Command, ConnectKeyed } from "./connecting.ts";
import { COMMAND_MS, type EndKind, newEnd, waitForEnd } from "./key_ends.ts";
import { settle } from "./settle.ts";
import { keyFile, type Model, NEXT, type Real, textOf } from "./story.ts";
import { write } from "./ways_of_writing.ts";

/** What becomes of the old key: it stays, is revoked as the command says, or gets an end. */
export type OldKey = "stays" | "is revoked" | "ends";

/** `keys rotate`: both keys are admitted, and then the new one alone. */
export class RotateKey implements Command {
  /** @param end Of the new key. */
  constructor(readonly key: string, readonly end: EndKind, readonly old: OldKey) {}

  check({ file: { keys, listeners } }: Readonly<Model>): boolean {
    // A removed listener keeps the entries that it had.
    return listeners.has("tcp") && keys.has(this.key) && !keys.has(NEXT);
  }

  async run(model: Model, real: Real): Promise<void> {
    const { keys } = model.file;
    const old = keys.get(this.key)!;
    const end = newEnd(this.end, COMMAND_MS);
    const argv = ["keys", "rotate", keyFile(real, this.key), "--json", `--config=${real.config}`];
    if (end !== undefined) argv.push(`--not-after=${new Date(end).toISOString()}`);
    const { code, stdout, stderr } = await real.run(argv);
    // The new key of one that ends does not last for ever because no one has said when it ends.
    const isRefused = old.notAfter !== undefined && end === undefined;
    assertEquals(code, isRefused ? 64 : 0, stderr);
    if (isRefused) return await settle(model, real);
    const { file, revoke } = JSON.parse(stdout);
    if (model.secrets.has(NEXT)) real.old.set(NEXT, readKey(keyFile(real, NEXT)));
    model.secrets.set(NEXT, (model.secrets.get(NEXT) ?? 0) + 1);
    real.keyFiles.set(NEXT, file);
    keys.set(NEXT, { user: old.user, notAfter: end });
    await settle(model, real);
    for (const key of [this.key, NEXT]) await new ConnectKeyed(key, false, true).run(model, real);
    if (this.old === "is revoked") {
      const [program, ...words] = revoke.split(" ");
      assertEquals(program, "ipcauth");
      keys.delete(this.key);
      const revoked = await real.run(words);
      assertEquals(revoked.code, 0, revoked.stderr);
    } else if (this.old === "ends") {
      old.notAfter = newEnd("soon");
      await write(real.config, textOf(model.file, real), "rename");
      await waitForEnd(this.key, old.notAfter!, model, real);
    }
    if (this.end === "soon") await waitForEnd(NEXT, end!, model, real);
    await settle(model, real);
  }

  toString(): string {
    return `the next key of ${this.key} until ${this.end}, and the old one ${this.old}`;
  }
}
