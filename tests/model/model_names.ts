/** What the model knows of the name service: who is in which group, and whether it answers. */
import type { NameFacts } from "./access_model.ts";

/** A group of the directory on the network, and one of the machine's `/etc/group`. */
export type NamedGroup = "far" | "near";

/** The accounts of the directory. Each has its own group, of the same number. */
export const ACCOUNTS: Readonly<Record<string, number>> = {
  alice: 578,
  bob: 579,
  carol: 580,
  dora: 581,
};

/** The groups and accounts as they are now. */
export interface NameEntries {
  readonly groups: Record<NamedGroup, { gid: number | null; readonly members: Set<string> }>;
  /** The accounts that exist. */
  readonly accounts: Set<string>;
}

/** What is known of the name service: now, and last. */
export interface KnownFacts {
  readonly now: NameFacts;
  readonly last: NameFacts;
}

const NOTHING: NameFacts = { gidOf: () => null, groupsOf: () => null };

/** Of a story without a name service. */
export const NO_NAMES: KnownFacts = { now: NOTHING, last: NOTHING };

/** A name service whose every answer is known as soon as it has been asked again. */
export class ModelNames implements KnownFacts {
  readonly entries: NameEntries = {
    groups: {
      far: { gid: 2003, members: new Set(["bob", "dora"]) },
      near: { gid: 2004, members: new Set(["carol", "dora"]) },
    },
    accounts: new Set(Object.keys(ACCOUNTS)),
  };
  /** Whether the directory answers. */
  answers = true;
  now: NameFacts = NOTHING;
  last: NameFacts = NOTHING;

  constructor() {
    this.learn();
  }

  /** The server has asked for everything again. */
  learn(): void {
    const facts = this.#facts();
    if (this.answers) this.now = this.last = facts;
    // /etc/group says the gid of its group; that an account is in none, no one says.
    else {this.now = {
        gidOf: (name) => name === "near" ? facts.gidOf(name) : null,
        groupsOf: () => null,
      };}
  }

  #facts(): NameFacts {
    const { groups, accounts } = structuredClone(this.entries);
    return {
      gidOf: (name) => groups[name as NamedGroup].gid,
      groupsOf: (uid) => {
        const account = [...accounts].find((name) => ACCOUNTS[name] === uid);
        if (account === undefined) return [];
        const own = Object.values(groups)
          .flatMap(({ gid, members }) => gid !== null && members.has(account) ? [gid] : []);
        return [uid, ...own];
      },
    };
  }
}
