/** The ends of keys. */
import { ConnectKeyed } from "./connecting.ts";
import { endDenied, type Model, type Real } from "./story.ts";

/** When a key ends: never, at a time of day in milliseconds since the epoch, or in the story. */
export type EndKind = number | "soon" | undefined;

/** After how long a key ends that ends soon, in milliseconds. */
const SOON_MS = 2_000;
/** How long a command takes to write an end, at most, in milliseconds; 20 times the usual time. */
export const COMMAND_MS = 3_000;
/** How much of that is left where the key is used before, in milliseconds. */
const MARGIN_MS = 500;

/**
 * The time that a kind means, in milliseconds since the epoch.
 *
 * @param more How much later an end is that comes soon, in milliseconds.
 */
export function newEnd(kind: EndKind, more = 0): number | undefined {
  return kind === "soon" ? Date.now() + SOON_MS + more : kind;
}

/**
 * Waits until a key has ended, with a session that it has opened before. What has changed beside
 * ends sessions before.
 */
export async function waitForEnd(
  key: string,
  end: number,
  model: Model,
  real: Real,
): Promise<void> {
  await endDenied(model, real);
  if (Date.now() < end - MARGIN_MS) await new ConnectKeyed(key, false, true).run(model, real);
  const left = end - Date.now();
  if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
}
