/** Whether the kernel has Landlock, which tests of a sandbox need. */
import { landlockVersion } from "../../lib/libc/landlock.ts";

/** False where it has none, or a sandbox around the tests forbids it. */
export const hasLandlock: boolean = (() => {
  try {
    return landlockVersion() > 0;
  } catch {
    return false;
  }
})();
