import { assertEquals, assertRejects } from "@std/assert";
import { identityToDropTo } from "../../lib/dataplane/drop_privileges.ts";
import { Failure } from "../../lib/errors.ts";
import { accountByName, accountByUid } from "../../lib/libc/ids.ts";
import { lookUp } from "../../lib/names/lookup.ts";
import type { LookupRequest } from "../../lib/names/results.ts";
import { isRoot } from "../support/program.ts";

const NAMES = { find: (request: LookupRequest) => Promise.resolve(lookUp(request)) };

Deno.test({
  name: "--drop-to takes a name or a uid, also one without an account (needs root)",
  ignore: !isRoot,
  fn: async () => {
    const daemon = accountByName("daemon")!;
    const identity = await identityToDropTo("daemon", NAMES);
    assertEquals([identity.uid, identity.gid], [daemon.uid, daemon.gid]);
    assertEquals(await identityToDropTo(String(daemon.uid), NAMES), identity);
    const free = 3_999_999_999;
    assertEquals(accountByUid(free), null);
    assertEquals(await identityToDropTo(String(free), NAMES), {
      uid: free,
      gid: free,
      groups: [free],
    });
  },
});

Deno.test("--drop-to refuses root, and what names no user", async () => {
  for (const user of ["root", "0", "no-such-user", "4294967295", "-1", "007", "1.5", ""]) {
    const refused = await assertRejects(() => identityToDropTo(user, NAMES), Failure, "", user);
    assertEquals(refused.exit, 64, user);
  }
});
