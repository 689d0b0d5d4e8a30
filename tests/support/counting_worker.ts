/** A thread that counts in shared memory, for `tests/reactor/shared_counts_test.ts`. */
import { SharedCounts } from "../../lib/reactor/shared_counts.ts";
import { SharedLock } from "../../lib/reactor/shared_lock.ts";

/** What a thread is started with. */
export interface CountingOptions {
  readonly lock: SharedArrayBuffer;
  readonly counts: SharedArrayBuffer;
  readonly rounds: number;
  readonly keys: number;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<CountingOptions>) => void;
  postMessage(message: string): void;
};

scope.onmessage = ({ data: { lock: lockMemory, counts: countsMemory, rounds, keys } }) => {
  const lock = new SharedLock(lockMemory);
  const counts = new SharedCounts(countsMemory);
  for (let round = 0; round < rounds; round++) {
    for (let key = 0; key < keys; key++) {
      lock.run(() => counts.add(key % 3, key));
      // What is given back leaves the counts of the others where they are found.
      lock.run(() => counts.add(9, key));
      lock.run(() => counts.subtract(9, key));
    }
  }
  scope.postMessage("done");
};
