/**
 * What the one executable is started with: each right by name, never all of them.
 *
 * @module
 */
import { VARIABLES } from "../config/locate.ts";
import { LIBC_PATHS } from "../libc/paths.ts";

/** Read by the `yaml` package when it parses; they switch on its own debugging output. */
const YAML_VARIABLES = ["LOG_STREAM", "LOG_TOKENS"];

/**
 * The flags of `deno run` for the program.
 *
 * Reading and writing are not narrowed to paths here, because the configuration, the socket and the key
 * lie wherever the command line says; the network, other programs and every other library stay closed.
 */
export const PERMISSION_FLAGS: readonly string[] = [
  "--allow-read",
  "--allow-write",
  `--allow-env=${[...VARIABLES, ...YAML_VARIABLES].sort().join(",")}`,
  `--allow-ffi=${[...new Set(Object.values(LIBC_PATHS).flat())].join(",")}`,
];
