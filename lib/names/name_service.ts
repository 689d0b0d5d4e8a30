/**
 * The name service as a running server uses it: names and uids in use, asked again and again in
 * threads of their own. No caller waits for an answer that may not come.
 *
 * @module
 */
import { sinceBoot } from "../libc/clock.ts";
import { unknownHost } from "../libc/inet_address.ts";
import type { WorkerThread } from "../reactor/worker_thread.ts";
import { LookupScheduler } from "./lookup_scheduler.ts";
import {
  type LookupRequest,
  type LookupResult,
  type MissingName,
  requestKey,
  unknown,
} from "./results.ts";

/** How the name service is used. */
export interface NameServiceOptions {
  /** Starts a thread that asks. */
  readonly start: () => WorkerThread;
  /** How old an answer may be, in milliseconds. */
  readonly refreshMs: () => number;
  /** Logs that there is no answer, or none that is known. */
  readonly report: (missing: MissingName) => void;
}

/** How often answers are checked for their age, at most, in milliseconds. */
const MAX_CHECK_INTERVAL_MS = 1_000;
/** How old the addresses of a host may be, whatever the configuration says, in milliseconds. */
const MAX_HOST_REFRESH_MS = 30_000;
/** How often a host that cannot be reached is asked for, at most, in milliseconds. */
const MIN_RENEW_INTERVAL_MS = 1_000;

/** How many answers are asked for again at the same moment, however few there are. */
const MIN_SHARE = 8;

interface Entry {
  readonly request: LookupRequest;
  /** What was posted last; null before the first answer. */
  result: LookupResult | null;
  /** When the question was asked last, on the clock of `sinceBoot()`. */
  askedAt: number;
  /** When the question of the last answer that said something was asked. */
  knownAt: number;
  pending: boolean;
  /** Whether to ask again after the pending answer, which may be older than what is wanted. */
  again: boolean;
  /** Whether the configuration needs it; if not, it is kept as long as an answer may be old. */
  used: boolean;
  readonly waiters: ((result: LookupResult) => void)[];
}

/**
 * Keeps the answers that are in use fresh. An answer is asked for again after half of `refresh`,
 * and is not known any more when it is older than `refresh`.
 */
export class NameService {
  readonly #options: NameServiceOptions;
  readonly #scheduler: LookupScheduler;
  readonly #entries = new Map<string, Entry>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  /** Until when what was posted may be used, unless more is said; on the clock of `sinceBoot()`. */
  #freshUntil = Infinity;
  /** A check after this time is so late that the process has stood still, or the machine slept. */
  #lateAt = Infinity;
  /** When that was seen last. */
  #caughtUpAt = -Infinity;
  /** Receives what has changed, and what was asked for; and until when all of it may be used. */
  onChange: (results: readonly LookupResult[], freshUntil: number) => void = () => {};

  constructor(options: NameServiceOptions) {
    this.#options = options;
    this.#scheduler = new LookupScheduler(options.start, (result) => this.#onResult(result));
  }

