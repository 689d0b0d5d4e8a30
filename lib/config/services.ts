/**
 * `service:` of a listener.
 *
 * @module
 */
import type { Value } from "./document.ts";
import { readTarget } from "./addresses.ts";
import { isEmpty, type Reader } from "./reader.ts";
import type { ServiceConfig } from "./types.ts";

/**
 * Reads a service.
 *
 * @param value What stands there, or null: a console.
 * @param userExists Whether a name is that of a listed user.
 */
export function readService(
  value: Value | null,
  userExists: (name: string) => boolean,
  reader: Reader,
): ServiceConfig | null {
  if (value === null || isEmpty(value)) return { kind: "console" };
  if (value.kind === "scalar") {
    return value.value === "console"
      ? { kind: "console" }
      : reader.refuse(value, "a service is console, { forward: … } or { exec: … }");
  }
  const fields = reader.fields(value, ["forward", "identity", "exec", "run_as"]);
  if (fields === null) return null;
  const forward = fields.get("forward");
  const exec = fields.get("exec");
  if ((forward === null) === (exec === null)) {
    return reader.refuse(value, "a service has one of forward and exec");
  }
  if (forward !== null) {
    const runAs = fields.get("run_as");
    if (runAs !== null) reader.refuse(runAs, "run_as goes with exec");
    const identity = fields.get("identity");
    const target = readTarget(forward, reader);
    const whose = identity === null
      ? "none"
      : reader.choice(identity, ["none", "proxy-v2", "impersonate"]);
    if (target === null || whose === null) return null;
    if (whose === "impersonate" && target.kind === "tcp") {
      return reader.refuse(
        identity!,
        "impersonate goes with a unix: target: over TCP a backend does not see who connects",
      );
    }
    return { kind: "forward", target, identity: whose };
  }
  const identity = fields.get("identity");
  if (identity !== null) reader.refuse(identity, "identity goes with forward");
  const argv = reader.list(exec).map((word) => readWord(word, reader));
  const runAs = readRunAs(fields.get("run_as"), userExists, reader);
  if (argv.length === 0) return reader.refuse(exec!, "a program is missing");
  if (argv[0] !== null && !argv[0]!.startsWith("/")) {
    return reader.refuse(exec!, `the program ${argv[0]} does not begin with /`);
  }
  if (runAs === null || argv.some((word) => word === null)) return null;
  return { kind: "exec", argv: argv as string[], runAs };
}

/** An argument of a program: any scalar, as it is written. */
function readWord(value: Value, reader: Reader): string | null {
  if (value.kind !== "scalar" || isEmpty(value) && !value.quoted) {
    return reader.refuse(value, "an argument is a text");
  }
  return value.source.includes("\0")
    ? reader.refuse(value, "an argument cannot hold a NUL")
    : value.source;
}

function readRunAs(
  value: Value | null,
  userExists: (name: string) => boolean,
  reader: Reader,
): (ServiceConfig & { kind: "exec" })["runAs"] | null {
  if (value === null) return "server";
  const name = reader.text(value, value, "run_as");
  if (name === null || name === "server" || name === "peer") return name;
  if (userExists(name)) return { user: name };
  return reader.refuse(value, `run_as is server, peer or a listed user, and "${name}" is none`);
}
