/**
 * `ipcauth groups`: list, explain and edit the groups of the configuration.
 *
 * @module
 */
import { addGroup, removeGroup, requireGroup, setGroupField } from "../config/edit_groups.ts";
import type { FileContext } from "../config/verified_edit.ts";
import { ExitCode, Failure } from "../errors.ts";
import { lookUp } from "../names/lookup.ts";
import { parseId } from "../policy/id.ts";
import type { Group } from "../policy/types.ts";
import { escapeForTerminal } from "../text/escape.ts";
import { didYouMean } from "../text/nearest.ts";
import { shellWord } from "../text/shell_word.ts";
import { tableText } from "../text/table.ts";
import type { View } from "../text/view.ts";
import type { Context } from "./context.ts";
import { writeEdit } from "./file_edit.ts";
import {
  type GroupsAction,
  type GroupsEdit,
  isGroupsEdit,
  wordsOfGroupsEdit,
} from "./groups_action.ts";
import { UsersConfig } from "./users_config.ts";
import { jsonLine } from "./users_report.ts";

/**
 * Runs an action.
 *
 * @param json Whether the answer is JSON instead of text for a terminal.
 * @returns 0; for `check`, 77 when the answer is a denial.
 * @throws {Failure} When it cannot be done; the codes are those of the action. Nothing is changed
 * then.
 */
export async function groups(
  action: GroupsAction,
  json: boolean,
  context: Context,
): Promise<ExitCode> {
  const config = new UsersConfig(context);
  if (isGroupsEdit(action)) {
    const { group, sentence } = await editGroup(action, config, context);
    context.out(json ? jsonLine(record(group)) : `${escapeForTerminal(sentence)}\n`);
    return ExitCode.ok;
  }
  switch (action.verb) {
    case "list": {
      const { groups } = config.load().access;
      context.out(json ? jsonLine(groups.map(record)) : groupsTable(groups, context.view()));
      return ExitCode.ok;
    }
    case "show": {
      const { group } = requireGroup(action.name, config.load(), config);
      const fields = Object.entries(record(group));
      const lines = fields.map(([field, value]) => `${field}: ${value ?? "-"}\n`).join("");
      context.out(json ? jsonLine(record(group)) : lines);
      return ExitCode.ok;
    }
    case "check":
      return checkGroup(action.who, config, json, context);
  }
}

/** A group as JSON: the names are those of the file, and a gid that is left out is null. */
function record({ name, gid, localIpcAccess }: Group): Record<string, unknown> {
  return { name, gid, local_ipc_access: localIpcAccess };
}

function groupsTable(groups: readonly Group[], view: View): string {
  const rows = groups.map(({ name, gid, localIpcAccess }) => [
    escapeForTerminal(name),
    String(gid ?? "-"),
    localIpcAccess,
  ]);
  return tableText({ head: ["NAME", "GID", "LOCAL_IPC_ACCESS"], rows }, view);
}

/** Edits a group. @returns The group after the edit; a removed one as it was before. */
async function editGroup(
  edit: GroupsEdit,
  config: UsersConfig,
  context: Context,
): Promise<{ readonly group: Group; readonly sentence: string }> {
  const { name } = edit;
  const write = (change: (text: string, at: FileContext) => string) =>
    writeEdit(wordsOfGroupsEdit(edit), config, context, change);
  const find = () => requireGroup(name, config.load(), config).group;
  switch (edit.verb) {
    case "add": {
      const { path } = await write((text, at) => addGroup(text, edit, at));
      const group = find();
      if (gidOf(group) === null) context.err(unknownGroup(name, config));
      const access = edit.localIpcAccess
        ? ""
        : `; its members are denied: ipcauth groups allow ${shellWord(name)}${config.flags} ` +
          "lets them in";
      return { group, sentence: `added the group ${name} to ${path}${access}` };
    }
    case "remove": {
      // Read first: the answer is the group as it was.
      const group = find();
      const { path } = await write((text, at) => removeGroup(text, name, at));
      return { group, sentence: `removed the group ${name} from ${path}` };
    }
    default: {
      const { field, value } = edit.verb === "set"
        ? edit
        : { field: "local_ipc_access", value: String(edit.verb === "allow") };
      const { path, changed } = await write((text, at) =>
        setGroupField(text, name, field, value, at)
      );
      return {
        group: find(),
        sentence: changed
          ? `group ${name}: ${field} is now ${value} in ${path}`
          : `group ${name}: ${field} is ${value} already in ${path}`,
      };
    }
  }
}

