/**
 * Edits of the groups in a configuration: pure, text → text, checked as those of users are.
 *
 * @module
 */
import { ExitCode, Failure } from "../errors.ts";
import type { Group } from "../policy/types.ts";
import { didYouMean } from "../text/nearest.ts";
import { shellWord } from "../text/shell_word.ts";
import { groupValues } from "./config_text.ts";
import { NONE } from "./edit.ts";
import { scalarText } from "./entry_style.ts";
import { editOthers } from "./extract_edit.ts";
import { GROUP_FIELDS } from "./fields.ts";
import { ListText } from "./list_text.ts";
import { lookalikeOf, nameHint, nameProblem, similarity } from "./names.ts";
import { parseConfig } from "./schema.ts";
import type { Config } from "./types.ts";
import {
  type FileContext,
  flagValue,
  idValue,
  invalid,
  unknownField,
  verified,
} from "./verified_edit.ts";

/** A group that is not in the file yet. */
export type NewGroup = Pick<Group, "name" | "gid" | "localIpcAccess">;

/** What the hints about a value name. */
const HELP = "ipcauth help groups";

/**
 * Adds a group after the last one.
 *
 * @param text The content of the file.
 * @param group Without a gid it is the name service's.
 * @returns The new content.
 * @throws {Failure} 73 when the name or the gid is configured already, 64 when the name cannot be
 * one, 78 when the file is bad, 70 when the edit would change more.
 */
export function addGroup(text: string, group: NewGroup, context: FileContext): string {
  const before = parseConfig(text, context.path, context.reserved, true);
  const { groups } = before.access;
  if (groups.some(({ name }) => name === group.name)) throw taken(group.name, group.name, context);
  requirePossibleName(group.name, groups);
  if (group.gid !== null) requireFreeGid(group.gid, null, groups, context);
  const fields = {
    name: scalarText(group.name),
    ...group.gid === null ? {} : { gid: scalarText(group.gid) },
    local_ipc_access: scalarText(group.localIpcAccess),
  };
  const edited = inGroups(text, (list) => list.add(fields));
  return verified(edited, before, groupsOf([...groups, group]), context);
}

/**
 * Removes a group.
 *
 * @param text The content of the file.
 * @returns The new content.
 * @throws {Failure} 65 when there is no group of that name, 78 when the file is bad or the `allow`
 * list of a listener names the group, 70 when the edit would change more.
 */
export function removeGroup(text: string, name: string, context: FileContext): string {
  const before = parseConfig(text, context.path, context.reserved, true);
  const { index, group } = requireGroup(name, before, context);
  requireUnnamedGroup(group, before);
  const groups = before.access.groups.toSpliced(index, 1);
  const edited = inGroups(text, (list) => list.remove(index));
  return verified(edited, before, groupsOf(groups), context);
}

/**
 * Sets a field of a group.
 *
 * @param text The content of the file.
 * @param field One of {@linkcode GROUP_FIELDS}.
 * @param value The value as it is written in the file; for no gid, `none`.
 * @returns The new content; the old one where the field has the value already.
 * @throws {Failure} 65 when there is no such group, 64 for an unknown field or a value it cannot
 * have, 73 when the gid is another group's, 78 when the file is bad, 70 when the edit would change
 * more.
 */
export function setGroupField(
  text: string,
  name: string,
  field: string,
  value: string,
  context: FileContext,
): string {
  const before = parseConfig(text, context.path, context.reserved, true);
  const { index, group } = requireGroup(name, before, context);
  const changed = withField(group, field, value, before, context);
  if (changed.gid === group.gid && changed.localIpcAccess === group.localIpcAccess) return text;
  const edited = inGroups(
    text,
    (list) => value === NONE ? list.unset(index, field) : list.set(index, field, value),
  );
  const groups = before.access.groups.with(index, { ...group, ...changed });
  return verified(edited, before, groupsOf(groups), context);
}

/** A group of a configuration, and its place in the list. @throws {Failure} 65 without one. */
export function requireGroup(
  name: string,
  { access: { groups }, path }: Config,
  { flags = "" }: Pick<FileContext, "flags">,
): { readonly index: number; readonly group: Group } {
  const index = groups.findIndex((group) => group.name === name);
  if (index >= 0) return { index, group: groups[index]! };
  throw new Failure(
    `There is no group ${JSON.stringify(name)} in ${path ?? "the configuration"}` +
      didYouMean(name, groups.map((group) => group.name)),
    { exit: ExitCode.data, hint: `ipcauth groups list${flags}` },
  );
}

/** Edits the list of groups. */
function inGroups(text: string, edit: (list: ListText) => string): string {
  return editOthers(text, (part) => edit(new ListText(part, "groups")));
}

function groupsOf(groups: readonly NewGroup[]): { readonly groups: unknown } {
  return { groups: groups.map(groupValues) };
}

/** A group with another value of a field. @throws {Failure} 64 and 73. */
function withField(
  group: Group,
  field: string,
  value: string,
  { access }: Config,
  context: FileContext,
): NewGroup {
  switch (field) {
    case "local_ipc_access":
      return { ...group, localIpcAccess: flagValue(field, value, HELP) };
    case "gid": {
      if (value === NONE) return { ...group, gid: null };
      const gid = idValue(value, HELP);
      requireFreeGid(gid, group.name, access.groups, context);
      return { ...group, gid };
    }
    default:
      throw invalid(
        unknownField("group", field, GROUP_FIELDS),
        HELP,
      );
  }
}

/** @throws {Failure} 64 when a new group cannot have its name. */
function requirePossibleName(name: string, groups: readonly Group[]): void {
  const problem = nameProblem(name, "group");
  if (problem !== null) {
    throw invalid(
      `${JSON.stringify(name)} cannot be a group's name: it ${problem}`,
      nameHint("group"),
    );
  }
  const other = lookalikeOf(name, groups.map((one) => one.name));
  if (other !== null) throw invalid(similarity(name, other), nameHint("group"));
}

function requireFreeGid(
  gid: number,
  own: string | null,
  groups: readonly Group[],
  context: FileContext,
): void {
  const holder = groups.find((group) => group.gid === gid);
  if (holder === undefined || holder.name === own) return;
  throw taken(`with the gid ${gid}`, holder.name, context);
}

function taken(what: string, name: string, { flags = "" }: FileContext): Failure {
  return new Failure(`There is a group ${what} already`, {
    exit: ExitCode.exists,
    hint: `ipcauth groups show ${shellWord(name)}${flags}`,
  });
}

/** @throws {Failure} 78 when a list names the group: another group of that name would be meant. */
export function requireUnnamedGroup(
  { name, gid }: NewGroup,
  { listeners, path }: Config,
): void {
  for (const { allow } of listeners ?? []) {
    if (allow === null) continue;
    if (!allow.unknownGroups.has(name) && (gid === null || !allow.gids.has(gid))) continue;
    throw new Failure(
      `Cannot remove the group ${name}: ${path}:${allow.at.line}:${allow.at.column} names it, too`,
      { exit: ExitCode.config, hint: `edit ${path}, line ${allow.at.line}` },
    );
  }
}
