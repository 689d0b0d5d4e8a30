/**
 * The sandbox of a running server: what the process has left of its rights (`landlock(7)`). It was
 * made for one configuration, and refuses one that needs more.
 *
 * @module
 */
import { badConfig } from "../config/schema.ts";
import type { Config, ListenerConfig } from "../config/types.ts";
import { ExitCode, Failure } from "../errors.ts";
import { covers, type PathPermission, type ThreadPermissions } from "../libc/landlock.ts";
import type { Position } from "../policy/types.ts";
import { neededPaths, neededPorts, realPathOf, type SandboxNeedsOptions } from "./sandbox_needs.ts";

/** What a server has left, as one run of the program tells the next and one plane the other. */
export interface SandboxPermissions extends ThreadPermissions {
  /** The version of Landlock. */
  readonly version: number;
  /** The directories that were made for sockets before it was in force. */
  readonly madeDirectories: readonly string[];
}

const HINT =
  "restart the server: its sandbox has what the configuration needed at the start; or --no-sandbox";

/** Compares configurations with what is left. */
export class Sandbox {
  readonly permissions: SandboxPermissions;
  readonly #options: SandboxNeedsOptions;

  constructor(permissions: SandboxPermissions, options: SandboxNeedsOptions) {
    this.permissions = permissions;
    this.#options = options;
  }

  /**
   * Checks a configuration before it is in force.
   *
   * @param listeners Those that would be served with it.
   * @throws {Failure} 78 when it needs what the process has given up.
   */
  requireEnough(config: Config, listeners: readonly ListenerConfig[]): void {
    const exec = listeners.find(({ service }) => service.kind === "exec");
    if (exec !== undefined) {
      throw tooLittle(config, exec.at, "programs would inherit the sandbox of the running server");
    }
    const { bind, connect } = this.permissions;
    for (const { permission, port, at } of neededPorts(listeners)) {
      if ((permission === "bind" ? bind : connect).includes(port)) continue;
      const what = permission === "bind" ? "listen on" : "connect to";
      throw tooLittle(config, at, `the sandbox of the running server may not ${what} port ${port}`);
    }
    for (const { permission, path, what, at } of neededPaths(config, listeners, this.#options)) {
      if (this.#has(permission, realPathOf(path))) continue;
      throw tooLittle(
        config,
        at,
        `the sandbox of the running server leaves out ${path}, which ${what} needs`,
      );
    }
  }

  #has(permission: PathPermission, path: string): boolean {
    const around = this.permissions.paths.filter(([, directory]) =>
      path === directory || path.startsWith(`${directory}/`)
    );
    return covers(around.map(([one]) => one), permission);
  }
}

function tooLittle({ path }: Config, at: Position | null, what: string): Failure {
  if (path !== null) {
    const place = { at: at ?? { line: 1, column: 1 }, key: at === null ? "" : "listeners" };
    return badConfig(path, [{ ...place, what, hint: HINT }]);
  }
  return new Failure(`Cannot serve this: ${what}`, { exit: ExitCode.config, hint: HINT });
}
