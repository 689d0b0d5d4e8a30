/**
 * What would be decided about somebody who is not here: the same policy, asked with what the name service
 * says of a uid.
 *
 * @module
 */
import { accountByName, accountByUid, groupsOf } from "../libc/ids.ts";
import { decide } from "../policy/decide.ts";
import { explain, type Explanation } from "../policy/explain.ts";
import {
  type AllowList,
  type Decision,
  type HostFacts,
  type UnixPeer,
  UNLIMITED,
} from "../policy/types.ts";
import type { Config } from "./types.ts";

/** The outcome of a survey. */
export interface UserExplanation {
  readonly uid: number;
  readonly name: string | null;
  /** What the users and groups say. */
  readonly decision: Decision;
  readonly explanation: Explanation;
  /** What the listeners with a list of their own say. */
  readonly listeners: readonly {
    readonly listener: string;
    readonly decision: Decision;
    readonly explanation: Explanation;
  }[];
}

/**
 * The uid of a name: of the configuration, or of the name service.
 *
 * @returns Null when neither knows it.
 */
export function uidOf(name: string, config: Config): number | null {
  return config.access.usersByName.get(name)?.uid ?? accountByName(name)?.uid ?? null;
}

/**
 * Asks the policy about a uid.
 *
 * @param flags What the commands of the explanation need, such as ` --config FILE`.
 */
export function explainUser(
  uid: number,
  config: Config,
  hostFacts: HostFacts,
  flags: string,
): UserExplanation {
  const listed = config.access.usersByUid.get(uid);
  const account = accountByUid(uid);
  // Somebody without an account and without a configured group has the group of the same number, as
  // `run-as UID` gives it.
  const gid = account?.gid ?? listed?.gid ?? uid;
  const peer: UnixPeer = {
    credentials: { pid: 0, uid, gid },
    groups: account === null ? [] : groupsOf(account.name, account.gid),
  };
  const name = listed?.name ?? account?.name ?? null;
  const subject = { uid, name, path: config.path, flags };
  const ask = (allow: AllowList | null) => {
    const decision = decide(peer, config.access, allow, hostFacts, UNLIMITED);
    return { decision, explanation: explain(decision, subject) };
  };
  return {
    uid,
    name,
    ...ask(null),
    listeners: (config.listeners ?? []).filter(({ allow }) => allow !== null).map((listener) => ({
      listener: listener.kind === "unix"
        ? `unix:${listener.path}`
        : `tcp:${listener.host}:${listener.port}`,
      ...ask(listener.allow),
    })),
  };
}
