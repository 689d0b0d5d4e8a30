import { assertEquals } from "@std/assert";
import { childLine, isRoot, output } from "../support/processes.ts";

const options = { ignore: !isRoot };

/** A uid with its own gid and some groups. */
function identity(uid: number, groups: readonly number[] = [], gid = uid) {
  return { uid, gid, groups };
}

/**
 * Lets a child take on identities, the last one through `becomeIdentity()`.
 *
 * @returns The ids of its threads, each once, or the error.
 */
async function become(
  steps: readonly ReturnType<typeof identity>[],
  prefix: readonly string[] = [],
): Promise<unknown> {
  const args = steps.map((step) => JSON.stringify(step));
  return JSON.parse(await output([...prefix, ...childLine("identity", ...args)]));
}

/** A bit of `capabilities(7)`: a change of uid leaves the rights of root in place. */
const WITH_ROOTS_RIGHTS = ["setpriv", "--securebits=+no_setuid_fixup", "--"];

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

Deno.test("becomeIdentity() leaves none of the groups it had (needs root)", options, async () => {
  assertEquals(await become([identity(0, [4, 27]), identity(579)]), [
    "Gid: 579 579 579 579",
    "Groups:",
    "Uid: 579 579 579 579",
  ]);
});

Deno.test(
  "becomeIdentity() refuses when root could be taken back (needs root)",
  options,
  async () => {
    assertEquals(await become([identity(579)], WITH_ROOTS_RIGHTS), "root could be taken back");
  },
);

Deno.test(
  "becomeIdentity() refuses who could become root, though it changes nothing (needs root)",
  options,
  async () => {
    assertEquals(
      await become([identity(579), identity(579)], WITH_ROOTS_RIGHTS),
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

Deno.test("becomeIdentity() without root cannot shed a group (needs root)", options, async () => {
  assertEquals(await become([identity(579, [580]), identity(579)]), "EPERM");
});

for (const [held, wanted] of [[[579], []], [[579, 580], [580]], [[580], [580, 579]]] as const) {
  Deno.test(
    `who is 579 with groups [${held}] needs no right for groups [${wanted}] (needs root)`,
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
  "becomeIdentity() fails in a user namespace that does not know the uid (needs root)",
  options,
  async () => {
    assertEquals(await become([identity(579)], ["unshare", "--map-root-user"]), "EPERM");
  },
);
