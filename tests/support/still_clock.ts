/** The clock of this thread that stands still: what is due comes when a test says so. */

/** As much as the time stamps of files may lag: from here on a change has another one. */
const STAMP_MS = 1_000;

/** Lets `performance.now()` stand still, until it is disposed of. */
export class StillClock implements Disposable {
  readonly #original = performance.now;
  // Whole milliseconds, whose sums are exact.
  #now = Math.ceil(performance.now());

  constructor() {
    performance.now = () => this.#now;
  }

  /**
   * Goes on by some milliseconds. After a second or more, the next change of a file has another
   * time stamp than the last one, as it would have then.
   */
  pass(ms: number): void {
    if (ms >= STAMP_MS) awaitNextStamp();
    this.#now += ms;
  }

  [Symbol.dispose](): void {
    performance.now = this.#original;
  }
}

/** Waits for the clock of time stamps, which goes on every few milliseconds. */
function awaitNextStamp(): void {
  const path = Deno.makeTempFileSync();
  const stamp = () => {
    Deno.writeTextFileSync(path, "x");
    return Deno.statSync(path).mtime!.getTime();
  };
  const first = stamp();
  while (stamp() === first);
  Deno.removeSync(path);
}
