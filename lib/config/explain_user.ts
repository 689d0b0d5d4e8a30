/**
 * What the policy would decide about a uid that is not connected, with the groups that the name
 * service has for it.
 *
 * @module
 */
import { hostPortText } from "../libc/inet_address.ts";
import { type Account, accountByName } from "../libc/ids.ts";
import type { KnownNames } from "../names/known_names.ts";
import { decide } from "../policy/decide.ts";
import { type GroupLookup, withAllowedIds, withGroupIds } from "../policy/group_ids.ts";
import { explain, type Explanation } from "../policy/explain.ts";
import {
  type AllowList,
  type Decision,
  type HostFacts,
  type UnixPeer,
  UNLIMITED,
} from "../policy/types.ts";
import type { HintCommands } from "../text/hint_commands.ts";
import type { Config, ListenerConfig } from "./types.ts";

/** The decisions about a uid. */
export interface UserExplanation {
  readonly uid: number;
  readonly name: string | null;
  /** The decision of a listener without an `allow` list. */
  readonly decision: Decision;
  readonly explanation: Explanation;
  /** The decisions of the listeners that have an `allow` list. */
  readonly listeners: readonly {
    /** Such as `unix:/run/db/db.sock`. */
    readonly listener: string;
    readonly decision: Decision;
    readonly explanation: Explanation;
  }[];
}

/**
 * The uid of a name, from the configuration or else the name service.
 *
 * @returns Null when neither has the name.
 * @throws {Error} When the name service cannot be asked.
 */
export function uidOf(name: string, config: Config): number | null {
  return config.access.usersByName.get(name)?.uid ?? accountByName(name)?.uid ?? null;
}

/**
 * Decides about a uid, and explains the decisions.
 *
 * @param names What is known of the uid's account and of the groups that the file names.
 * @param commands The commands that could change them.
 * @param listeners Those whose decisions are wanted; by default those of the file.
 */
export function explainUser(
  uid: number,
  config: Config,
  hostFacts: HostFacts,
  names: KnownNames,
  commands: HintCommands,
  listeners: readonly ListenerConfig[] = config.listeners ?? [],
): UserExplanation {
  const listed = config.access.usersByUid.get(uid);
  const known = names.account(uid);
  const account = known?.account ?? null;
  // A uid without an account and without a configured gid gets the gid of the same number, as in
  // `run-as UID`.
  const gid = account?.gid ?? listed?.gid ?? uid;
  const peer: UnixPeer = {
    credentials: { pid: 0, uid, gid },
    groups: known?.groups ?? null,
  };
  const name = listed?.name ?? accountName(account, config);
  const subject = { uid, name, path: config.path, commands };
  const ask = (list: AllowList | null) => {
    const decision = decideAbout(peer, config, list, hostFacts, names.gidOf);
    return { decision, explanation: explain(decision, subject) };
  };
  return {
    uid,
    name,
    ...ask(null),
    listeners: listeners.filter(({ allow }) => allow !== null).map((listener) => ({
      listener: listener.kind === "unix"
        ? `unix:${listener.path}`
        : `tcp:${hostPortText(listener)}`,
      ...ask(listener.allow),
    })),
  };
}

/**
 * Decides about a peer whose uid and groups are known, at a listener with a list or without one.
 *
 * @param gidOf Finds the groups that the file names.
 */
export function decideAbout(
  peer: UnixPeer,
  config: Config,
  list: AllowList | null,
  hostFacts: HostFacts,
  gidOf: GroupLookup,
): Decision {
  const access = withGroupIds(config.access, gidOf);
  return decide(peer, access, list && withAllowedIds(list, gidOf), hostFacts, UNLIMITED);
}

/**
 * The name of an account, unless a configured user has it: a command about that name would change
 * the user.
 */
function accountName(account: Account | null, { access }: Config): string | null {
  return account === null || access.usersByName.has(account.name) ? null : account.name;
}
