/** A kernel that says nothing of changes, as where another machine makes them. */
import { DirectoryWatch } from "../../lib/libc/directory_watch.ts";

/** It is silent until it is disposed of. */
export class SilentKernel implements Disposable {
  readonly #original = Object.getOwnPropertyDescriptor(DirectoryWatch.prototype, "hasChanged")!;

  constructor() {
    Object.defineProperty(DirectoryWatch.prototype, "hasChanged", {
      ...this.#original,
      value: () => false,
    });
  }

  [Symbol.dispose](): void {
    Object.defineProperty(DirectoryWatch.prototype, "hasChanged", this.#original);
  }
}
