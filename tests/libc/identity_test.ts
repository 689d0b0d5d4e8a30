import { assertEquals } from "@std/assert";
import { childLine, isRoot, output } from "../support/processes.ts";

const options = { ignore: !isRoot };

/** A uid with a gid and groups. */
function identity(uid: number, groups: readonly number[] = [], gid = uid) {
  return { uid, gid, groups };
}

/**
 * Makes a child take on identities, the last one through `becomeIdentity()`.
 *
 * @returns The distinct ids of its threads, or the error.
 */
async function become(
  steps: readonly ReturnType<typeof identity>[],
  prefix: readonly string[] = [],
): Promise<unknown> {
  const args = steps.map((step) => JSON.stringify(step));
  return JSON.parse(await output([...prefix, ...childLine("identity", ...args)]));
}

/** With this bit of `capabilities(7)`, a change of uid keeps the capabilities of root. */
const KEEP_CAPABILITIES = ["setpriv", "--securebits=+no_setuid_fixup", "--"];

Deno.test(
  "becomeIdentity() changes all four ids and the groups of every thread (needs root)",
  options,
  async () => {
    assertEquals(await become([identity(579, [3001, 3000, 3001], 2000)]), [
      "Gid: 2000 2000 2000 2000",
      "Groups: 3000 3001",
      "Uid: 579 579 579 579",
    ]);
  },
);

Deno.test("becomeIdentity() removes the groups before (needs root)", options, async () => {
  assertEquals(await become([identity(0, [4, 27]), identity(579)]), [
    "Gid: 579 579 579 579",
    "Groups:",
    "Uid: 579 579 579 579",
  ]);
});

Deno.test(
  "becomeIdentity() throws when root could be taken back (needs root)",
  options,
  async () => {
    assertEquals(await become([identity(579)], KEEP_CAPABILITIES), "root could be taken back");
  },
);

Deno.test(
  "becomeIdentity() throws when root could be taken back, also without a change (needs root)",
  options,
  async () => {
    assertEquals(
      await become([identity(579), identity(579)], KEEP_CAPABILITIES),
      "root could be taken back",
    );
  },
);

for (
  const [what, wanted] of [
    ["the uid", identity(580, [], 579)],
    ["the uid to 0", identity(0, [], 579)],
    ["the gid", identity(579, [], 580)],
    ["the groups", identity(579, [580])],
  ] as const
) {
  Deno.test(
    `becomeIdentity() without root cannot change ${what} (needs root)`,
    options,
    async () => {
      assertEquals(await become([identity(579), wanted]), "EPERM");
    },
  );
}

Deno.test("becomeIdentity() without root cannot remove a group (needs root)", options, async () => {
  assertEquals(await become([identity(579, [580]), identity(579)]), "EPERM");
});

for (const [held, wanted] of [[[579], []], [[579, 580], [580]], [[580], [580, 579]]] as const) {
  Deno.test(
    `becomeIdentity() of uid 579 with groups [${held}] may keep groups [${wanted}] (needs root)`,
    options,
    async () => {
      const ids = await become([identity(579, held), identity(579, wanted)]);
      assertEquals(ids, [
        "Gid: 579 579 579 579",
        `Groups: ${held.join(" ")}`,
        "Uid: 579 579 579 579",
      ]);
    },
  );
}

Deno.test(
  "becomeIdentity() is EPERM in a user namespace that does not map the uid (needs root)",
  options,
  async () => {
    assertEquals(await become([identity(579)], ["unshare", "--map-root-user"]), "EPERM");
  },
);