  /** What the configuration in force needs. */
  get used(): readonly LookupRequest[] {
    return [...this.#entries.values()].flatMap(({ used, request }) => used ? [request] : []);
  }

  /** Sets what the configuration in force needs. */
  use(requests: readonly LookupRequest[]): void {
    const before = new Set([...this.#entries.values()].filter(({ used }) => used));
    for (const entry of before) entry.used = false;
    const known: LookupResult[] = [];
    for (const request of requests) {
      const entry = this.#entryOf(request);
      entry.used = true;
      if (entry.result === null) this.#ask(entry, true);
      else if (!before.has(entry)) {
        this.#report(entry, null, entry.result);
        known.push(entry.result);
      }
    }
    // What was in use before is known where it is used: each answer was posted.
    if (known.length > 0) this.#post(known);
    this.#schedule();
  }

  /** Asks for something that a connection needs, and posts the answer. */
  ask(request: LookupRequest): void {
    this.#catchUp();
    const entry = this.#entryOf(request);
    if (entry.result !== null && entry.result.problem === null) this.#post([entry.result]);
    else this.#ask(entry, true);
    this.#schedule();
  }

  /** Asks again for a host that could not be reached; its addresses may be others by now. */
  renew(request: LookupRequest): void {
    const entry = this.#entryOf(request);
    if (sinceBoot() - entry.askedAt >= MIN_RENEW_INTERVAL_MS) this.#ask(entry, true);
    this.#schedule();
  }

  /**
   * Waits for an answer.
   *
   * @param timeoutMs How long, in milliseconds.
   */
  find(request: LookupRequest, timeoutMs: number): Promise<LookupResult> {
    this.#catchUp();
    const entry = this.#entryOf(request);
    const { result } = entry;
    if (result !== null && result.problem === null) return Promise.resolve(result);
    this.#ask(entry, true);
    this.#schedule();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        // Said, when it was never known.
        if (entry.result === null) this.#settle(entry, unanswered(request));
        resolve(unanswered(request));
      }, timeoutMs);
      entry.waiters.push((answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
    });
  }

  /** The gid of a group name; null where it is not known now, or there is no such group. */
  gidOf(name: string): number | null {
    const result = this.#entries.get(requestKey({ kind: "group", name }))?.result;
    return result?.kind === "group" ? result.gid : null;
  }

  /** The answers that are known, for a data plane that starts. */
  get known(): readonly LookupResult[] {
    return [...this.#entries.values()].flatMap(({ result }) => result === null ? [] : [result]);
  }

  /** Asks everything again, for a SIGHUP. */
  refresh(): void {
    for (const entry of this.#entries.values()) {
      if (entry.pending) entry.again = true;
      else this.#ask(entry);
    }
  }

  /** Ends the timer. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #entryOf(request: LookupRequest): Entry {
    const key = requestKey(request);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = {
        request,
        result: null,
        askedAt: -Infinity,
        knownAt: -Infinity,
        pending: false,
        again: false,
        used: false,
        waiters: [],
      };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  /** @param isUrgent Whether something waits for the answer. */
  #ask(entry: Entry, isUrgent = false): void {
    if (entry.pending) return;
    entry.pending = true;
    entry.again = false;
    entry.askedAt = sinceBoot();
    this.#scheduler.add(entry.request, isUrgent);
  }

  #onResult(result: LookupResult): void {
    this.#catchUp();
    const entry = this.#entries.get(requestKey(result));
    if (entry === undefined) return;
    entry.pending = false;
    if (says(result)) entry.knownAt = entry.askedAt;
    if (says(result) && isBounded(result)) {
      const until = this.#endOf(entry);
      // An answer that took so long says what was true too long ago.
      const isOld = sinceBoot() - entry.knownAt > this.#refreshOf(result);
      if (isOld) return entry.again ? this.#ask(entry) : this.#check();
      this.#freshUntil = Math.min(this.#freshUntil, until);
    }
    this.#settle(entry, result);
    if (entry.again) this.#ask(entry);
  }

