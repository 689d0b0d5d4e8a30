/** The console at a server that answers in the right shape, with anything in it. */
import { assert, assertEquals } from "@std/assert";
import { isTooDeep, unexpectedAnswer } from "../../lib/client/answers.ts";
import { RpcServerError } from "../../lib/client/rpc_error.ts";
import { ExitCode, Failure } from "../../lib/errors.ts";
import { CommandRunner } from "../../lib/shell/command_runner.ts";
import { WELCOME } from "../support/fake_console.ts";
import { anyText, fc, forAnyAsync, UNSAFE } from "./fuzz.ts";

const USER = { name: "bob", uid: 579, gid: null, local_ipc_access: true, admin: false };
const GROUP = { name: "ops", gid: 2000, local_ipc_access: true };
const SESSION = {
  ...{ id: 7, user: "bob", uid: 579, pid: null, from: "127.0.0.1", listener: "unix:/a" },
  ...{ service: "console", since: "2026-11-27T08:00:00.000Z", bytes_in: 1, bytes_out: null },
};
const LISTENER = {
  ...{ listener: "unix:/a", service: "forward", target: "unix:/b", state: "suspended" },
  ...{ problem: "gone", allow: ["bob"] },
};
const LINE = {
  ...{ time: "2026-11-27T08:00:00.000Z", event: "deny", listener: "unix:/a", session: 7 },
  ...{ peer: { pid: 1, uid: 579, gid: 579 }, user: "bob", reason: "unlisted", message: "m" },
};
const CONFIG = {
  ...{ path: "/c.yaml", problem: { since: "now", message: "m" }, users: 1, groups: [GROUP] },
  ...{ listeners: [{ unix: "/a", service: { exec: ["/bin/a", "b"] }, keys: [{ file: "/k" }] }] },
  ...{ limits: { grace: "5s" }, log: { level: "info" }, directory: {}, sandbox: "on" },
};
const ACCESS = {
  ...{ uid: 579, user: "bob", allow: false, rule: "unlisted", detail: "d", what: "w" },
  ...{ where: "/c.yaml:1", change: "ipcauth users allow bob" },
  listeners: [{ listener: "unix:/a", allow: true, rule: "user", where: null, change: "c" }],
};

/** Answers that a good server gives, by the method. */
const GOOD: Readonly<Record<string, unknown>> = {
  "users.list": [USER, { ...USER, name: "eve", gid: 5 }],
  "users.get": USER,
  "users.set": USER,
  "users.add": USER,
  "users.remove": USER,
  "sessions.list": [SESSION, { ...SESSION, id: 8 }],
  "sessions.close": SESSION,
  "listeners.list": [LISTENER, { ...LISTENER, allow: null }],
  "config.show": CONFIG,
  "config.entries": { base: "x", users: [USER], groups: [GROUP], unconfirmed: null },
  "config.commit": { base: "y", changed: true, unconfirmed: null },
  "config.confirm": { confirmed: true },
  "config.reload": { path: "/c.yaml" },
  stats: { uptime: 1, sessions: 2, denied: 3 },
  "log.list": { next: 5, dropped: 0, lines: [LINE] },
  "access.check": ACCESS,
};

const LINES = [
  ...["show users", "show sessions", "show listeners", "show config", "show stats", "show metrics"],
  ...["show log", "who", "check 579", "check bob", "show running-config", "reload", "commit"],
  ...["set user bob admin true", "add user eve uid 5", "remove user bob", "clear session 7"],
  ...["show users | json", "show config | include a", "show log | count", "show sessions | json"],
  ...["config", "set user bob local_ipc_access false", "show", "difference", "commit", "revert"],
  ...["commit check", "commit confirmed 5", "rebase", "top", "end", "help"],
];

/** A value nested so deep that a function which calls itself for each level would run out. */
class Nested {
  constructor(readonly depth: number, readonly open: "[" | '{"a":') {}

