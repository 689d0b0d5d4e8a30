/** Prints the users that a server knows: `console.ts SOCKET`. */
import { connectConsole, Failure } from "../../../lib/client/mod.ts";

const [unix = "/run/ipcauth/ipc.sock"] = Deno.args;
try {
  await using console = await connectConsole({ unix });
  for (const { name, uid } of await console.users.list()) print(`${name} ${uid}`);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  globalThis.console.error(error.message);
  if (error.hint !== undefined) globalThis.console.error(`hint: ${error.hint}`);
  Deno.exitCode = error.exit;
}

function print(line: string): void {
  globalThis.console.log(line);
}
