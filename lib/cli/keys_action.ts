/**
 * What `ipcauth keys` is asked to do, as a value.
 *
 * @module
 */

/** What the flags say about the entry of a key. */
export interface KeyEntry {
  /** `--user NAME`; null for a trusted key. */
  readonly user: string | null;
  /** `--listener ADDRESS`, or null for the only TCP listener. */
  readonly listener: string | null;
  /** `--not-after TIME` in milliseconds since the epoch, or null for never. */
  readonly notAfter: number | null;
}

/** An action on the keys of the TCP listeners. */
export type KeysAction =
  | { readonly verb: "list" }
  | { readonly verb: "add"; readonly file: string; readonly entry: KeyEntry }
  /** `id` is a key id, 16 hexadecimal digits, or the path of a key file with a slash in it. */
  | { readonly verb: "revoke"; readonly id: string; readonly listener: string | null }
  | {
    readonly verb: "rotate";
    readonly id: string;
    readonly listener: string | null;
    readonly notAfter: number | null;
  };
