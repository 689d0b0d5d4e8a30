/**
 * The policy, asked with a configuration that is never older than the file on disk.
 *
 * @module
 */
import type { ConfigSource } from "../config/source.ts";
import type { Config, UnixListenerConfig } from "../config/types.ts";
import { decide } from "../policy/decide.ts";
import type { AllowList, Decision, Ground, UnixPeer } from "../policy/types.ts";
import type { Session, Sessions } from "./sessions.ts";

/** Decides about peers, and again about those who are in. */
export class Judge {
  readonly #source: ConfigSource;
  readonly #ground: Ground;
  readonly #sessions: Sessions;

  constructor(source: ConfigSource, ground: Ground, sessions: Sessions) {
    this.#source = source;
    this.#ground = ground;
    this.#sessions = sessions;
  }

  /** Decides about a newcomer. The configuration has to have been refreshed just before. */
  admit(peer: UnixPeer, listener: UnixListenerConfig): Decision {
    const config = this.#source.config;
    return decide(peer, config.access, allowOf(config, listener), this.#ground, {
      connections: this.#sessions.size,
      maxConnections: config.limits.maxConnections,
      connectionsOfUser: peer.credentials === null
        ? Infinity
        : this.#sessions.ofUid(peer.credentials.uid),
      maxConnectionsPerUser: config.limits.maxConnectionsPerUser,
    });
  }

  /** Decides about someone who is in, as if there were always room. */
  review({ facts }: Session): Decision {
    const config = this.#source.config;
    return decide(facts.peer, config.access, allowOf(config, facts.door), this.#ground, {
      connections: 0,
      maxConnections: Infinity,
      connectionsOfUser: 0,
      maxConnectionsPerUser: Infinity,
    });
  }
}

/**
 * The `allow:` list that is in force for a listener now. One that is not in the file (any more) keeps
 * the list it was opened with.
 */
function allowOf(config: Config, listener: UnixListenerConfig): AllowList | null {
  for (const candidate of config.listeners ?? []) {
    if (candidate.kind === "unix" && candidate.path === listener.path) return candidate.allow;
  }
  return listener.allow;
}
