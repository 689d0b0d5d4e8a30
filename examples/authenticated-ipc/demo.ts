/**
 * The story over a Unix socket, told by the real program on real users.
 *
 *   deno task demo                  ends with 0 only if every step came out as it must
 *   deno task demo --interactive    leaves you at root's prompt
 */
import { fromFileUrl, join } from "@std/path";
import { perform, type Play, print, say } from "./demo_runner.ts";

const EXAMPLE = fromFileUrl(new URL("config.yaml", import.meta.url));
const ALICE = "578";
const BOB = "579";

async function prepare(play: Play): Promise<void> {
  play.showEnvironment("IPCAUTH_CONFIG", "IPCAUTH_PATH");
  say("The configuration:");
  await play.write("config.yaml", await Deno.readTextFile(EXAMPLE));
  say("A server, run by root:");
  await play.startServer("--unix");
}

async function interact(play: Play): Promise<void> {
  say("You are root at the console. Lines to try:");
  print(
    "  show users\n  show running-config aaa authentication users user alice\n" +
      "  set user alice local_ipc_access true\n  who\n  help\n  exit\n" +
      "And in another terminal, as root:\n" +
      `  export IPCAUTH_PATH=${play.path("ipc.sock")} PATH=${play.path("bin")}:$PATH\n` +
      `  ipcauth run-as ${ALICE} -- ipcauth connect\n`,
  );
  await play.handOver(["ipcauth", "connect"]);
}

async function tell(play: Play): Promise<void> {
  const connect = (uid: string) => ["ipcauth", "run-as", uid, "--", "ipcauth", "connect"];
  const refused = { code: 77, says: ["Failed to connect to server"] };
  const greeting = (name: string) => ({
    code: 0,
    says: [`${name} connected from 127.0.0.1 using console on `],
  });
  const showAlice = "show running-config aaa authentication users user alice";

  await play.step(["ipcauth", "users", "list"], { code: 0, says: ["alice", "bob"] });

  say(`alice (uid ${ALICE}) may not come in, bob (uid ${BOB}) may:`);
  await play.step(connect(ALICE), refused);
  await play.step(connect(BOB), {
    code: 0,
    says: [...greeting("bob").says, " local_ipc_access false"],
  }, showAlice);

  say("Why?");
  await play.step(["ipcauth", "users", "check", ALICE], { code: 77, says: ["user-denied"] });

  say("Flip both flags; the next connection knows:");
  await play.step(["ipcauth", "users", "allow", "alice"], { code: 0 });
  await play.step(["ipcauth", "users", "deny", "bob"], { code: 0 });
  await play.step(connect(ALICE), {
    code: 0,
    says: [...greeting("alice").says, " local_ipc_access true"],
  }, showAlice);
  await play.step(connect(BOB), refused);

  say("And back again, from root's own console:");
  await play.step(["ipcauth", "connect", "-c", "deny alice", "-c", "allow bob"], { code: 0 });
  await play.step(connect(ALICE), refused);
  await play.step(connect(BOB), greeting("bob"), "who");
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
  return await perform({
    env: (directory) => ({
      IPCAUTH_CONFIG: join(directory, "config.yaml"),
      IPCAUTH_PATH: join(directory, "ipc.sock"),
    }),
    // At the prompt, Ctrl-C is the console's.
    interactive,
    async tell(play) {
      await prepare(play);
      await (interactive ? interact : tell)(play);
    },
  });
}

Deno.exit(await main(Deno.args));
