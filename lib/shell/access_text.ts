/**
 * A decision about a uid as text: of the console's `check` and of `ipcauth users check`. Pure.
 *
 * @module
 */
import type { AccessRecord } from "../service/console/protocol.ts";
import { wrapWords } from "../text/cell_width.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { markOf, paintMark } from "../text/paint.ts";
import { PLAIN, type View } from "../text/view.ts";

/**
 * Whether a uid has access, by which rule and line, and what would change it. Listeners are named
 * only where their own lists change the decision.
 */
export function accessText(access: AccessRecord, { columns, color }: View = PLAIN): string {
  const { uid, user, allow, rule, detail, what, where, change, listeners } = access;
  const peer = `uid ${uid}${user === null ? "" : ` (${user})`}`;
  const verdict = `${peer} would be ${allow ? "let in" : "refused"}: ${rule}${
    detail === null ? "" : `, ${detail}`
  }`;
  const entry = [what, where].filter((part) => part !== null).join(", ");
  const lines = [
    color ? `${markOf(allow)} ${verdict}` : verdict,
    ...where === null ? [] : [`  decided by ${entry}`],
    ...change === null ? [] : [`  to change it: ${change}`],
    ...listeners.filter((one) => one.allow !== allow)
      .map((one) => `  but not on ${one.listener}: ${one.rule}, ${one.where}`),
  ];
  const text = lines.map((line) => wrapWords(escapeForTerminal(line), columns, "    ") + "\n").join(
    "",
  );
  return color ? paintMark(allow) + text.slice(markOf(allow).length) : text;
}
