/**
 * The sessions that the limits of the server count, of one data plane or of all.
 *
 * @module
 */
import type { Decision } from "../policy/types.ts";
import { SharedCounts } from "../reactor/shared_counts.ts";
import type { SharedLock } from "../reactor/shared_lock.ts";

/** How many sessions are open. */
export interface OpenCounts {
  readonly connections: number;
  /** Of a uid; Infinity where there is none. */
  readonly connectionsOfUser: number;
}

/** Counts sessions from the decision that allows them on. */
export interface Admissions {
  /** How many sessions a uid has. */
  countByUid(uid: number): number;
  /**
   * Decides, and counts an allowed session, before anyone else decides. It counts until
   * {@linkcode Admissions.giveBack}.
   *
   * @param uid The uid that the session would count for; undefined where there is none.
   */
  admit<Decided extends Decision>(
    uid: number | undefined,
    authorize: (open: OpenCounts) => Decided,
  ): Decided;
  /** The session of a uid has ended, or was never opened. */
  giveBack(uid: number): void;
  /** The number of a new session. No other one ever has it. */
  nextId(): number;
}

/** The sessions of the only data plane. */
export class OwnAdmissions implements Admissions {
  readonly #perUid = new Map<number, number>();
  #size = 0;
  #lastId = 0;

  countByUid(uid: number): number {
    // A uid without an entry has no session: zero is the count, not a default.
    return this.#perUid.get(uid) ?? 0;
  }

  admit<Decided extends Decision>(
    uid: number | undefined,
    authorize: (open: OpenCounts) => Decided,
  ): Decided {
    const connectionsOfUser = uid === undefined ? Infinity : this.countByUid(uid);
    const decision = authorize({ connections: this.#size, connectionsOfUser });
    if (decision.allow) {
      const { uid } = decision.identity;
      this.#size++;
      this.#perUid.set(uid, this.countByUid(uid) + 1);
    }
    return decision;
  }

  giveBack(uid: number): void {
    this.#size--;
    const left = this.countByUid(uid) - 1;
    if (left > 0) this.#perUid.set(uid, left);
    else this.#perUid.delete(uid);
  }

  nextId(): number {
    return ++this.#lastId;
  }
}

/** The memory that {@linkcode SharedAdmissions} share. */
export interface AdmissionsData {
  /** How many sessions there are. */
  readonly size: SharedArrayBuffer;
  /** How many each uid has. */
  readonly perUid: SharedArrayBuffer;
  /** The last number of a session. */
  readonly lastId: SharedArrayBuffer;
}

/**
 * The sessions of all data planes. A decision and its count are made under the lock, so that they
 * are as exact as those of one thread.
 */
export class SharedAdmissions implements Admissions {
  readonly #lock: SharedLock;
  readonly #size: Int32Array<SharedArrayBuffer>;
  readonly #perUid: SharedCounts;
  readonly #lastId: BigInt64Array<SharedArrayBuffer>;

  /** @param data Of {@linkcode SharedAdmissions.data}, the same in every data plane. */
  constructor(lock: SharedLock, { size, perUid, lastId }: AdmissionsData) {
    this.#lock = lock;
    this.#size = new Int32Array(size);
    this.#perUid = new SharedCounts(perUid);
    this.#lastId = new BigInt64Array(lastId);
  }

  /** Makes the memory. @param most How many sessions there may ever be at the same time. */
  static data(most: number): AdmissionsData {
    return {
      size: new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT),
      perUid: SharedCounts.memory(most),
      lastId: new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT),
    };
  }

  countByUid(uid: number): number {
    return this.#lock.run(() => this.#perUid.get(0, uid));
  }

  admit<Decided extends Decision>(
    uid: number | undefined,
    authorize: (open: OpenCounts) => Decided,
  ): Decided {
    return this.#lock.run(() => {
      const connectionsOfUser = uid === undefined ? Infinity : this.#perUid.get(0, uid);
      const decision = authorize({ connections: this.#size[0]!, connectionsOfUser });
      if (decision.allow) {
        this.#perUid.add(0, decision.identity.uid);
        this.#size[0]!++;
      }
      return decision;
    });
  }

  giveBack(uid: number): void {
    this.#lock.run(() => {
      this.#perUid.subtract(0, uid);
      this.#size[0]!--;
    });
  }

  nextId(): number {
    return Number(Atomics.add(this.#lastId, 0, 1n)) + 1;
  }
}