function unknownGroup(name: string, { flags }: UsersConfig): string {
  return `ipcauth: warning: this machine knows no group ${JSON.stringify(name)}: ` +
    "no peer is in it\n" +
    `hint: ipcauth groups set ${shellWord(name)} gid GID${flags}\n`;
}

/** The gid of a group, of the file or of the name service; null where neither has one. */
function gidOf({ name, gid }: Pick<Group, "name" | "gid">): number | null {
  if (gid !== null) return gid;
  const answer = lookUp({ kind: "group", name });
  if (answer.problem !== null) {
    throw new Failure(
      `Cannot ask the name service about ${JSON.stringify(name)}: ${answer.problem}`,
      { exit: ExitCode.os, hint: `getent group ${shellWord(name)}` },
    );
  }
  return answer.kind === "group" ? answer.gid : null;
}

/** Prints what a group decides about its members. @returns 0 for allow, 77 for deny. */
function checkGroup(
  who: string,
  config: UsersConfig,
  json: boolean,
  { out }: Context,
): ExitCode {
  const found = config.load();
  const asked = parseId(who);
  const { groups } = found.access;
  const named = groups.find((one) => asked === null ? one.name === who : gidOf(one) === asked);
  const gid = named === undefined ? asked ?? gidOf({ name: who, gid: null }) : gidOf(named);
  // Two names may stand for one gid, and the entry that denies goes before.
  const denies = (one: Group) => !one.localIpcAccess && gidOf(one) === gid;
  const group = named?.localIpcAccess && gid !== null ? groups.find(denies) ?? named : named;
  if (group === undefined && gid === null) {
    throw new Failure(
      `No group is called ${JSON.stringify(who)}, neither in the configuration nor on this ` +
        `machine${didYouMean(who, groups.map(({ name }) => name))}`,
      { exit: ExitCode.data, hint: `ipcauth groups list${config.flags}` },
    );
  }
  const allow = group !== undefined && gid !== null && group.localIpcAccess;
  const change = changeOf(group, gid, who, config);
  const where = group === undefined ? null : `${found.path}:${group.accessAt.line}`;
  if (json) {
    const name = group?.name ?? (asked === null ? who : null);
    out(jsonLine({ group: name, gid, allow, where, change }));
  } else {
    const name = `${group?.name ?? who} (${gid === null ? "gid unknown" : `gid ${gid}`})`;
    const effect = group === undefined
      ? "no entry of the configuration: it lets no peer in and keeps none out"
      : allow
      ? "members have access, unless their own entry or another group denies it"
      : "members are denied, unless their own entry lets them in";
    const lines = [
      `${name}: ${effect}`,
      ...where === null ? [] : [`  decided by group ${group!.name}, ${where}`],
      ...change === null ? [] : [`  to change it: ${change}`],
    ];
    out(lines.map((line) => `${escapeForTerminal(line)}\n`).join(""));
  }
  return allow ? ExitCode.ok : ExitCode.refused;
}

/** The command that would turn the answer around. */
function changeOf(
  group: Group | undefined,
  gid: number | null,
  who: string,
  { flags }: UsersConfig,
): string | null {
  if (group === undefined) {
    return parseId(who) === null
      ? `ipcauth groups add ${shellWord(who)} --local-ipc-access${flags}`
      : `ipcauth groups add NAME --gid ${gid} --local-ipc-access${flags}`;
  }
  if (gid === null) return `ipcauth groups set ${shellWord(group.name)} gid GID${flags}`;
  return group.localIpcAccess
    ? `ipcauth groups deny ${shellWord(group.name)}${flags}`
    : `ipcauth groups allow ${shellWord(group.name)}${flags}`;
}
