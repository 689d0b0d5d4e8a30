/**
 * What the data plane knows of the name service. It never asks itself: it is told.
 *
 * @module
 */
import { sinceBoot } from "../libc/clock.ts";
import { type SocketAddress, unknownHost } from "../libc/inet_address.ts";
import type { GroupLookup } from "../policy/group_ids.ts";
import {
  type AccountResult,
  type GroupResult,
  type HostResult,
  type LookupRequest,
  type LookupResult,
  requestKey,
} from "./results.ts";

/** How many accounts that the configuration does not need are remembered. */
const MAX_REMEMBERED = 10_000;

/** How long a connection may wait for a first answer, in milliseconds. */
export const FIRST_ANSWER_MS = 1_000;

/** Receives the answer about a uid; one with a `problem` where it is not known. */
type AccountWaiter = (result: AccountResult) => void;
/** Called when the addresses of a host are known, or are known not to be. */
type HostWaiter = () => void;

/** What of a decision may be another one after answers. */
export interface NamesUpdateResult {
  /** Whether the gid of a group is another one, now or as it was known last. */
  readonly groups: boolean;
  /** The uids whose account is another one, or known again: being unknown changes nothing. */
  readonly uids: ReadonlySet<number>;
}

/** A question that has no answer yet. */
interface PendingAccount {
  /** When it was asked, on the clock of `performance.now()`. */
  readonly since: number;
  readonly waiters: Set<AccountWaiter>;
}

/**
 * Answers of the name service. A new connection rests on what is known now, an open session on what
 * was known last: a name service that fails admits no one and ends nothing.
 */
export class KnownNames {
  readonly #request: (request: LookupRequest) => void;
  readonly #groups = new Map<string, number | null>();
  readonly #lastGroups = new Map<string, number | null>();
  readonly #uids = new Map<string, number | null>();
  /** Also those with a problem, where an account is known and its groups are not. */
  readonly #accounts = new Map<number, AccountResult>();
  readonly #lastAccounts = new Map<number, AccountResult>();
  readonly #pending = new Map<number, PendingAccount>();
  readonly #hosts = new Map<string, readonly SocketAddress[]>();
  /** Why no address of a host is known. */
  readonly #hostProblems = new Map<string, string>();
  readonly #hostWaiters = new Map<string, Set<HostWaiter>>();
  readonly #renew: (request: LookupRequest) => void;
  #used = new Set<string>();
  #needed: readonly LookupRequest[] = [];
  /** Until when the answers may be used, on the clock of `sinceBoot()`. */
  #freshUntil = Infinity;
  /** Since when the first answer to what the configuration needs is awaited, by its key. */
  readonly #unanswered = new Map<string, number>();

  /**
   * @param request Asks the name service; {@linkcode update} is called with the answer.
   * @param renew The same for what is known already, and has led nowhere.
   */
  constructor(
    request: (request: LookupRequest) => void,
    renew: (request: LookupRequest) => void = request,
  ) {
    this.#request = request;
    this.#renew = renew;
  }

  /** The gid of a group name; null where it is not known now, or there is no such group. */
  readonly gidOf: GroupLookup = (name) => this.#groups.get(name) ?? null;

  /** The gid of a group name as it was known last. */
  readonly lastGidOf: GroupLookup = (name) => this.#lastGroups.get(name) ?? null;

  /** The uid of an account; null where it is not known now, or there is no such account. */
  uidOf(name: string): number | null {
    return this.#uids.get(name) ?? null;
  }

  /** The account of a uid; null where it is not known now. */
  account(uid: number): AccountResult | null {
    const known = this.#accounts.get(uid);
    return known === undefined || known.problem !== null ? null : known;
  }

  /** The account of a uid as it was known last; null where it never was. */
  lastAccount(uid: number): AccountResult | null {
    return this.#lastAccounts.get(uid) ?? null;
  }

  /** Whether a group was ever known, or that there is none of this name. */
  wasGroupKnown(name: string): boolean {
    return this.#lastGroups.has(name);
  }

  /** Whether the user name of a uid is known now, or that it has none. */
  isNamed(uid: number): boolean {
    return this.#accounts.has(uid);
  }

  /** The user name of a uid; the uid in digits where none is known now. */
  nameOf(uid: number): string {
    return this.#accounts.get(uid)?.account?.name ?? String(uid);
  }

  /** The user name of a uid as it was known last; the uid in digits where none was. */
  lastNameOf(uid: number): string {
    const known = this.#accounts.get(uid) ?? this.#lastAccounts.get(uid);
    return known?.account?.name ?? String(uid);
  }

