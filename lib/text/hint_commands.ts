/**
 * The commands that hints about users name, for a reader at a shell and for one at the console:
 * pure.
 *
 * @module
 */
import { shellWord } from "./shell_word.ts";

/** The commands of one of the two. */
export interface HintCommands {
  /** Lists the users. */
  readonly list: string;
  /** Says what the fields of a user may be. */
  readonly help: string;
  /** Shows a user. */
  show(name: string): string;
  /** Gives a user access. */
  allow(name: string): string;
  /** Takes it away. */
  deny(name: string): string;
  /**
   * Adds a user.
   *
   * @param name Null where it is for the reader to choose.
   * @param access Whether the new user has access.
   */
  add(name: string | null, uid: number, access: boolean): string;
  /** Sets a field of a user. */
  set(name: string, field: string, value: string): string;
  /** Removes a user. */
  remove(name: string): string;
}

/**
 * The commands of a shell.
 *
 * @param flags The flags by which they find the same configuration, such as ` --config FILE`.
 */
export function shellCommands(flags: string): HintCommands {
  const users = (words: string) => `ipcauth users ${words}${flags}`;
  return {
    list: users("list"),
    help: "ipcauth help users",
    show: (name) => users(`show ${shellWord(name)}`),
    allow: (name) => users(`allow ${shellWord(name)}`),
    deny: (name) => users(`deny ${shellWord(name)}`),
    add: (name, uid, access) => {
      const word = name === null ? "NAME" : shellWord(name);
      return users(`add ${word} --uid ${uid}${access ? " --local-ipc-access" : ""}`);
    },
    set: (name, field, value) => users(["set", name, field, value].map(shellWord).join(" ")),
    remove: (name) => users(`remove ${shellWord(name)}`),
  };
}

/** The commands of the console. It splits a line at its blanks, and no user's name holds one. */
export const CONSOLE_COMMANDS: HintCommands = {
  list: "show users",
  help: "help set",
  show: (name) => `show running-config aaa authentication users user ${name}`,
  allow: (name) => `allow ${name}`,
  deny: (name) => `deny ${name}`,
  add: (name, uid, access) =>
    `add user ${name ?? "NAME"} uid ${uid}${access ? " local_ipc_access true" : ""}`,
  set: (name, field, value) => `set user ${name} ${field} ${value}`,
  remove: (name) => `remove user ${name}`,
};
