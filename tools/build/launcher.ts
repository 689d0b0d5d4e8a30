/**
 * What the launchers have in common: lines of shell that stand before the runtime is started.
 *
 * Nothing in them starts another program on the ordinary way, because that would take longer than they do. Their
 * own variables begin with `ipcauth_`, and are no part of anybody's environment.
 */
import { GLOBAL_FLAGS } from "../../lib/cli/command_line.ts";
import { KEPT_PERMISSIONS, PERMISSION_FLAGS, permissionFlags } from "../../lib/cli/permissions.ts";
import { HIDDEN, LIST, SETTINGS } from "../../lib/config/launcher_environment.ts";
import { COMMON, RUNTIME_VARIABLES } from "./runtime_variables.ts";

const FLAGS_WITH_VALUES = GLOBAL_FLAGS.values.map((name) => `--${name}`).join(" | ");

/** `ipcauth_fail MESSAGE HINT "$@"` ends as the command would that the arguments name. */
export const FAIL =
  `ipcauth_fail() { printf '%s\\n' "ipcauth: error: $1" "hint: $2" >&2; shift 2; while :; do ` +
  `case $1 in run-as) exit 125 ;; ${FLAGS_WITH_VALUES}) [ $# -lt 2 ] || shift ;; -*) ;; ` +
  `*) exit 71 ;; esac; shift; done; }`;

/**
 * Refuses a current directory that was removed: the runtime would end with a stack trace. One that the user may not search
 * cannot be compared, and is looked at more closely.
 */
export const DEMAND_DIRECTORY = `[ . -ef "$PWD" ] || { ` +
  `ipcauth_place=$(command -p readlink /proc/self/cwd 2>/dev/null); ` +
  `case $ipcauth_place in *" (deleted)") [ -e "$ipcauth_place" ] || ` +
  `ipcauth_fail "The current directory is gone" "cd /" "$@" ;; esac; }`;

/** Without these, a caller's variable of that name would be handed on with another value. */
export const OWN_VARIABLES = "unset ipcauth_place ipcauth_name ipcauth_cache ipcauth_self";

const RARE = RUNTIME_VARIABLES.filter((name) => !COMMON.includes(name));

/**
 * Hides what the runtime would obey. One glance says whether there is any of the rare ones.
 *
 * @param cache A shell word: the runtime's cache.
 */
export function hideVariables(cache = SETTINGS.DENO_DIR): readonly string[] {
  const settings = Object.entries({ ...SETTINGS, DENO_DIR: cache });
  const hidden = `${HIDDEN}$ipcauth_name`;
  return [
    `export ${LIST}="${COMMON.join(" ")}"`,
    `case ${RARE.map((name) => `\${${name}+x}`).join("")} in ?*) ` +
    `${LIST}="$${LIST} ${RARE.join(" ")}" ;; esac`,
    `for ipcauth_name in $${LIST}; do eval "case \\\${$ipcauth_name+x} in ` +
    `x) export ${hidden}=\\"\\$$ipcauth_name\\"; unset $ipcauth_name ;; *) unset ${hidden} ;; esac"; done`,
    `export ${settings.map(([name, value]) => `${name}=${value}`).join(" ")}`,
  ];
}

/**
 * A session's objects are many, small and long-lived: where the young generation may grow as it likes, thousands of idle
 * ones cost twice the memory (docs/benchmarks.md).
 */
export const MEMORY = "--v8-flags=--max-semi-space-size=1";

/** The beginning of the runtime's command line, but for the rights. */
const PLAIN = `run ${MEMORY} --quiet --no-config --no-lock --no-remote --no-npm --no-code-cache`;

/** The beginning of the runtime's command line. */
export const RUN = `${PLAIN} ${PERMISSION_FLAGS.join(" ")}`;

/** The same for a program that can nothing but `run-as`: what that would give up it is not even given. */
export const RUN_AS = `${PLAIN} ${permissionFlags(KEPT_PERMISSIONS["run-as"]).join(" ")}`;
