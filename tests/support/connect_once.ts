/** Run by a test as another user: connects to the paths of the command line, prints the outcome. */
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
