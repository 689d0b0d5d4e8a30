/** What must hold after each change of a story. */
import { Connect, ConnectKeyed } from "./connecting.ts";
import {
  decideWithPlace,
  endDenied,
  KEYS,
  type Model,
  PEERS,
  type Real,
  revocationOf,
} from "./story.ts";

/** One connection of everyone, and with each key. */
export function everyone(): (Connect | ConnectKeyed)[] {
  return [
    ...PEERS.flatMap((peer) =>
      (["open", "narrow"] as const).map((listener) => new Connect(peer, listener, false))
    ),
    ...KEYS.map((key) => new ConnectKeyed(key, false, false)),
  ];
}

/**
 * After a change: the next decision about everyone is the new one, and what must end has ended.
 * Whether there is a place for a new one is known when it has.
 */
export async function settle(model: Model, real: Real): Promise<void> {
  const isEnding = model.open.some((session) => revocationOf(model, session) !== null);
  const isFirst = (one: Connect | ConnectKeyed) =>
    !isEnding || !decideWithPlace(model, one.origin(model, real)).allow;
  const connects = everyone().filter((one) => one.check(model));
  for (const connect of connects.filter(isFirst)) await connect.run(model, real);
  await endDenied(model, real);
  for (const connect of connects.filter((one) => !isFirst(one))) await connect.run(model, real);
}
