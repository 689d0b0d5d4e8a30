/**
 * The second half of the story, over TCP: there the kernel names nobody, and a secret key does.
 *
 *   deno task demo-tcp    ends with 0 only if every step came out as it must; needs no root
 */
import { join } from "@std/path";
import { perform, type Play, say } from "./demo_runner.ts";

/** A port that is free. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** What an ordinary client hears that knows nothing of keys: how many bytes came back. */
function ordinaryClient(port: number): string[] {
  const talk = `exec 3<>/dev/tcp/127.0.0.1/${port}; echo hello >&3; cat <&3 2>/dev/null | wc -c`;
  return ["bash", "-c", talk];
}

async function tell(play: Play, port: number): Promise<void> {
  const [key, other] = [play.path("bob.key"), play.path("other.key")];
  const server = `--tcp=127.0.0.1:${port}`;
  const connect = (...words: string[]) => ["ipcauth", "connect", server, ...words];
  const banner = "bob connected from 127.0.0.1 using console on ";
  const refused = (why: string) => ({ code: 77, says: ["Failed to connect to server: ", why] });

  say("A key for bob:");
  await play.step(["ipcauth", "gen-key", key], { code: 0, says: [key] });

  say("The configuration says whose it is:");
  await play.write(
    "config.yaml",
    `listeners:
  - tcp: 127.0.0.1:${port}
    keys:
      - { file: ${key}, user: bob }
    service: console
users:
  - { name: alice, uid: 578, gid: 578, local_ipc_access: false }
  - { name: bob,   uid: 579, gid: 579, local_ipc_access: true }
`,
  );

  say("A server:");
  await play.startServer();

  say("A client that knows nothing of keys gets not one byte:");
  await play.step(ordinaryClient(port), { code: 0, says: ["0\n"] });

  say("Without a key, and with one that the server does not know:");
  await play.step(connect(`--key=${play.path("none.key")}`), {
    code: 78,
    says: ["Failed to connect to server: "],
  });
  await play.step(["ipcauth", "gen-key", other], { code: 0 });
  await play.step(connect(`--key=${other}`), refused("does not know this key"));

  say("With bob's key:");
  await play.step(connect(`--key=${key}`), { code: 0, says: [banner, "bob"] }, "who");

  say("A key is worth what its user is; the next connection knows:");
  await play.step(["ipcauth", "users", "deny", "bob"], { code: 0 });
  await play.step(connect(`--key=${key}`), refused("user-denied"));
  await play.step(["ipcauth", "users", "allow", "bob"], { code: 0 });
  await play.step(connect(`--key=${key}`, "-c", "show users"), { code: 0, says: ["bob"] });
}

if (Deno.args.length > 0) {
  console.error("usage: deno task demo-tcp");
  Deno.exit(64);
}
Deno.exit(
  await perform({
    env: (directory) => ({ IPCAUTH_CONFIG: join(directory, "config.yaml") }),
    interactive: false,
    tell: (play) => tell(play, freePort()),
  }),
);
