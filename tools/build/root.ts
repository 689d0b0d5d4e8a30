/** Where the sources are, and where builds are written. */
import { fromFileUrl, join } from "@std/path";

/** The directory of the sources. */
export const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** The directory of everything that is built. */
export const DIST = join(ROOT, "dist");
