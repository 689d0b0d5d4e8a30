/**
 * A second opinion on a configuration: its text is read by `@std/yaml`, which shares no code with
 * the parser of the program, and the values are compared.
 */
import { assertEquals } from "@std/assert";
import { parse } from "@std/yaml";
import { COUNT_KEYS, DURATION_KEYS } from "../../lib/config/limits.ts";
import type { Config, ListenerConfig } from "../../lib/config/types.ts";

type Fields = Readonly<Record<string, unknown>>;

const UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Asserts that `@std/yaml` finds in a text what the program has read from it: users, groups, limits
 * and log with all their values, listeners with their kinds, allow lists and numbers of keys.
 *
 * @param text The content of a configuration file.
 * @param config What `parseConfig` has made of it.
 */
export function assertSameReading(text: string, config: Config): void {
  // A byte order mark is no part of the document.
  const root = fieldsOf(parse(text.replace(/^\ufeff/, ""), { schema: "core" }) ?? {});
  assertEquals(
    listOf(root.users).map((user) => [
      user.name,
      user.uid,
      user.gid ?? null,
      user.local_ipc_access ?? false,
      user.admin ?? false,
    ]),
    config.access.users.map((user) => [
      user.name,
      user.uid,
      user.gid,
      user.localIpcAccess,
      user.admin,
    ]),
    text,
  );
  const groups = listOf(root.groups);
  assertEquals(
    groups.map((group) => [group.name, group.local_ipc_access ?? false]),
    config.access.groups.map((group) => [group.name, group.localIpcAccess]),
    text,
  );
  for (const [index, { gid }] of groups.entries()) {
    if (gid !== undefined) assertEquals(config.access.groups[index]?.gid, gid, text);
  }
  assertSameListeners(root, config, text);
  const limits = fieldsOf(root.limits ?? {});
  for (const [name, field] of Object.entries(COUNT_KEYS)) {
    if (name in limits) assertEquals(config.limits[field], limits[name], text);
  }
  for (const [name, field] of Object.entries(DURATION_KEYS)) {
    if (name in limits) assertEquals(config.limits[field], milliseconds(limits[name]), text);
  }
  const { level, format, file } = config.log;
  const log = { level, format, file };
  assertEquals({ ...log, ...fieldsOf(root.log ?? {}) }, log, text);
}

function assertSameListeners(root: Fields, config: Config, text: string): void {
  const listeners = listOf(root.listeners);
  assertEquals(listeners.length, config.listeners?.length ?? 0, text);
  for (const [index, listener] of listeners.entries()) {
    const own: ListenerConfig = config.listeners![index]!;
    assertEquals(own.kind in listener, true, text);
    if (own.kind === "unix") {
      assertEquals(listener.unix, own.path, text);
      if ("mode" in listener) assertEquals(parseInt(String(listener.mode), 8), own.mode, text);
    } else {
      const host = own.host.includes(":") ? `[${own.host}]` : own.host;
      assertEquals(listener.tcp, `${host}:${own.port}`, text);
      assertEquals(
        listOf(listener.keys).filter(({ file }) => file !== undefined)
          .map(({ file, user }) => [file, user ?? null]),
        own.keys.map(({ file, user }) => [file, user]),
        text,
      );
      assertEquals(
        listOf(listener.keys).flatMap(({ dir }) => dir ?? []),
        own.keyDirectories.map(({ directory }) => directory),
        text,
      );
    }
    const allow = listener.allow === undefined ? null : textsOf(listener.allow);
    assertEquals(
      allow && allow.filter((name) => !name.startsWith("@")).toSorted(),
      own.allow && [...own.allow.users].toSorted(),
      text,
    );
    assertSameService(listener.service ?? "console", own, text);
  }
}

function assertSameService(value: unknown, { service }: ListenerConfig, text: string): void {
  if (typeof value === "string") {
    assertEquals(value, service.kind, text);
    return;
  }
  const fields = fieldsOf(value);
  assertEquals(service.kind in fields, true, text);
  if (service.kind === "forward") {
    const { target } = service;
    const own = target.kind === "unix"
      ? `unix:${target.path}`
      : `tcp:${target.host}:${target.port}`;
    assertEquals([fields.forward, fields.identity ?? "none"], [own, service.identity], text);
  } else if (service.kind === "exec") {
    // Texts alone: a number is an argument as it was written, not as YAML reads it.
    const words = Array.isArray(fields.exec) ? fields.exec : [];
    assertEquals(words.length, service.argv.length, text);
    words.forEach((word, index) => {
      if (typeof word === "string") assertEquals(service.argv[index], word, text);
    });
  }
}

function milliseconds(duration: unknown): number {
  const [, number, unit] = /^(\d+)(ms|s|m|h)$/.exec(String(duration))!;
  return Number(number) * UNITS_MS[unit as keyof typeof UNITS_MS];
}

function fieldsOf(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`not a mapping: ${JSON.stringify(value)}`);
  }
  return value as Fields;
}

function listOf(value: unknown): readonly Fields[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new TypeError(`not a list: ${JSON.stringify(value)}`);
  return value.map(fieldsOf);
}

function textsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new TypeError(`not a list: ${JSON.stringify(value)}`);
  return value.map(String);
}
