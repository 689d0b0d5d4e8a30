/**
 * A difference between two configurations on a terminal: pure.
 *
 * @module
 */
import { paint } from "../text/paint.ts";
import type { View } from "../text/view.ts";

/** Lines with `+` or `-` before those that are added or removed, in colours where there are any. */
export function paintDifference(text: string, { color }: View): string {
  return text.replaceAll(
    /^[+-].*$/gm,
    (line) => paint(line, line.startsWith("+") ? "green" : "red", color),
  );
}
