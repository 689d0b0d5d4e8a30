/**
 * Names of the name service beside the names of a configuration: pure.
 *
 * @module
 */
import type { AccessTable } from "../policy/types.ts";
import { looksOf } from "./name_looks.ts";
import { nameProblem } from "./names.ts";

const ROOT_LOOKS = looksOf("root");

/**
 * The names that stand for users already. A uid without an entry may have an account of one of
 * these names, or of one that looks like it; a reader of that name would take it for the user.
 */
export class ConfiguredNames {
  readonly #looks: Pick<ReadonlySet<string>, "has">;

  /** @param access The configured users. The name root is taken without an entry. */
  constructor(access: AccessTable) {
    this.#looks = access.looks ?? new Set(access.usersByName.keys().flatMap(looksOf));
  }

  /** Whether an account's name may stand for a uid that has no entry. */
  isFree(name: string): boolean {
    if (nameProblem(name, "user") !== null) return false;
    return !looksOf(name).some((look) => ROOT_LOOKS.includes(look) || this.#looks.has(look));
  }
}
