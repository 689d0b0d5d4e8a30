/** Which maps get an entry: for tests of what stays behind. */

/** The maps that get an entry while an action runs. */
export function mapsFilledBy(action: () => void): ReadonlySet<ReadonlyMap<unknown, unknown>> {
  const maps = new Set<Map<unknown, unknown>>();
  const { set } = Map.prototype;
  Map.prototype.set = function (key, value) {
    maps.add(this);
    return set.call(this, key, value);
  };
  try {
    action();
  } finally {
    Map.prototype.set = set;
  }
  return maps;
}
