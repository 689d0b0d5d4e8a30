/** The parameters of `config.commit`: what is no change is an error, and never a default. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  COMMIT_PARAMS,
  type CommitRequest,
  readCommit,
} from "../../../lib/service/console/commit_params.ts";
import { Params } from "../../../lib/service/console/params.ts";
import { RpcCode } from "../../../lib/service/console/protocol.ts";
import { RequestError } from "../../../lib/service/console/request.ts";

function read(values: Readonly<Record<string, unknown>>): CommitRequest {
  return readCommit(new Params(values, ...COMMIT_PARAMS));
}

Deno.test("readCommit() reads changes, and leaves nothing to chance", () => {
  const changes = [
    { user: "alice", set: { uid: 5, gid: null, local_ipc_access: true, admin: false } },
    { group: "ops", remove: true },
    { group: "__proto__", set: {} },
  ];
  assertEquals(read({ base: "b", changes }), {
    base: "b",
    changes: [
      {
        kind: "user",
        name: "alice",
        set: { uid: 5, gid: null, local_ipc_access: true, admin: false },
      },
      { kind: "group", name: "ops", set: null },
      { kind: "group", name: "__proto__", set: {} },
    ],
    check: false,
    confirmSeconds: null,
    force: false,
  });
  const all = { base: "", changes: [], check: true, confirm_seconds: 86_400, force: true };
  assertEquals(read(all).confirmSeconds, 86_400);
});

const SET = { local_ipc_access: true };

for (
  const change of [
    null,
    "user alice",
    [],
    {},
    { set: SET },
    { user: "alice" },
    { user: 5, set: SET },
    { user: "alice", group: "ops", set: SET },
    { user: "alice", set: SET, remove: true },
    { user: "alice", remove: false },
    { user: "alice", remove: "true" },
    { user: "alice", set: null },
    { user: "alice", set: ["admin"] },
    { user: "alice", unset: ["gid"] },
    { user: "alice", set: { uid: null } },
    { user: "alice", set: { uid: "5" } },
    { user: "alice", set: { uid: -1 } },
    { user: "alice", set: { uid: 1.5 } },
    { user: "alice", set: { uid: 4_294_967_295 } },
    { user: "alice", set: { gid: "none" } },
    { user: "alice", set: { admin: 1 } },
    { user: "alice", set: { local_ipc_access: null } },
  ]
) {
  Deno.test(`readCommit() refuses the change ${JSON.stringify(change)}`, () => {
    const error = assertThrows(() => read({ base: "", changes: [change] }), RequestError);
    assertEquals(error.code, RpcCode.invalidParams);
  });
}

for (
  const values of [
    { changes: [] },
    { base: "" },
    { base: "", changes: {} },
    { base: "", changes: [], check: "yes" },
    { base: "", changes: [], confirm_seconds: 0 },
    { base: "", changes: [], confirm_seconds: 86_401 },
    { base: "", changes: [], confirm_seconds: "60" },
    { base: "", changes: [], forced: true },
  ]
) {
  Deno.test(`readCommit() refuses the parameters ${JSON.stringify(values)}`, () => {
    const error = assertThrows(() => read(values), RequestError);
    assertEquals(error.code, RpcCode.invalidParams);
  });
}
