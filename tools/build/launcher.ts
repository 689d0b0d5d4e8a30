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
/** KiB. V8 takes 984 of the stack before it reports an overflow, the runtime's own code 450. */
const MIN_STACK_KIB = 2048;
/**
 * KiB. V8 reserves 32 GiB of addresses at a multiple of 32 GiB, for which it takes twice as much
 * where the first place does not fit; the threads and libraries need some more.
 */
const MIN_ADDRESSES_KIB = 66 * 1024 * 1024;
/** The most threads that the runtime and a server start before the first event (`stub.c`). */
const THREADS = 8;
/** Where the limit of processes is less, it is found out whether as many may be started. */
const FEW_PROCESSES = 1000;

const failKib = (what: string, variable: string, least: number, hint: string): string =>
  `ipcauth_fail "${what} here: $(($${variable} / 1024)) KiB, ` +
  `and ${least} are needed" "${hint}" "$@"`;

/**
 * What is done with a limit of `proc(5)`. The variable with its soft value depends on the number of
 * words in its name.
 *
 * The limit of processes counts all threads of a user, and root has none. No file says how many
 * there are, so the threads are tried as nested subshells. A shell that cannot start one ends, and
 * runs its trap.
 */
const LIMITS: Readonly<Record<string, string>> = {
  "Max stack": `ipcauth_least "$ipcauth_soft" ${MIN_STACK_KIB * 1024} || ` +
    failKib("The stack of a process is too small", "ipcauth_soft", MIN_STACK_KIB, "ulimit -s 8192"),
  "Max processes": `ipcauth_least "$ipcauth_cache" ${FEW_PROCESSES} || { ` +
    `trap 'ipcauth_fail "Too few threads may be started here, and ${THREADS} are needed" ` +
    `"ulimit -u unlimited, or a higher limit of processes for the container" "$@"' EXIT; ` +
    `ipcauth_threads ${THREADS} 2>/dev/null || exit; trap - EXIT; }`,
  "Max open": `export ${FILE_LIMIT}="$ipcauth_soft"; ipcauth_rest=\${ipcauth_rest%% *}; ` +
    `ipcauth_least "$ipcauth_rest" ${MIN_DESCRIPTORS} || ` +
    `ipcauth_fail "A process may open too few files here: $ipcauth_rest, ` +
    `and ${MIN_DESCRIPTORS} are needed" "ulimit -n 1024" "$@"`,
  "Max address": `ipcauth_least "$ipcauth_soft" ${MIN_ADDRESSES_KIB * 1024} || ` +
    failKib(
      "A process may have too few addresses",
      "ipcauth_soft",
      MIN_ADDRESSES_KIB,
      "ulimit -v unlimited",
    ),
};

/**
 * Fails where the runtime would end with a stack trace or abort: without `/proc`, and where limits
 * are too low. Of the open files the hard limit counts, because the runtime raises the soft one to
 * it; the program is told the soft one, for the programs that it starts.
 */
export const CHECK_SYSTEM =
  `[ -d /proc/self/fd ] || ipcauth_fail "There is no /proc, and the program cannot run without it" ` +
  `"mount -t proc proc /proc" "$@"; ` +
  'ipcauth_least() { case $1 in unlimited) ;; *) [ "$1" -ge "$2" ] ;; esac; }; ' +
  'ipcauth_threads() { [ "$1" = 0 ] || ( ipcauth_threads $(($1 - 1)) && : ); }; ' +
  "ipcauth_limits() { while read -r ipcauth_place ipcauth_name ipcauth_cache ipcauth_soft " +
  'ipcauth_rest; do case "$ipcauth_place $ipcauth_name" in ' +
  Object.entries(LIMITS).map(([name, action]) => `"${name}") ${action} ;; `).join("") +
  'esac; done < /proc/self/limits; }; ipcauth_limits "$@"';

/** Without this, a caller's exported variable of such a name would reach the program, changed. */
export const UNSET_OWN_VARIABLES =
  "unset ipcauth_place ipcauth_name ipcauth_cache ipcauth_self ipcauth_soft ipcauth_rest " +
  FILE_LIMIT;

/**
 * Defines `ipcauth_prepare "$@"`. For `serve`, SIGHUP is ignored until the program handles it; by
 * default it would end the start.
 */
export const PREPARE_FUNCTION = `ipcauth_prepare() { while [ $# -gt 0 ]; do ` +
  `case $1 in serve) trap '' HUP; return ;; ` +
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
 * Gives V8 its regular expressions of linear time, for patterns that a person types, and limits the
 * young generation of the heap to 1 MiB. The objects of a session are small and live
 * long; with the default limit, an idle session takes about 1.6 times the memory
 * (docs/benchmarks.md).
 */
export const V8_FLAGS = "--v8-flags=--enable-experimental-regexp-engine,--max-semi-space-size=1";

/** The beginning of the runtime's arguments, without permissions. */
const RUN_FLAGS =
  `run ${V8_FLAGS} --quiet --no-config --no-lock --no-remote --no-npm --no-code-cache`;

/** The runtime's arguments, for the whole program. */
export const RUN_PROGRAM = `${RUN_FLAGS} ${PERMISSION_FLAGS.join(" ")}`;

/** The runtime's arguments for `run-as` alone, with no more than the permissions it keeps. */
export const RUN_AS = `${RUN_FLAGS} ${permissionFlags(KEPT_PERMISSIONS["run-as"]).join(" ")}`;

/** The runtime's arguments for `--version`, `help` and `completions`, which need no permission. */
export const RUN_INFO = `${RUN_FLAGS} ${permissionFlags([]).join(" ")}`;
