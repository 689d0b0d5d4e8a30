/**
 * A JSON Schema (draft 2020-12) of the configuration file, for editors: pure.
 *
 * What the reader accepts, the schema accepts; what the schema refuses, the reader refuses.
 * `tests/config/json_schema_test.ts` holds the two together. A schema sees values and not how they
 * are written, and one value at a time: names that are not unique or not known, how a number or a
 * key is written, and what lies outside of the file are the reader's alone.
 *
 * @module
 */
import { UNIX_PATH_MAX } from "../libc/constants.ts";
import { MAX_ID } from "../policy/id.ts";
import { DIRECTORY_KEYS } from "./directory.ts";
import { GROUP_KEYS } from "./groups.ts";
import { COUNT_BOUNDS, COUNT_KEYS, DURATION_KEYS } from "./limits.ts";
import { KEY_KEYS } from "./listener_keys.ts";
import { LISTENER_KEYS } from "./listeners.ts";
import { LOG_KEYS } from "./log.ts";
import { octalMode } from "../files/permissions.ts";
import { ROOT_KEYS } from "./schema.ts";
import { SERVICE_KEYS, SERVICE_WORDS } from "./services.ts";
import {
  DEFAULT_DIRECTORY,
  DEFAULT_FORWARD_IDENTITY,
  DEFAULT_LIMITS,
  DEFAULT_LOG,
  DEFAULT_RUN_AS,
  DEFAULT_SANDBOX,
  DEFAULT_SOCKET_MODE,
  DEFAULT_WORKERS,
  FORWARD_IDENTITIES,
  type Limits,
  LOG_FORMATS,
  LOG_LEVELS,
  SANDBOX_MODES,
} from "./types.ts";
import { USER_KEYS } from "./users.ts";
import { WORKER_BOUNDS } from "./worker_bounds.ts";

/** A schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What `ipcauth config schema` prints, as a value. */
export function jsonSchema(): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "The configuration of ipcauth",
    ...mapping(ROOT_KEYS, {
      listeners: {
        description: "the addresses that accept connections; without it, one console",
        type: "array",
        minItems: 1,
        items: LISTENER,
      },
      users: listOf(
        "the users, by uid; root and the server's own user have access without an entry",
        USER,
      ),
      groups: listOf("the groups whose members have access, or have none", GROUP),
      limits: LIMITS,
      log: LOG,
      workers: {
        description: "how many threads accept and carry connections; read at the start",
        type: "integer",
        minimum: WORKER_BOUNDS.min,
        maximum: WORKER_BOUNDS.max,
        default: DEFAULT_WORKERS,
      },
      directory: mapping(DIRECTORY_KEYS, {
        refresh: {
          ...duration("how often the name service is asked again", DEFAULT_DIRECTORY.refresh),
          ...NOT_ZERO,
        },
      }),
      sandbox: words(
        "whether the server restricts itself to what the configuration needs (Landlock)",
        SANDBOX_MODES,
        DEFAULT_SANDBOX,
      ),
    }),
  };
}

/**
 * A mapping with the keys of the reader and no others.
 *
 * @param properties A schema for each key, and for no other.
 */
function mapping<Key extends string>(
  _keys: readonly Key[],
  properties: Readonly<Record<Key, JsonSchema>>,
  more: JsonSchema = {},
): JsonSchema {
  return { type: "object", additionalProperties: false, properties, ...more };
}

/** A list that may be left empty. */
function listOf(description: string, items: JsonSchema): JsonSchema {
  return { description, type: ["array", "null"], items };
}

function text(description: string, more: JsonSchema = {}): JsonSchema {
  return { description, type: "string", minLength: 1, ...more };
}

function words(description: string, choices: readonly string[], byDefault?: string): JsonSchema {
  return { description, enum: choices, ...byDefault === undefined ? {} : { default: byDefault } };
}

function flag(description: string): JsonSchema {
  return { description, type: "boolean", default: false };
}

function id(description: string): JsonSchema {
  return { description, type: "integer", minimum: 0, maximum: MAX_ID };
}

/** @param byDefault In milliseconds. */
function duration(description: string, byDefault: number): JsonSchema {
  return {
    description: `${description}, such as 500ms, 5s, 2m or 24h`,
    type: "string",
    pattern: "^[0-9]{1,9}(ms|s|m|h)$",
    default: byDefault % 1_000 === 0 ? `${byDefault / 1_000}s` : `${byDefault}ms`,
  };
}

const NOT_ZERO: JsonSchema = { not: { pattern: "^0+(ms|s|m|h)$" } };

/** The rest of a socket's path behind its first character: not that of a directory. */
const SOCKET_PATH = "/(?:.*/)?(?!\\.{0,2}$)[^/]+$";

const HOST_PORT = "(?:\\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.@-]{1,15})?\\]|[A-Za-z0-9_.-]+)" +
  ":[1-9][0-9]{0,4}$";

/** RFC 3339, section 5.6. */
const TIME = "^\\d{4}-\\d{2}-\\d{2}T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,3})?" +
  "(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)$";

const NAME_LENGTH = 64;

/** A name may hold letters of any script; what else it may not, the reader says. */
const NAME: JsonSchema = {
  maxLength: NAME_LENGTH,
  pattern: "^[^\\s/:$\"'()@-][^\\s/:\"'()]*$",
  not: { pattern: "^[0-9]+$|\\.\\." },
};

const USER: JsonSchema = mapping(USER_KEYS, {
  name: text("the name of the user, in the log and for backends", NAME),
  uid: id("the uid by which the user is known on a Unix socket"),
  gid: id("the gid that programs and impersonated connections run with"),
  local_ipc_access: flag("whether the user has access"),
  admin: flag("whether the user may change users at the console"),
}, { required: ["name", "uid"] });

