/**
 * What `ipcauth config` is asked to do, as a value.
 *
 * @module
 */

/** An action on the configuration; none of them changes it. */
export type ConfigAction =
  /** `file` is the operand, or null for the configuration in force. */
  | { readonly verb: "check"; readonly file: string | null }
  | { readonly verb: "show" }
  /** Of no file: what any configuration may hold. */
  | { readonly verb: "schema" };