  /** Takes an answer over, and posts it where it is another one. */
  #settle(entry: Entry, result: LookupResult): void {
    const before = entry.result;
    entry.result = result;
    for (const waiter of entry.waiters.splice(0)) waiter(result);
    const isSame = JSON.stringify(before) === JSON.stringify(result);
    if (!isSame) this.#report(entry, before, result);
    // A connection may wait for an account or a host, even for the same answer.
    if (!isSame || ["account", "host"].includes(result.kind)) this.#post([result]);
  }

  #post(results: readonly LookupResult[]): void {
    this.onChange(results, this.#freshUntil);
  }

  /** When an answer is too old, as the next check sees, even one that is as late again. */
  #endOf({ request, knownAt }: Entry): number {
    return knownAt + this.#refreshOf(request) + 2 * this.#interval;
  }

  /** How old an answer may be, in milliseconds. */
  #refreshOf({ kind }: LookupRequest): number {
    const configured = this.#options.refreshMs();
    return kind === "host" ? Math.min(configured, MAX_HOST_REFRESH_MS) : configured;
  }

  /** Says until when the answers may be used, where that is another time than was said last. */
  #postEnd(): void {
    let until = Infinity;
    for (const entry of this.#entries.values()) {
      const { result } = entry;
      if (result === null || !says(result) || !isBounded(result)) continue;
      until = Math.min(until, this.#endOf(entry));
    }
    if (until === this.#freshUntil) return;
    this.#freshUntil = until;
    this.#post([]);
  }

  /**
   * Asks for all that has become too old while nothing was checked: the process was stopped, or the
   * machine slept. The name service has not failed, and who uses the answers has seen their end.
   */
  #catchUp(): void {
    const now = sinceBoot();
    if (now <= this.#lateAt) return;
    this.#caughtUpAt = now;
    this.#lateAt = now + 2 * this.#interval;
    for (const entry of this.#entries.values()) {
      const { request, result } = entry;
      if (!isBounded(request)) continue;
      if (entry.pending && now - entry.askedAt > this.#refreshOf(request)) entry.again = true;
      if (result === null || !says(result) || now <= this.#endOf(entry)) continue;
      entry.result = null;
      if (entry.used) this.#ask(entry, true);
    }
    this.#postEnd();
  }

  #report(entry: Entry, before: LookupResult | null, result: LookupResult): void {
    if (!entry.used) return;
    if (result.problem === null) {
      const missing = absenceOf(result);
      if (missing !== null) this.#options.report({ request: entry.request, ...missing });
      return;
    }
    // Said once until it is known again. One user of many stands for all of them.
    if (before !== null && before.problem !== null || this.#othersFail(entry)) return;
    const consequence = result.kind === "host"
      ? "the addresses that were known last are used, if there are any"
      : "connections that depend on it are refused, open sessions go on";
    this.#options.report({
      request: entry.request,
      sentence: `The name service does not know ${subjectOf(result)}: ${result.problem}; ` +
        consequence,
      hint: null,
    });
  }

  /** Whether the answer about another user has a problem already. */
  #othersFail({ request }: Entry): boolean {
    if (request.kind !== "account") return false;
    for (const other of this.#entries.values()) {
      if (other.request === request || other.request.kind !== "account") continue;
      if (other.result !== null && other.result.problem !== null) return true;
    }
    return false;
  }

  #schedule(): void {
    if (this.#timer !== null || this.#entries.size === 0) return;
    this.#lateAt = sinceBoot() + 2 * this.#interval;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#check();
      this.#schedule();
    }, this.#interval);
  }

  /** How often answers are checked, in milliseconds. */
  get #interval(): number {
    return Math.min(MAX_CHECK_INTERVAL_MS, this.#options.refreshMs() / 8);
  }

  /**
   * How many answers are asked for again in one check, at most: all of them within a quarter of
   * `refresh`. So many names are asked one after another, and not all at the same moment.
   */
  get #share(): number {
    const checks = this.#options.refreshMs() / 4 / this.#interval;
    return Math.max(MIN_SHARE, Math.ceil(this.#entries.size / checks));
  }

  /** Asks what is due, and drops what is too old. */
  #check(): void {
    this.#catchUp();
    const now = sinceBoot();
    let share = this.#share;
    for (const [key, entry] of this.#entries) {
      const { request, result } = entry;
      const refresh = this.#refreshOf(request);
      const isOld = now - entry.knownAt > refresh;
      if (isOld && result !== null && says(result)) {
        this.#settle(entry, unanswered(request));
      }
      const since = Math.max(entry.askedAt, this.#caughtUpAt);
      const isLate = entry.pending && now - since > refresh;
      if (isLate && result === null) this.#settle(entry, unanswered(request));
      if (entry.used) {
        if (now - entry.askedAt < refresh / 2 || entry.pending || share === 0) continue;
        share--;
        this.#ask(entry);
      } else if (isOld && !entry.pending) this.#entries.delete(key);
    }
    this.#postEnd();
  }
}

/** Whether an answer says something, if only the name of an account. */
function says(result: LookupResult): boolean {
  return result.problem === null || result.kind === "account" && result.account !== null;
}

/** Whether an answer may be too old: the addresses of a host are used until there are others. */
function isBounded({ kind }: LookupRequest): boolean {
  return kind !== "host";
}

function unanswered(request: LookupRequest): LookupResult {
  return unknown(request, "it does not answer");
}

/** What to say of an answer that there is no such entry; null where there is one. */
export function absenceOf(result: LookupResult): Omit<MissingName, "request"> | null {
  switch (result.kind) {
    case "host":
      if (result.addresses.length > 0) return null;
      return {
        sentence: `Connections to the host "${result.name}" are refused for now: ` +
          unknownHost(result.name),
        hint: null,
      };
    case "group":
      if (result.gid !== null) return null;
      return {
        sentence: `This machine knows no group "${result.name}": no peer is in it`,
        hint: "give its gid: groups: [{ name: NAME, gid: N }]",
      };
    case "user":
      if (result.account !== null) return null;
      return {
        sentence: `This machine knows no user "${result.name}": ` +
          "no backend is accepted that would run as it",
        hint: "name the account that the backend runs as: ps -o user= -C PROGRAM",
      };
    case "account":
      return null;
  }
}

function subjectOf(result: LookupResult): string {
  switch (result.kind) {
    case "group":
      return `the gid of the group "${result.name}"`;
    case "account":
      return `the account and the groups of uid ${result.uid}`;
    case "user":
      return `the account "${result.name}"`;
    case "host":
      return `the addresses of the host "${result.name}"`;
  }
}