  /** The value, as it is read from a line. It is made late: no message could show it. */
  get value(): unknown {
    return JSON.parse(
      this.open.repeat(this.depth) + "0" + (this.open === "[" ? "]" : "}").repeat(this.depth),
    );
  }
}

/** What a line of the protocol can hold. */
const anyValue = fc.oneof(
  { weight: 6, arbitrary: anyText },
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    0.5,
    1e308,
    -1e21,
    "",
    [],
    {},
    "x".repeat(5000),
  ),
  fc.tuple(fc.constantFrom(40, 3000, 60_000), fc.constantFrom("[" as const, '{"a":' as const))
    .map(([depth, open]) => new Nested(depth, open)),
  fc.record({ name: anyText, __proto__: anyText, length: fc.nat(), toString: anyText }),
);

/** Changes a value at one place, or at none; a member may also go, or come. */
function changed(value: unknown, path: readonly number[], by: unknown): unknown {
  const [at, ...rest] = path;
  if (at === undefined || typeof value !== "object" || value === null) return by;
  const keys = Object.keys(value);
  const copy = Array.isArray(value) ? [...value] : { ...value };
  const members = copy as Record<string, unknown>;
  const key = keys[at % (keys.length + 1)];
  if (key === undefined) {
    // As JSON does, which has no prototypes to set.
    const name = typeof by === "string" ? by.slice(0, 20) : "more";
    Object.defineProperty(members, name, { value: by, enumerable: true, configurable: true });
    return copy;
  }
  members[key] = changed(members[key], rest, by);
  return copy;
}

const answer = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.array(fc.nat(20), { maxLength: 4 }), anyValue) },
  { weight: 4, arbitrary: fc.constant(null) },
  fc.record({ code: fc.integer({ min: -32_800, max: 10 }), message: anyText, hint: anyText }),
);
type AnyAnswer = typeof answer extends fc.Arbitrary<infer T> ? T : never;

function give(method: string, how: AnyAnswer): unknown {
  if (how === null) return GOOD[method];
  if (Array.isArray(how)) {
    const [path, by] = how;
    const answer = changed(GOOD[method], path, by instanceof Nested ? by.value : by);
    // As RpcClient does, which gets the line.
    if (isTooDeep(answer)) throw unexpectedAnswer();
    return answer;
  }
  throw new RpcServerError(how.code, how.message, how.hint);
}

/** What a terminal is told by a colour alone. */
const COLOR = /\p{Cc}\[[0-9;]*m/gu;

Deno.test("fuzz: no answer of a server breaks the console, or moves the cursor", async () => {
  const story = fc.record({
    lines: fc.array(fc.constantFrom(...LINES), { minLength: 1, maxLength: 6 }),
    answers: fc.array(answer, { minLength: 1, maxLength: 8 }),
    welcome: fc.record({ user: anyText, host: anyText, from: anyText }),
    view: fc.record({ columns: fc.constantFrom(null, 1, 20, 80), color: fc.boolean() }),
  });
  const seen = { shown: 0, refused: 0, failed: 0 };
  await forAnyAsync(story, async ({ lines, answers, welcome, view }) => {
    let count = 0;
    const call = (method: string) =>
      Promise.resolve().then(() => give(method, answers[count++ % answers.length]!));
    const runner = new CommandRunner({ call }, () => ({ ...WELCOME, ...welcome }));
    runner.isInteractive = view.color;
    for (const line of lines) {
      const texts = [runner.prompt];
      try {
        const { out, err, exit } = await runner.run(line, view);
        texts.push(out, err);
        assert(exit !== ExitCode.software, err);
        if (err === "") seen.shown++;
        else seen.refused++;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        assertEquals(error.exit, ExitCode.data, error.message);
        texts.push(error.message);
        seen.failed++;
      }
      for (const text of texts) {
        const shown = text.replaceAll(COLOR, "").replaceAll("\n", "");
        assert(!UNSAFE.test(shown), `${line}: ${JSON.stringify(shown)}`);
      }
    }
  }, 0.4);
  assert(Math.min(seen.shown, seen.refused, seen.failed) > 100, JSON.stringify(seen));
});
