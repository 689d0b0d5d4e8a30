/**
 * The messages between a plane and the thread that reads long configurations.
 *
 * @module
 */
import type { ConfigFile } from "./load.ts";
import type { ReservedId } from "./names.ts";
import type { SentConfig } from "./sent_config.ts";
import type { UsersData } from "./shared_users.ts";
import type { UserChanges } from "./user_changes.ts";

/** A file to be read. */
export interface ReadRequest {
  /** Its number, which the answer has. */
  readonly id: number;
  readonly file: ConfigFile;
  readonly reserved: ReservedId;
  /** The users in force. */
  readonly before: UsersData;
}

/** What was read. */
export type ReadResult = { readonly id: number } & ReadOutcome;

/** What a text means, or what is wrong with it. */
export type ReadOutcome =
  | { readonly kind: "read"; readonly config: SentConfig; readonly changes: UserChanges }
  /** A mistake in the file. */
  | {
    readonly kind: "bad";
    readonly lines: readonly string[];
    readonly exit: number;
    readonly hint: string | undefined;
  }
  /** An error of this program. */
  | { readonly kind: "failed"; readonly message: string };
