/** Sends standard input to a service with a key, and prints its answer: `service.ts TCP KEY`. */
import { connect, Failure } from "../../../lib/client/mod.ts";

const [tcp = "127.0.0.1:4569", key = "/etc/ipcauth/bob.key"] = Deno.args;
try {
  using connection = await connect({ tcp, key });
  await Promise.all([
    Deno.stdin.readable.pipeTo(connection.writable),
    connection.readable.pipeTo(Deno.stdout.writable),
  ]);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  if (error.hint !== undefined) console.error(`hint: ${error.hint}`);
  Deno.exitCode = error.exit;
}
