/** A path that was found to be safe is looked at again: a change counts within milliseconds. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { bind, connect, listen, unixSocket } from "../../../lib/libc/sockets.ts";
import { unixAddress } from "../../../lib/libc/unix_address.ts";
import { BackendTrust } from "../../../lib/service/forward/backend_trust.ts";
import { Errno } from "../../../lib/libc/errno.ts";
import { silentServer } from "../../support/failing_call.ts";
import { isRoot } from "../../support/processes.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";

/** More than the time for which a path is not looked at again, in milliseconds. */
const PAUSE_MS = 6;

Deno.test(
  "a backend is refused as soon as others may replace its socket (needs root)",
  { ignore: !isRoot },
  () => {
    using directory = new TemporaryDirectory();
    Deno.chmodSync(directory.path, 0o755);
    const place = directory.at("place");
    Deno.mkdirSync(place);
    const path = `${place}/backend.sock`;
    using listener = unixSocket();
    bind(listener, unixAddress(path));
    listen(listener, 1);
    using backend = unixSocket();
    connect(backend, unixAddress(path));
    const hostFacts = { serverUid: 0, overflowUid: 65534 };
    const trust = new BackendTrust({ path, hostFacts, user: null, uidOf: () => null });
    const problem = () => {
      const start = performance.now();
      while (performance.now() - start < PAUSE_MS);
      return trust.problemOf(backend);
    };
    for (let looks = 0; looks < 4; looks++) assertEquals(problem(), null);
    Deno.chmodSync(place, 0o777);
    assertStringIncludes(problem() ?? "", `others may write to ${place}`);
    Deno.chmodSync(place, 0o755);
    for (let looks = 0; looks < 4; looks++) assertEquals(problem(), null);
    Deno.renameSync(place, `${place}.old`);
    Deno.symlinkSync(`${place}.old`, place);
    for (let looks = 0; looks < 4; looks++) assertEquals(problem(), null);
    Deno.chmodSync(`${place}.old`, 0o777);
    assertStringIncludes(problem() ?? "", `others may write to ${place}.old`);
    Deno.chmodSync(`${place}.old`, 0o755);
    // Parts whose state is not known are no unchanged ones.
    using _server = silentServer(place, Errno.EIO);
    for (let looks = 0; looks < 4; looks++) assertEquals(problem(), null);
    Deno.chmodSync(`${place}.old`, 0o777);
    assertStringIncludes(problem() ?? "", `others may write to ${place}.old`);
  },
);
