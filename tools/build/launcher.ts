/**
 * The shell code that the launchers of all builds share. It runs before the runtime starts.
 *
 * On the ordinary path it starts no other program, because a `fork` would take longer than all of
 * it. Its variables begin with `ipcauth_` and are never exported.
 */
import { GLOBAL_FLAGS } from "../../lib/cli/command_line.ts";
import { KEPT_PERMISSIONS, PERMISSION_FLAGS, permissionFlags } from "../../lib/cli/permissions.ts";
import { FILE_LIMIT, HIDDEN, LIST, SETTINGS } from "../../lib/config/launcher_environment.ts";
import { COMMON_VARIABLES, RUNTIME_VARIABLES } from "./runtime_variables.ts";

const FLAGS_WITH_VALUES = GLOBAL_FLAGS.values.map((name) => `--${name}`).join(" | ");

/**
 * Defines `ipcauth_fail MESSAGE HINT "$@"`: prints the error and the hint, and exits with the code
 * that the command in the arguments has for an error of the system (71; `run-as`: 125).
 */
export const FAIL_FUNCTION =
  `ipcauth_fail() { printf '%s\\n' "ipcauth: error: $1" "hint: $2" >&2; shift 2; while :; do ` +
  `case $1 in run-as) exit 125 ;; ${FLAGS_WITH_VALUES}) [ $# -lt 2 ] || shift ;; -*) ;; ` +
  `*) exit 71 ;; esac; shift; done; }`;

/**
 * Fails where the current directory was removed: the runtime would end with a stack trace. Where
 * the user may not search the directory, `-ef` fails too, so the link in `/proc` decides.
 */
export const CHECK_DIRECTORY = `[ . -ef "$PWD" ] || { ` +
  `ipcauth_place=$(command -p readlink /proc/self/cwd 2>/dev/null); ` +
  `case $ipcauth_place in *" (deleted)") [ -e "$ipcauth_place" ] || ` +
  `ipcauth_fail "The current directory is gone" "cd /" "$@" ;; esac; }`;

/** The fewest descriptors that a server needs: its threads open 31, and each session some more. */
const MIN_DESCRIPTORS = 64;

/**
 * Fails where the runtime would end with a stack trace: without `/proc`, and where a process may
 * open too few files. It raises the soft limit to the hard one, so that one counts. The command
 * substitution forks the shell once, which takes less than a millisecond.
 */
export const CHECK_SYSTEM =
  `[ -d /proc/self/fd ] || ipcauth_fail "There is no /proc, and the program cannot run without it" ` +
  `"mount -t proc proc /proc" "$@"; ` +
  `case $(ulimit -Hn) in [0-9] | [1-5][0-9] | 6[0-3]) ipcauth_fail ` +
  `"A process may open too few files here: $(ulimit -Hn), and ${MIN_DESCRIPTORS} are needed" ` +
  `"ulimit -n 1024" "$@" ;; esac`;

/** Without this, a caller's exported variable of such a name would reach the program, changed. */
export const UNSET_OWN_VARIABLES =
  "unset ipcauth_place ipcauth_name ipcauth_cache ipcauth_self ipcauth_soft ipcauth_rest " +
  FILE_LIMIT;

/** Reads the soft limit of open files, without another process (`proc(5)`). */
const READ_FILE_LIMIT = "while read -r ipcauth_place ipcauth_name ipcauth_cache ipcauth_soft " +
  'ipcauth_rest; do case "$ipcauth_place $ipcauth_name $ipcauth_cache" in "Max open files") ' +
  `export ${FILE_LIMIT}="$ipcauth_soft"; return ;; esac; done 2>/dev/null < /proc/self/limits`;

/**
 * Defines `ipcauth_prepare "$@"`. For `serve`, SIGHUP is ignored until the program handles it; by
 * default it would end the start. For `serve` and `run-as`, the program is told the limit of open
 * files, which the runtime raises.
 */
export const PREPARE_FUNCTION =
  `ipcauth_limit() { ${READ_FILE_LIMIT}; }; ipcauth_prepare() { while [ $# -gt 0 ]; do ` +
  `case $1 in serve) trap '' HUP; ipcauth_limit; return ;; run-as) ipcauth_limit; return ;; ` +
  `${FLAGS_WITH_VALUES}) [ $# -lt 2 ] || shift ;; -*) ;; *) return ;; esac; shift; done; }; ` +
  `ipcauth_prepare "$@"`;

const RARE_VARIABLES = RUNTIME_VARIABLES.filter((name) => !COMMON_VARIABLES.includes(name));

/**
 * Renames the variables of the caller that the runtime would obey: `NAME` becomes
 * `IPCAUTH_KEEP_NAME`, from which the program restores it for others. One `case` tests for all rare
 * ones together.
 *
 * @param cache The runtime's cache, as a shell word.
 * @returns Lines of shell.
 */
export function hideVariables(cache = SETTINGS.DENO_DIR): readonly string[] {
  const settings = Object.entries({ ...SETTINGS, DENO_DIR: cache });
  const hidden = `${HIDDEN}$ipcauth_name`;
  return [
    `export ${LIST}="${COMMON_VARIABLES.join(" ")}"`,
    `case ${RARE_VARIABLES.map((name) => `\${${name}+x}`).join("")} in ?*) ` +
    `${LIST}="$${LIST} ${RARE_VARIABLES.join(" ")}" ;; esac`,
    `for ipcauth_name in $${LIST}; do eval "case \\\${$ipcauth_name+x} in ` +
    `x) export ${hidden}=\\"\\$$ipcauth_name\\"; unset $ipcauth_name ;; ` +
    `*) unset ${hidden} ;; esac"; done`,
    `export ${settings.map(([name, value]) => `${name}=${value}`).join(" ")}`,
  ];
}

/**
 * Limits the young generation of the heap to 1 MiB. The objects of a session are small and live
 * long; with the default limit, an idle session takes about 1.6 times the memory
 * (docs/benchmarks.md).
 */
export const HEAP_FLAG = "--v8-flags=--max-semi-space-size=1";

/** The beginning of the runtime's arguments, without permissions. */
const RUN_FLAGS =
  `run ${HEAP_FLAG} --quiet --no-config --no-lock --no-remote --no-npm --no-code-cache`;

/** The runtime's arguments, for the whole program. */
export const RUN_PROGRAM = `${RUN_FLAGS} ${PERMISSION_FLAGS.join(" ")}`;

/** The runtime's arguments for `run-as` alone, with no more than the permissions it keeps. */
export const RUN_AS = `${RUN_FLAGS} ${permissionFlags(KEPT_PERMISSIONS["run-as"]).join(" ")}`;

/** The runtime's arguments for `--version`, `help` and `completions`, which need no permission. */
export const RUN_INFO = `${RUN_FLAGS} ${permissionFlags([]).join(" ")}`;
