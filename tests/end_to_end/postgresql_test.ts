/** The example for PostgreSQL: an unmodified server behind ipcauth. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { freePort } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

const TRY = fromFileUrl(new URL("../../examples/postgresql/try.sh", import.meta.url));

function isInstalled(): boolean {
  const find = "ls /usr/lib/postgresql/*/bin/initdb || command -v initdb";
  return new Deno.Command("sh", { args: ["-c", find], stdout: "null", stderr: "null" })
    .outputSync().success;
}

Deno.test({
  name: "PostgreSQL's peer authentication sees the user of the client (needs root and PostgreSQL)",
  ignore: !isRoot || !isInstalled(),
  async fn() {
    await using program = await Program.install({ privateSystem: true });
    const env = { PORT: String(freePort()) };
    const { code, stdout, stderr } = await program.execute([TRY], { env });
    assertEquals([code, stderr], [0, ""], stdout);
    assertEquals(stdout.match(/^bob\|bob$/gm)?.length, 2);
    assertStringIncludes(stdout, 'Peer authentication failed for user "bob"');
    assertStringIncludes(stdout, "Every step came out as it must.");
  },
});
