/**
 * Measures ipcauth against other servers, in one run on one machine:
 * `deno task bench [--json] [TEXT]...`. With texts, only the rows are measured whose name and peer
 * contain one of them. The exit code does not depend on the figures.
 */
import { MissingTool } from "./bench.ts";
import { formatResult, measure, type Result, type Row } from "./row.ts";
import { ACCEPT_ROWS } from "./rows/accept.ts";
import { EXEC_ROWS } from "./rows/exec.ts";
import { FORWARD_ROWS } from "./rows/forward.ts";
import { PROCESS_ROWS } from "./rows/processes.ts";
import { KEYS_ROWS } from "./rows/keys.ts";
import { TUNNEL_ROWS } from "./rows/tunnel.ts";
import { USERS_ROWS } from "./rows/users.ts";

const ROWS: readonly Row[] = [
  ...ACCEPT_ROWS,
  ...EXEC_ROWS,
  ...TUNNEL_ROWS,
  ...FORWARD_ROWS,
  ...PROCESS_ROWS,
  ...USERS_ROWS,
  ...KEYS_ROWS,
];

const isJson = Deno.args.includes("--json");
const texts = Deno.args.filter((arg) => arg !== "--json");
const results: Result[] = [];
if (!isJson) {
  console.log(
    `${navigator.hardwareConcurrency} cores, Linux ${Deno.osRelease()}, Deno ${Deno.version.deno}`,
  );
}
for (const row of ROWS) {
  const title = `${row.name} ${row.peer}`;
  if (texts.length > 0 && !texts.some((text) => title.includes(text))) continue;
  try {
    const result = await measure(row);
    results.push(result);
    if (!isJson) console.log(formatResult(result));
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    console.error(`left out: ${row.name}, against ${row.peer}: ${error.message}`);
  }
}
if (isJson) console.log(JSON.stringify(results, null, 2));
