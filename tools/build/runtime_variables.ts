/**
 * The environment variables that the JavaScript runtime obeys. Those of a caller must not reach the
 * runtime of this program, which often runs as root: they load code (`NODE_OPTIONS`), answer
 * permission requests (`DENO_PERMISSION_BROKER_PATH`), write files (`SSLKEYLOGFILE`) or crash the
 * runtime.
 */
import { SETTINGS } from "../../lib/config/launcher_environment.ts";

/** Those that are set on most machines. An invalid locale crashes the runtime (SIGSEGV). */
export const COMMON_VARIABLES: readonly string[] = ["HOME", "LANG", "LC_ALL", "LC_MESSAGES"];

/**
 * All that are hidden: each name that Deno 2.9.6 passes to `getenv(3)` while this program runs,
 * except those that concern only terminals and web clients; and those that its compatibility layer
 * for Node reads. Of OpenTelemetry, the switches: while they are off, its other variables have no
 * effect.
 */
export const RUNTIME_VARIABLES: readonly string[] = [
  ...COMMON_VARIABLES,
  ...Object.keys(SETTINGS).filter((name) => !COMMON_VARIABLES.includes(name)),
  "COMPLETE",
  ...family(
    "DENO_",
    `AUDIT_PERMISSIONS AUTH_TOKENS AUTO_SERVE CACHE_DB_MODE CACHE_LSC_ENDPOINT CERT COMPAT
    CONDITIONS CONNECTED COVERAGE_DIR DISABLE_OFFSCREEN_CANVAS DISABLE_VERBATIM_MODULE_SYNTAX
    DONT_USE_INTERNAL_BASE_UPGRADE_URL DONT_USE_INTERNAL_NODE_COMPAT_STATE_FD EMIT_CACHE_MODE
    EXTRA_STDIO_FDS INSPECT INTERNAL_CHILD_ENTRYPOINT INTERNAL_NPM_CMD_NAME
    KV_REQUIRES_DISTRIBUTED_DATABASE LOG_LAZY_LOAD LOG_STYLE NODE_SHIM_ACTIVE
    NODE_TRACE_EVENT_CATEGORIES NODE_USE_OPENSSL_CA NO_PROMPT PATCH_REACT_CVE
    PERMISSION_BROKER_PATH SERVE_ADDRESS SNAPSHOT_IMPORT_GRAPH STARTUP_PHASES TLS_CA_STORE
    TOKIO_EVENT_INTERVAL TOKIO_GLOBAL_QUEUE_INTERVAL TOKIO_MAX_IO_EVENTS_PER_TICK
    TOKIO_METRICS TRACE_PERMISSIONS UNSTABLE_CONTROL_SOCK UNSTABLE_CRON_SOCK
    UNSTABLE_FFI_TRACE_TURBO UNSTABLE_LAZY_DYNAMIC_IMPORTS UNSTABLE_NPM_LAZY_CACHING
    UNSTABLE_OTEL_DETERMINISTIC UNSTABLE_RAW_IMPORTS UNSTABLE_SLOPPY_IMPORTS UNSTABLE_TSGO
    USE_CGROUPS USR2_MEMORY_TRIM V8_FLAGS`,
  ),
  ...family(
    "NODE_",
    `CHANNEL_FD CHANNEL_SERIALIZATION_MODE CLUSTER_SCHED_POLICY DEBUG DEBUG_NATIVE EXTRA_CA_CERTS
    ICU_DATA OPTIONS TLS_REJECT_UNAUTHORIZED UNIQUE_ID USE_ENV_PROXY USE_SYSTEM_CA V8_COVERAGE`,
  ),
  ...family("OTEL_", "DENO DENO_CONSOLE DENO_METRICS DENO_TRACING SDK_DISABLED"),
  ...family("RUST_", "BACKTRACE LIB_BACKTRACE LOG MIN_STACK"),
  ...["ICU_DATA", "ICU_TIMEZONE_FILES_DIR", "OPENSSL_ia32cap", "SIMDUTF_FORCE_IMPLEMENTATION"],
  ...["SQLITE_TMPDIR", "SSLKEYLOGFILE"],
];

function family(prefix: string, names: string): string[] {
  return names.split(/\s+/).map((name) => prefix + name);
}
