/** Run as another user by a test: connects to the paths of the command line and prints how it came out. */
import { connectUnix } from "../../lib/client/connect_unix.ts";
import { Failure } from "../../lib/errors.ts";
import { effectiveUid } from "../../lib/libc/ids.ts";

try {
  const { connection, path } = await connectUnix(Deno.args, {
    ownUid: effectiveUid(),
    serverUid: null,
  });
  connection.close();
  console.log(JSON.stringify({ path }));
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.log(JSON.stringify({ message: error.message, exit: error.exit }));
}
