/** The steps of a story that change the file. */
import { assertEquals } from "@std/assert";
import type { AccessFile, Origin } from "./access_model.ts";
import type { Command } from "./connecting.ts";
import { settle } from "./settle.ts";
import { closed, decide, endIn, type Model, note, type Real, socketOf, textOf } from "./story.ts";
import { type Way, write } from "./ways_of_writing.ts";

/** How the file is changed: by a command, by a request in the console, or written by hand. */
export type EditWay = Way | "command" | "console";

/** A change of one entry, as one of those of a commit in the console. */
export type EntryChange =
  & ({ readonly user: string } | { readonly group: string })
  & ({ readonly set: Readonly<Record<string, unknown>> } | { readonly remove: true });

/** A command that edits what the file says. */
export abstract class Edit implements Command {
  readonly #way: EditWay;

  constructor(way: EditWay) {
    this.#way = way;
  }

  abstract check(model: Readonly<Model>): boolean;
  /** Changes the model's file. */
  abstract edit(file: AccessFile): void;
  /** The same in a commit; null where it is not possible. */
  change(_file: AccessFile): EntryChange | null {
    return null;
  }
  /** The same as a command line; null where there is none. */
  protected argv(_file: AccessFile, _real: Real): string[] | null {
    return null;
  }
  /** The same as a request; null where there is none. */
  protected request(file: AccessFile): unknown {
    const change = this.change(file);
    return change && commitOf([change]);
  }
  protected abstract get name(): string;

  async run(model: Model, real: Real): Promise<void> {
    const argv = this.argv(model.file, real);
    const request = this.request(model.file);
    if (this.#way === "console" && request !== null) {
      if (!await requestAsRoot(request, model, real)) return;
      this.edit(model.file);
      return await settle(model, real);
    }
    this.edit(model.file);
    if (this.#way === "command" && argv !== null) {
      const { code, stderr } = await real.run([...argv, "--config", real.config]);
      assertEquals(code, 0, stderr);
    } else {
      const way = this.#way === "command" || this.#way === "console" ? "rename" : this.#way;
      await write(real.config, textOf(model.file, real), way);
    }
    await this.applied(model, real);
    await settle(model, real);
  }

  /** Waits for what the server does before it decides by the new file. */
  protected applied(_model: Model, _real: Real): Promise<void> {
    return Promise.resolve();
  }

  toString(): string {
    return `${this.name} (${this.#way})`;
  }
}

/** The request for a commit, on the base of the file as it is. */
export function commitOf(changes: readonly EntryChange[], confirmSeconds?: number): unknown {
  const more = confirmSeconds === undefined ? {} : { confirm_seconds: confirmSeconds };
  return { method: "config.commit", params: { changes, ...more } };
}

/** Asks for a change in a console of root. @returns Whether root was let in, and it was made. */
export async function requestAsRoot(request: unknown, model: Model, real: Real): Promise<boolean> {
  const root: Origin = { listener: "open", peer: { uid: 0, gids: [0] } };
  const decision = decide(model, root);
  const id = `r${++real.count}`;
  note(model, real, decision, root, id);
  const answer = await real.peers.request(id, socketOf(real, "open"), request);
  assertEquals(answer, decision.allow ? "result" : "out", JSON.stringify(request));
  if (!decision.allow) return false;
  endIn(model, real, id, "end");
  await closed(model, real, 1);
  return true;
}
