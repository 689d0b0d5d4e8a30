/**
 * The users of a long configuration in memory that threads share.
 *
 * A hundred thousand users as objects take a thread a tenth of a second when they arrive, and its
 * garbage collector as long again. Here they are a few arrays, and an object is made of a user that
 * is asked for.
 *
 * @module
 */
import type { AccessTable, Group, Position, User, UserList, UserLookup } from "../policy/types.ts";
import { looksOf } from "./name_looks.ts";
import {
  type NamesData,
  searchOrder,
  SharedNames,
  sharedNumbers,
  sharedOrder,
} from "./shared_names.ts";
import { FoundPosition, type PlaceLookup } from "./found_position.ts";

/** The memory of {@linkcode SharedUsers}, as it is sent to a thread. */
export interface UsersData {
  readonly names: NamesData;
  /** What the names look like: {@linkcode looksOf}. */
  readonly looks: NamesData;
  /** Numbers of 32 bits, as the two that follow. */
  readonly uids: SharedArrayBuffer;
  readonly gids: SharedArrayBuffer;
  /** The users' indexes in the order of their uids. */
  readonly byUid: SharedArrayBuffer;
  /** A byte for each user, of the bits below. */
  readonly flags: SharedArrayBuffer;
}

/** Stands for no gid: `(gid_t) -1`, which is none. */
const NO_GID = 0xffff_ffff;

const LOCAL_IPC_ACCESS = 1;
const ADMIN = 2;
/** The file says `local_ipc_access` of the user, so that it has a place. */
const ACCESS_IS_WRITTEN = 4;

/** Writes users to memory that threads share. */
export function usersData(users: UserList): UsersData {
  if (users instanceof SharedUsers) return users.memory;
  const all = [...users];
  const uids = sharedNumbers(all.length);
  const gids = sharedNumbers(all.length);
  const flags = new Uint8Array(new SharedArrayBuffer(all.length));
  for (const [index, { uid, gid, localIpcAccess, admin, at, accessAt }] of all.entries()) {
    uids[index] = uid;
    gids[index] = gid ?? NO_GID;
    flags[index] = (localIpcAccess ? LOCAL_IPC_ACCESS : 0) | (admin ? ADMIN : 0) |
      (isSamePlace(at, accessAt) ? 0 : ACCESS_IS_WRITTEN);
  }
  return {
    names: SharedNames.dataOf(all.map(({ name }) => name)),
    looks: SharedNames.dataOf(all.flatMap(({ name }) => looksOf(name))),
    uids: uids.buffer,
    gids: gids.buffer,
    byUid: sharedOrder(all.length, (one, other) => uids[one]! - uids[other]!).buffer,
    flags: flags.buffer,
  };
}

/** Places that are found when they are asked for have keys, by which they are compared. */
function isSamePlace(one: Position, other: Position): boolean {
  if (one instanceof FoundPosition && other instanceof FoundPosition) return one.key === other.key;
  return one.line === other.line && one.column === other.column;
}

/**
 * Finds places in a text until it is no longer in force: a session keeps its user, and must not
 * keep the text. A `WeakRef` would: its target lives until the end of the job that made it
 * (ECMAScript, `AddToKeptObjects`), and the loop of a data plane is one job.
 */
class HeldText {
  #find: PlaceLookup | null;
  readonly find: PlaceLookup = (key) => this.#find?.(key) ?? { line: 1, column: 1 };

  constructor(find: PlaceLookup) {
    this.#find = find;
  }

  release(): void {
    this.#find = null;
  }
}

/** A list of users without an object for each. */
export class SharedUsers implements UserList {
  readonly memory: UsersData;
  readonly #names: SharedNames;
  readonly #uids: Uint32Array;
  readonly #gids: Uint32Array;
  readonly #byUid: Uint32Array;
  readonly #flags: Uint8Array;
  readonly #text: HeldText;

  /** @param find Finds places in the text of the file. */
  constructor(memory: UsersData, find: PlaceLookup) {
    this.memory = memory;
    this.#names = new SharedNames(memory.names);
    this.#uids = new Uint32Array(memory.uids);
    this.#gids = new Uint32Array(memory.gids);
    this.#byUid = new Uint32Array(memory.byUid);
    this.#flags = new Uint8Array(memory.flags);
    this.#text = new HeldText(find);
  }

  /** The text is no longer in force: of users that are in use still, no place is found any more. */
  releaseText(): void {
    this.#text.release();
  }

  get length(): number {
    return this.#uids.length;
  }

  at(index: number): User | undefined {
    const position = index < 0 ? this.length + index : index;
    const uid = this.#uids[position];
    if (uid === undefined) return undefined;
    const gid = this.#gids[position]!;
    const bits = this.#flags[position]!;
    const at = new FoundPosition(this.#text.find, `users[${position}]`);
    return {
      name: this.#names.at(position),
      uid,
      gid: gid === NO_GID ? null : gid,
      localIpcAccess: (bits & LOCAL_IPC_ACCESS) !== 0,
      admin: (bits & ADMIN) !== 0,
      at,
      accessAt: (bits & ACCESS_IS_WRITTEN) === 0
        ? at
        : new FoundPosition(this.#text.find, `users[${position}].local_ipc_access`),
    };
  }

  *[Symbol.iterator](): ArrayIterator<User> {
    for (let index = 0; index < this.length; index++) yield this.at(index)!;
    return undefined;
  }

  map<T>(to: (user: User, index: number, all: User[]) => T): T[] {
    return [...this].map(to);
  }

  filter(matches: (user: User, index: number, all: User[]) => unknown): User[] {
    return [...this].filter(matches);
  }

  findIndex(matches: (user: User, index: number, all: User[]) => unknown): number {
    return [...this].findIndex(matches);
  }

  /** Whether the user of an index is the same as that of an index in another list. */
  isSame(index: number, others: SharedUsers, other: number): boolean {
    const access = LOCAL_IPC_ACCESS | ADMIN;
    return this.#uids[index] === others.#uids[other] &&
      this.#gids[index] === others.#gids[other] &&
      (this.#flags[index]! & access) === (others.#flags[other]! & access) &&
      this.#names.isSame(index, others.#names, other);
  }

  /** The user of a name. */
  byName(name: string): User | undefined {
    const index = this.#names.indexOf(name);
    return index < 0 ? undefined : this.at(index);
  }

  /** The user of a uid. */
  byUid(uid: number): User | undefined {
    const index = searchOrder(this.#byUid, (one) => this.#uids[one]! - uid);
    return index < 0 ? undefined : this.at(index);
  }

  *names(): Generator<string> {
    for (let index = 0; index < this.length; index++) yield this.#names.at(index);
  }

  *uids(): Generator<number> {
    yield* this.#uids;
  }
}

/** The users and groups of a configuration whose users are in shared memory. */
export function sharedAccess(
  memory: UsersData,
  groups: readonly Group[],
  find: PlaceLookup,
): AccessTable {
  const users = new SharedUsers(memory, find);
  const looks = new SharedNames(memory.looks);
  const usersByUid: UserLookup<number> = {
    get: (uid) => users.byUid(uid),
    has: (uid) => users.byUid(uid) !== undefined,
    keys: () => users.uids(),
  };
  const usersByName: UserLookup<string> = {
    get: (name) => users.byName(name),
    has: (name) => users.byName(name) !== undefined,
    keys: () => users.names(),
  };
  return {
    users,
    usersByUid,
    usersByName,
    looks: { has: (look) => looks.indexOf(look) >= 0 },
    groups,
  };
}
