/**
 * `sandbox:`.
 *
 * @module
 */
import type { Value } from "./document.ts";
import type { Reader } from "./reader.ts";
import { DEFAULT_SANDBOX, type ListenerConfig, SANDBOX_MODES, type SandboxMode } from "./types.ts";

/** Reads when a server restricts itself. Programs would inherit what it gives up. */
export function readSandbox(
  value: Value | null,
  listeners: readonly ListenerConfig[] | null,
  reader: Reader,
): SandboxMode {
  const mode = (value && reader.choice(value, SANDBOX_MODES)) ?? DEFAULT_SANDBOX;
  const exec = (listeners ?? []).find(({ service }) => service.kind === "exec");
  if (mode === "on" && exec !== undefined) {
    reader.refuse(
      value!,
      `the listener of line ${exec.at.line} starts programs, which would inherit the sandbox`,
      "write sandbox: auto, and serve the other listeners with a server of their own",
    );
  }
  return mode;
}