  /**
   * Sets what the configuration needs. The rest of what is known is kept while it is fresh.
   *
   * @param followed What else is asked again and again, and no new connection depends on.
   * @returns Whether that has changed.
   */
  use(requests: readonly LookupRequest[], followed: readonly LookupRequest[] = []): boolean {
    const used = new Set([...requests, ...followed].map(requestKey));
    const isSame = used.size === this.#used.size && [...used].every((key) => this.#used.has(key));
    this.#used = used;
    this.#needed = [...requests, ...followed];
    if (isSame) return false;
    for (const key of this.#unanswered.keys()) if (!used.has(key)) this.#unanswered.delete(key);
    for (const request of requests) {
      const key = requestKey(request);
      if (!this.#unanswered.has(key) && !this.#isAnswered(request)) {
        this.#unanswered.set(key, performance.now());
      }
    }
    return true;
  }

  /**
   * Whether the first answer to something that the configuration needs is on its way, for no longer
   * than {@linkcode FIRST_ANSWER_MS}. A connection that would be denied for it can be decided then.
   */
  get isAwaited(): boolean {
    if (this.#unanswered.size === 0) return false;
    const now = performance.now();
    return this.#unanswered.values().some((since) => now - since < FIRST_ANSWER_MS);
  }

  /**
   * Forgets the answers where they are too old, because they were not asked again or not told in
   * time: this process was stopped, or the machine slept. What the configuration needs is asked for
   * at once, and is awaited. To be called before each decision; one system call where there are
   * answers.
   *
   * @returns Whether they were.
   */
  lapse(): boolean {
    if (this.#freshUntil === Infinity || sinceBoot() <= this.#freshUntil) return false;
    this.#freshUntil = Infinity;
    this.#groups.clear();
    this.#uids.clear();
    this.#accounts.clear();
    const now = performance.now();
    for (const request of this.#needed) {
      if (request.kind === "host") continue;
      this.#unanswered.set(requestKey(request), now);
      this.#request(request);
    }
    return true;
  }

  /**
   * Takes answers over.
   *
   * @param freshUntil Until when all answers may be used, on the clock of `sinceBoot()`.
   */
  update(results: readonly LookupResult[], freshUntil = Infinity): NamesUpdateResult {
    this.#freshUntil = freshUntil;
    let groups = false;
    const uids = new Set<number>();
    for (const result of results) {
      this.#unanswered.delete(requestKey(result));
      if (result.kind === "group") groups = this.#updateGroup(result) || groups;
      else if (result.kind === "host") this.#updateHost(result);
      else if (result.kind === "account") {
        if (this.#updateAccount(result)) uids.add(result.uid);
      } else this.#uids.set(result.name, result.account?.uid ?? null);
    }
    return { groups, uids };
  }

  /**
   * Asks for the account of a uid, unless that is done already.
   *
   * @param waiter Called once, unless the returned function is called before.
   */
  ask(uid: number, waiter?: AccountWaiter): () => void {
    let pending = this.#pending.get(uid);
    if (pending === undefined) {
      pending = { since: performance.now(), waiters: new Set() };
      this.#pending.set(uid, pending);
      this.#request({ kind: "account", uid });
    }
    const { waiters } = pending;
    if (waiter === undefined) return () => {};
    waiters.add(waiter);
    return () => void waiters.delete(waiter);
  }

  /** For how long the account of a uid has been asked for without an answer, in milliseconds. */
  pendingFor(uid: number): number {
    const pending = this.#pending.get(uid);
    return pending === undefined ? 0 : performance.now() - pending.since;
  }

  /**
   * The addresses of a host as they were known last, with port 0: a name service that fails takes
   * none away. None where there is no such host; null where it was not answered yet.
   */
  addressesOf(host: string): readonly SocketAddress[] | null {
    return this.#hosts.get(host) ?? null;
  }

  /** Why a host has no address, in words. */
  hostProblem(host: string): string {
    return this.#hostProblems.get(host) ?? unknownHost(host);
  }

  /**
   * Asks for the addresses of a host.
   *
   * @param waiter Called once, unless the returned function is called before.
   */
  askHost(host: string, waiter: HostWaiter): () => void {
    const waiters = this.#hostWaiters.get(host) ?? new Set();
    waiters.add(waiter);
    this.#hostWaiters.set(host, waiters);
    if (waiters.size === 1) this.#request({ kind: "host", name: host });
    return () => void waiters.delete(waiter);
  }

  /** Asks again for the addresses of a host that could not be reached. */
  renewHost(host: string): void {
    this.#renew({ kind: "host", name: host });
  }

  #isAnswered(request: LookupRequest): boolean {
    switch (request.kind) {
      case "group":
        return this.#groups.has(request.name);
      case "user":
        return this.#uids.has(request.name);
      case "account":
        return this.account(request.uid) !== null;
      case "host":
        return this.#hosts.has(request.name);
    }
  }

  #updateHost({ name, addresses, problem }: HostResult): void {
    if (problem === null) this.#hosts.set(name, addresses);
    else if (!this.#hosts.has(name)) this.#hosts.set(name, []);
    if (problem === null) this.#hostProblems.delete(name);
    else this.#hostProblems.set(name, problem);
    const waiters = this.#hostWaiters.get(name);
    this.#hostWaiters.delete(name);
    for (const waiter of waiters ?? []) waiter();
  }

  /**
   * @returns Whether its gid is another one than it is now, or than it was known last: also that
   * there is no such group is an answer, and ends the sessions that rest on the last one.
   */
  #updateGroup({ name, gid, problem }: GroupResult): boolean {
    const changed = (this.#groups.get(name) ?? null) !== gid ||
      problem === null && this.#lastGroups.get(name) !== gid;
    this.#groups.set(name, gid);
    if (problem === null) this.#lastGroups.set(name, gid);
    return changed;
  }

  /** @returns Whether the account is another one than it was known to be, or was not known. */
  #updateAccount(result: AccountResult): boolean {
    const { uid, problem } = result;
    const changed = problem === null && (this.account(uid) === null ||
      JSON.stringify(this.#lastAccounts.get(uid)) !== JSON.stringify(result));
    if (problem === null) {
      this.#accounts.set(uid, result);
      this.#lastAccounts.set(uid, result);
      this.#forgetOldest();
    } else if (result.account !== null) this.#accounts.set(uid, result);
    else this.#accounts.delete(uid);
    const pending = this.#pending.get(uid);
    this.#pending.delete(uid);
    for (const waiter of pending?.waiters ?? []) waiter(result);
    return changed;
  }

  #forgetOldest(): void {
    if (this.#lastAccounts.size <= MAX_REMEMBERED + this.#used.size) return;
    for (const [uid, result] of this.#lastAccounts) {
      if (this.#used.has(requestKey(result))) continue;
      this.#lastAccounts.delete(uid);
      return;
    }
  }
}