const GROUP: JsonSchema = mapping(GROUP_KEYS, {
  name: text("the name of the group", {
    ...NAME,
    pattern: "^[^\\s/:$\"'()@-][^\\n\\t/:\"'()]*$",
  }),
  gid: id("its gid; without it, that of the name service"),
  local_ipc_access: flag("whether its members have access; one that denies goes before"),
}, { required: ["name"] });

const KEY: JsonSchema = mapping(KEY_KEYS, {
  file: text("the key file, made by ipcauth gen-key", { pattern: "^/" }),
  user: text("whose key it is; without it, the key is trusted as root is"),
  not_after: text("the time after which it is refused (RFC 3339)", { pattern: TIME }),
  dir: text("a directory with a key file for each user: NAME.key", { pattern: "^/" }),
}, {
  oneOf: [
    { required: ["file"], not: { required: ["dir"] } },
    {
      required: ["dir"],
      not: { anyOf: ["file", "user", "not_after"].map((key) => ({ required: [key] })) },
    },
  ],
});

const ARGUMENT: JsonSchema = { type: ["string", "number", "boolean"] };

/** Parts of a service that go with one kind of it. */
const SERVICE: JsonSchema = {
  description: "what an accepted connection is handed to",
  default: "console",
  anyOf: [
    { type: "null" },
    { enum: SERVICE_WORDS },
    mapping(SERVICE_KEYS, {
      forward: text("the backend: unix:/PATH or tcp:HOST:PORT", {
        pattern: `^unix:${SOCKET_PATH}|^tcp:${HOST_PORT}`,
      }),
      identity: words(
        "what the backend is told of the client",
        FORWARD_IDENTITIES,
        DEFAULT_FORWARD_IDENTITY,
      ),
      backend_user: text("the account that a backend on a Unix socket runs as", NAME),
      exec: {
        description: "the program and its arguments, started for each session",
        type: "array",
        minItems: 1,
        prefixItems: [text("the program", { pattern: "^/" })],
        items: ARGUMENT,
      },
      run_as: text("the user of the program: server, peer or a listed user", {
        default: DEFAULT_RUN_AS,
      }),
    }, {
      oneOf: [
        {
          required: ["forward"],
          not: { anyOf: [{ required: ["exec"] }, { required: ["run_as"] }] },
        },
        {
          required: ["exec"],
          not: {
            anyOf: [
              { required: ["forward"] },
              { required: ["identity"] },
              { required: ["backend_user"] },
            ],
          },
        },
      ],
      // The kernel names the peer of a Unix socket alone.
      if: { required: ["forward"], properties: { forward: { pattern: "^tcp:" } } },
      then: {
        not: { required: ["backend_user"] },
        properties: { identity: { not: { const: "impersonate" } } },
      },
    }),
  ],
};

const LISTENER: JsonSchema = mapping(LISTENER_KEYS, {
  unix: text("the path of a Unix socket", {
    pattern: `^${SOCKET_PATH}`,
    maxLength: UNIX_PATH_MAX - 1,
  }),
  tcp: text("HOST:PORT, where a client proves that it holds a key", { pattern: `^${HOST_PORT}` }),
  mode: text("the permission bits of the socket file, in quotes", {
    pattern: "^0?[0-7]{3}$",
    default: octalMode(DEFAULT_SOCKET_MODE),
  }),
  keys: { description: "whose clients may connect", type: "array", minItems: 1, items: KEY },
  allow: listOf("the users and @groups that may use it; default: all with access", {
    type: "string",
    minLength: 1,
  }),
  service: SERVICE,
}, {
  oneOf: [
    { required: ["unix"], not: { anyOf: [{ required: ["tcp"] }, { required: ["keys"] }] } },
    {
      required: ["tcp", "keys"],
      not: { anyOf: [{ required: ["unix"] }, { required: ["mode"] }] },
    },
  ],
});

const COUNTS: Readonly<Record<keyof typeof COUNT_KEYS, string>> = {
  max_connections: "open sessions of the server",
  max_connections_per_user: "open sessions of one user",
  max_pending_handshakes: "access checks that are not finished",
};

const DURATIONS: Readonly<Record<keyof typeof DURATION_KEYS, string>> = {
  handshake_timeout: "how long an access check may take",
  idle_timeout: "how long a session may pass no byte; 0s for no limit",
  grace: "how long sessions may go on after SIGTERM",
};

const LIMITS: JsonSchema = {
  type: "object",
  additionalProperties: false,
  properties: {
    ...properties(COUNT_KEYS, (key, field) => ({
      description: COUNTS[key],
      type: "integer",
      minimum: COUNT_BOUNDS.min,
      maximum: COUNT_BOUNDS.max,
      default: DEFAULT_LIMITS[field],
    })),
    ...properties(DURATION_KEYS, (key, field) => ({
      ...duration(DURATIONS[key], DEFAULT_LIMITS[field]),
      ...key === "handshake_timeout" ? NOT_ZERO : {},
    })),
  },
};

function properties<Key extends string>(
  keys: Readonly<Record<Key, keyof Limits>>,
  schemaOf: (key: Key, field: keyof Limits) => JsonSchema,
): JsonSchema {
  return Object.fromEntries(
    Object.entries(keys).map(([key, field]) => [
      key,
      schemaOf(key as Key, field as keyof Limits),
    ]),
  );
}

const LOG: JsonSchema = mapping(LOG_KEYS, {
  level: words("the least important events that are logged", LOG_LEVELS, DEFAULT_LOG.level),
  format: words("default: text on a terminal, json elsewhere", LOG_FORMATS),
  file: text("a file, /dev/stdout or /dev/stderr; default: standard error", {
    pattern: "^/.*[^/]$",
  }),
});
