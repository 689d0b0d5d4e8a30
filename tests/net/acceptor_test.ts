/** An acceptor owns its listener, also when it cannot be made. */
import { assertEquals } from "@std/assert";
import { childLine, output } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";

Deno.test("a listener without a descriptor to spare gives everything back", async () => {
  using directory = new TemporaryDirectory();
  const path = directory.at("a.sock");
  for (const address of [path, "tcp"]) {
    const answer = await output(childLine("accept-without-descriptors", address));
    // The address is free again, at once and in the same process.
    assertEquals(JSON.parse(answer), ["EMFILE", false, true], address);
  }
});
