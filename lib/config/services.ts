/**
 * `service:` of a listener.
 *
 * @module
 */
import { readTarget } from "./addresses.ts";
import type { Target } from "../net/address.ts";
import type { AccessTable } from "../policy/types.ts";
import type { Value } from "./document.ts";
import { readName, unknownUser } from "./names.ts";
import { described, type Fields, isEmpty, type Reader } from "./reader.ts";
import {
  DEFAULT_FORWARD_IDENTITY,
  DEFAULT_RUN_AS,
  FORWARD_IDENTITIES,
  type ServiceConfig,
} from "./types.ts";

/** The keys of a service that is a mapping. */
export const SERVICE_KEYS = ["forward", "identity", "backend_user", "exec", "run_as"] as const;

/** The services that are words. */
export const SERVICE_WORDS = ["console", "metrics"] as const;

/** The service of a listener that names none. */
export const DEFAULT_SERVICE = { kind: "console" } as const satisfies ServiceConfig;

/** The values of `run_as` beside the names of users. */
export const RUN_AS_WORDS = ["server", "peer"] as const;

/**
 * Reads a service.
 *
 * @param value The value of `service`; null or empty means {@linkcode DEFAULT_SERVICE}.
 * @param access The configured users, which `run_as` may name.
 */
export function readService(
  value: Value | null,
  access: AccessTable,
  reader: Reader,
): ServiceConfig | null {
  if (value === null || isEmpty(value)) return DEFAULT_SERVICE;
  if (value.kind === "scalar") {
    const word = SERVICE_WORDS.find((one) => one === value.value);
    return word === undefined ? refuseService(value, reader) : { kind: word };
  }
  if (value.kind === "list") return refuseService(value, reader);
  const fields = reader.fields(value, SERVICE_KEYS);
  if (fields === null) return null;
  const forward = fields.get("forward");
  const exec = fields.get("exec");
  if ((forward === null) === (exec === null)) {
    return reader.refuse(value, "a service has one of forward and exec");
  }
  return forward !== null
    ? readForward(forward, fields, reader)
    : readExec(exec!, fields, access, reader);
}

function refuseService(value: Value, reader: Reader): null {
  return reader.refuse(
    value,
    `a service is console, metrics, { forward: … } or { exec: … }, not ${described(value)}`,
  );
}

function readForward(forward: Value, fields: Fields, reader: Reader): ServiceConfig | null {
  const runAs = fields.get("run_as");
  if (runAs !== null) reader.refuse(runAs, "run_as goes with exec");
  const value = fields.get("identity");
  const target = readTarget(forward, reader);
  const identity = value === null
    ? DEFAULT_FORWARD_IDENTITY
    : reader.choice(value, FORWARD_IDENTITIES);
  if (target === null || identity === null) return null;
  if (identity === "impersonate" && target.kind === "tcp") {
    return reader.refuse(
      value!,
      "impersonate goes with a unix: target: a TCP backend cannot see the uid of its client",
    );
  }
  const backendUser = readBackendUser(fields.get("backend_user"), target, reader);
  return { kind: "forward", target, identity, backendUser };
}

function readBackendUser(value: Value | null, target: Target, reader: Reader): string | null {
  if (value === null) return null;
  if (target.kind !== "unix") {
    return reader.refuse(
      value,
      "backend_user goes with a unix: target: of a TCP backend the kernel names no user",
    );
  }
  const name = readName(value, value, "user", reader);
  if (name !== null) reader.nameAccount(name, value);
  return name;
}

function readExec(
  exec: Value,
  fields: Fields,
  access: AccessTable,
  reader: Reader,
): ServiceConfig | null {
  const identity = fields.get("identity");
  if (identity !== null) reader.refuse(identity, "identity goes with forward");
  const backendUser = fields.get("backend_user");
  if (backendUser !== null) reader.refuse(backendUser, "backend_user goes with forward");
  const argv = reader.list(exec)?.map((word) => readWord(word, reader)) ?? null;
  const runAs = readRunAs(fields.get("run_as"), access, reader);
  if (argv === null) return null;
  if (argv.length === 0) return reader.refuse(exec, "a program is missing");
  if (argv[0] !== null && !argv[0]!.startsWith("/")) {
    return reader.refuse(exec, `the program ${argv[0]} does not begin with /`);
  }
  if (runAs === null || argv.some((word) => word === null)) return null;
  return { kind: "exec", argv: argv as string[], runAs };
}

/** Reads an argument of a program: any scalar, as it is written. */
function readWord(value: Value, reader: Reader): string | null {
  if (value.kind !== "scalar" || isEmpty(value)) {
    return reader.refuse(value, `an argument is a text, not ${described(value)}`);
  }
  return value.source.includes("\0")
    ? reader.refuse(value, "an argument cannot hold a NUL")
    : value.source;
}

function readRunAs(
  value: Value | null,
  access: AccessTable,
  reader: Reader,
): (ServiceConfig & { kind: "exec" })["runAs"] | null {
  if (value === null) return DEFAULT_RUN_AS;
  const name = reader.text(value, value, "run_as");
  if (name === null) return null;
  const word = RUN_AS_WORDS.find((one) => one === name);
  if (word !== undefined) return word;
  if (access.usersByName.has(name)) return { user: name };
  return reader.refuseUser(
    value,
    name,
    `run_as is server, peer or a listed user, and ${unknownUser(name, access)}`,
  );
}
