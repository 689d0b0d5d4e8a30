/**
 * Times for a person: pure, but for the time zone of the process.
 *
 * @module
 */

/** A moment in the local time zone, such as `2026-11-26 18:03:12`. @param time In milliseconds. */
export function localTime(time: number): string {
  const moment = new Date(time);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = [moment.getFullYear(), two(moment.getMonth() + 1), two(moment.getDate())].join("-");
  const clock = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(two).join(":");
  return `${day} ${clock}`;
}

/** A duration in its two largest units, such as `2 h 13 min`. @param seconds From 0. */
export function durationOf(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const units = [["d", 86_400], ["h", 3_600], ["min", 60], ["s", 1]] as const;
  let left = whole;
  const parts = units.map(([unit, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return { count, text: `${count} ${unit}` };
  });
  const first = parts.findIndex(({ count }) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(({ count }) => count > 0).map(({ text }) => text)
    .join(" ");
}
