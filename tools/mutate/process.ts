/**
 * The process of the tests: started in the copy of the tree, and killed where it does not end.
 *
 * @module
 */
import { join } from "@std/path";
import type { Tree } from "./tree.ts";
import type { Plan, Step } from "./plan.ts";

const MARK = "\u0001mutate ";
/** Time to load the files, in milliseconds. */
const LOAD_LIMIT = 60_000;
/** Time beyond a test's own limit, after which its process is killed, in milliseconds. */
const GRACE = 1_500;

/** The process of this one, if any. */
let running: Deno.ChildProcess | null = null;

/** Ends the process of the tests: no file of the copy is in use any more. */
export async function endRunning(): Promise<void> {
  if (running === null) return;
  kill(running);
  await running.status;
}

/** Runs a plan, and yields what the process says. A last step without `done` was its end. */
export async function* runPlan(tree: Tree, plan: Plan): AsyncGenerator<Step> {
  const path = join(tree.directory, "plan.json");
  await Deno.writeTextFile(path, JSON.stringify(plan));
  await Deno.writeTextFile(tree.active, String(plan.active));
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "--v8-flags=--enable-experimental-regexp-engine"],
      ...["-P=test", join(tree.root, "tools/mutate/runner.ts"), path],
    ],
    cwd: tree.root,
    env: {
      TMPDIR: tree.temporary,
      NO_COLOR: "1",
      IPCAUTH_BUILD: "bundle",
      // Many mutants let a test wait for what never comes (`tests/support/endpoints.ts`).
      IPCAUTH_WAIT_MS: "1500",
    },
    // A group of its own, so that the programs that its tests have started end with it.
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  running = child;
  // They may hold its output open.
  const ended = child.status.then(() => kill(child));
  let timer = setTimeout(() => kill(child), LOAD_LIMIT);
  let isDone = false;
  try {
    for await (const line of lines(child.stdout)) {
      const at = line.indexOf(MARK);
      if (at < 0) continue;
      const step: Step = JSON.parse(line.slice(at + MARK.length));
      clearTimeout(timer);
      timer = setTimeout(() => kill(child), "begins" in step ? step.limit + GRACE : LOAD_LIMIT);
      isDone ||= "done" in step;
      yield step;
    }
  } finally {
    clearTimeout(timer);
    kill(child);
    await ended;
    running = null;
  }
  const text = await errors;
  if (!isDone && plan.active === -1) throw new Error(`The tests did not end:\n${text}`);
}

function kill(child: Deno.ChildProcess): void {
  try {
    Deno.kill(-child.pid, "SIGKILL");
  } catch {
    // All of it has ended.
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
