/** What a client says of a server that refuses it. */
import { assertEquals } from "@std/assert";
import { handshakeFailure } from "../../lib/client/access_failure.ts";
import { ExitCode } from "../../lib/errors.ts";

Deno.test("a reason that no server of ipcauth gives is named, whatever word it is", () => {
  for (const reason of ["", "tired", "constructor", "__proto__", "toString"]) {
    const failure = handshakeFailure("far:4", { kind: "rejected", reason });
    assertEquals([failure.message, failure.exit], [
      `Failed to connect to server: far:4 refuses: for a reason of its own (${reason})`,
      ExitCode.refused,
    ]);
  }
});
