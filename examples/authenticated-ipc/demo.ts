/**
 * The demo over a Unix socket, with the real program and real users.
 *
 *   deno task demo                  exits with 0 if every step has the expected outcome
 *   deno task demo --interactive    ends at root's prompt
 */
import { fromFileUrl, join } from "@std/path";
import { type Demo, runDemo } from "./demo_runner.ts";
import { print, printHeading } from "./print.ts";

const EXAMPLE = fromFileUrl(new URL("config.yaml", import.meta.url));
const ALICE = "578";
const BOB = "579";

/** Writes the configuration and starts the server. */
async function prepare(demo: Demo): Promise<void> {
  demo.showEnvironment("IPCAUTH_CONFIG", "IPCAUTH_PATH");
  printHeading("The configuration:");
  await demo.write("config.yaml", await Deno.readTextFile(EXAMPLE));
  printHeading("A server, run by root:");
  await demo.startServer("--unix");
}

/** Runs a console in the terminal. */
async function runInteractive(demo: Demo): Promise<void> {
  printHeading("In another terminal, as root, be alice and bob:");
  print(
    `  export IPCAUTH_CONFIG=${demo.path("config.yaml")}\n` +
      `  export IPCAUTH_PATH=${demo.path("ipc.sock")} PATH=${demo.path("bin")}:$PATH\n` +
      `  ipcauth run-as ${ALICE} -- ipcauth connect\n` +
      `  ipcauth run-as ${BOB} -- ipcauth connect\n`,
  );
  printHeading("Here you are root at the console. Lines to try:");
  print(
    "  show users\n  show running-config aaa authentication users user alice\n" +
      "  set user alice local_ipc_access true\n  who\n  help\n  exit\n",
  );
  await demo.runInTerminal(["ipcauth", "connect"]);
}

/** Runs every step, and checks its outcome. */
async function runSteps(demo: Demo): Promise<void> {
  const connect = (uid: string) => ["ipcauth", "run-as", uid, "--", "ipcauth", "connect"];
  const refused = { code: 77, contains: ["Failed to connect to server"] };
  const greeting = (name: string) => ({
    code: 0,
    contains: [`${name} connected from 127.0.0.1 using console on `],
  });
  const showAlice = "show running-config aaa authentication users user alice";

  await demo.step(["ipcauth", "users", "list"], { code: 0, contains: ["alice", "bob"] });

  printHeading(`alice (uid ${ALICE}) may not come in, bob (uid ${BOB}) may:`);
  await demo.step(connect(ALICE), refused);
  await demo.step(connect(BOB), {
    code: 0,
    contains: [...greeting("bob").contains, " local_ipc_access false"],
  }, showAlice);

  printHeading("Why?");
  await demo.step(["ipcauth", "users", "check", ALICE], { code: 77, contains: ["user-denied"] });

  printHeading("Flip both flags; the next connection knows:");
  await demo.step(["ipcauth", "users", "allow", "alice"], { code: 0 });
  await demo.step(["ipcauth", "users", "deny", "bob"], { code: 0 });
  await demo.step(connect(ALICE), {
    code: 0,
    contains: [...greeting("alice").contains, " local_ipc_access true"],
  }, showAlice);
  await demo.step(connect(BOB), refused);

  printHeading("And back again, from root's own console:");
  await demo.step(["ipcauth", "connect", "-c", "deny alice", "-c", "allow bob"], { code: 0 });
  await demo.step(connect(ALICE), refused);
  await demo.step(connect(BOB), greeting("bob"), "who");
}

async function main(args: readonly string[]): Promise<number> {
  const interactive = args.includes("--interactive");
  if (args.some((arg) => arg !== "--interactive")) {
    console.error("usage: deno task demo [--interactive]");
    return 64;
  }
  if (Deno.uid() !== 0) {
    console.error(
      "error: the demo becomes alice and bob, which needs root\nhint: sudo deno task demo",
    );
    return 77;
  }
  return await runDemo({
    env: (directory) => ({
      IPCAUTH_CONFIG: join(directory, "config.yaml"),
      IPCAUTH_PATH: join(directory, "ipc.sock"),
    }),
    // At the prompt, Ctrl-C cancels a line of the console.
    interactive,
    async run(demo) {
      await prepare(demo);
      await (interactive ? runInteractive : runSteps)(demo);
    },
  });
}

Deno.exit(await main(Deno.args));
