/** The steps of a story in which clients come and go. */
import { assertEquals } from "@std/assert";
import type fc from "fast-check";
import { readKey } from "../support/keys.ts";
import type { Origin, Peer } from "./access_model.ts";
import {
  closeAll,
  decide,
  keyFile,
  type Model,
  note,
  type OpenSession,
  type Real,
  socketOf,
  takeOpen,
} from "./story.ts";

/** A step of a story. */
export type Command = fc.AsyncCommand<Model, Real>;

/** One connection, or some at the same time. */
export abstract class Connecting implements Command {
  constructor(readonly stays: boolean, readonly count: number) {}

  check(_model: Readonly<Model>): boolean {
    return true;
  }
  abstract origin(model: Readonly<Model>, real: Real): Origin;
  /** @returns Whether it was let in. */
  abstract connect(id: string, model: Model, real: Real): Promise<boolean>;
  protected abstract get name(): string;

  async run(model: Model, real: Real): Promise<void> {
    const origin = this.origin(model, real);
    const ids = Array.from({ length: this.count }, () => `c${++real.count}`);
    const from = Date.now();
    const letIn = await Promise.all(ids.map((id) => this.connect(id, model, real)));
    const open: OpenSession[] = [];
    const until = Date.now();
    /** The decision of the moment, which may be that before the end of a key. */
    const decisionOf = (allow: boolean) => {
      const last = decide(model, origin, open, { at: until });
      return last.allow === allow ? last : decide(model, origin, open, { at: from });
    };
    for (const id of ids.filter((_, index) => letIn[index])) {
      const decision = decisionOf(true);
      assertEquals(decision.allow, true, JSON.stringify({ origin, decision, open: model.open }));
      note(model, real, decision, origin, id);
      if (!decision.allow) continue;
      const first = model.names?.now.groupsOf(decision.uid) ?? null;
      open.push({ id, origin, ...decision, first });
    }
    for (const id of ids.filter((_, index) => !letIn[index])) {
      const decision = decisionOf(false);
      assertEquals(decision.allow, false, JSON.stringify({ origin, decision, open: model.open }));
      note(model, real, decision, origin, id);
    }
    if (this.stays) model.open.push(...open);
    else await closeAll(open, model, real);
  }

  toString(): string {
    return `${this.name}${this.count === 1 ? "" : ` ${this.count} times`}${
      this.stays ? ", and stays" : ""
    }`;
  }
}

export class Connect extends Connecting {
  constructor(
    readonly peer: Peer,
    readonly listener: "open" | "narrow",
    stays: boolean,
    count = 1,
  ) {
    super(stays, count);
  }
  origin(): Origin {
    return { listener: this.listener, peer: this.peer };
  }
  connect(id: string, _model: Model, real: Real): Promise<boolean> {
    return real.peers.open(id, socketOf(real, this.listener), this.peer);
  }
  protected get name(): string {
    return `uid ${this.peer.uid} (${this.peer.gids}) connects to ${this.listener}`;
  }
}

export class ConnectKeyed extends Connecting {
  constructor(readonly key: string, readonly isOld: boolean, stays: boolean, count = 1) {
    super(stays, count);
  }
  override check({ secrets }: Readonly<Model>): boolean {
    return secrets.has(this.key);
  }
  origin({ secrets }: Readonly<Model>, { old }: Real): Origin {
    const isOld = this.isOld && old.has(this.key);
    return { listener: "tcp", key: this.key, secret: secrets.get(this.key)! - (isOld ? 1 : 0) };
  }
  connect(id: string, _model: Model, real: Real): Promise<boolean> {
    const old = this.isOld ? real.old.get(this.key) : undefined;
    const key = old ?? readKey(keyFile(real, this.key));
    return real.peers.openKeyed(id, real.address, real.port, key);
  }
  protected get name(): string {
    return `${this.isOld ? "the old" : "the"} key ${this.key} connects`;
  }
}

/** Some of the open sessions are closed by their clients. */
export class Leave implements Command {
  constructor(readonly count: number) {}
  check({ open }: Readonly<Model>): boolean {
    return open.length > 0;
  }
  async run(model: Model, real: Real): Promise<void> {
    await closeAll(takeOpen(model, this.count), model, real);
  }
  toString(): string {
    return `the first ${this.count} leave`;
  }
}
