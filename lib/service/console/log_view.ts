/**
 * The method that shows the last lines of the log: who may read which.
 *
 * @module
 */
import { fieldsOfLine } from "../../log/line_fields.ts";
import type { RecentResult } from "../../log/recent_log.ts";
import type { AccessTable } from "../../policy/types.ts";
import { isAdministrator } from "./edit_permission.ts";
import type { Method } from "./method.ts";
import type { Params } from "./params.ts";
import type { Caller } from "./session.ts";

/** The events that only an administrator or a trusted peer reads of others. */
const PRIVATE: ReadonlySet<unknown> = new Set(["stderr", "error"]);
/** The fields of others that only an administrator or a trusted peer reads. */
const PRIVATE_PEER: ReadonlySet<string> = new Set(["exe", "program"]);

/** What the method reads. */
export interface LogViewOptions {
  /** The lines of the log from a position on. */
  recentLog(after: number): RecentResult;
  readonly access: () => AccessTable;
}

/** `log.list`. */
export function logMethod({ recentLog, access }: LogViewOptions): Method {
  return {
    writes: false,
    params: ["user", "denied", "last", "after"],
    run: (params: Params, caller: Caller) => {
      const { lines, next, dropped } = recentLog(params.has("after") ? params.whole("after") : 0);
      const user = params.has("user") ? params.text("user") : null;
      const denied = params.flag("denied");
      const last = params.has("last") ? params.count("last") : Infinity;
      const isOpen = caller.trusted || isAdministrator(caller, access());
      const wanted: Record<string, unknown>[] = [];
      // From the end, so that no more is read than is wanted.
      for (let at = lines.length - 1; at >= 0 && wanted.length < last; at--) {
        const fields = fieldsOfLine(lines[at]!);
        if (fields === null || denied && !isRefusal(fields)) continue;
        if (user !== null && fields.user !== user) continue;
        const shown = isOpen ? fields : openFields(fields, caller.welcome.user);
        if (shown !== null) wanted.push(shown);
      }
      return { lines: wanted.reverse(), next, dropped };
    },
  };
}

function isRefusal({ event }: Record<string, unknown>): boolean {
  return event === "deny" || event === "revoke";
}

/** What a user reads of a line; null where that is nothing. */
function openFields(
  fields: Record<string, unknown>,
  own: string,
): Record<string, unknown> | null {
  if (fields.user === own) return fields;
  if (PRIVATE.has(fields.event)) return null;
  const { key: _key, ...shown } = fields;
  const { peer } = shown;
  if (typeof peer !== "object" || peer === null) return shown;
  const open = Object.entries(peer).filter(([name]) => !PRIVATE_PEER.has(name));
  return { ...shown, peer: Object.fromEntries(open) };
}
