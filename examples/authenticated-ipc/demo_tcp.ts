/**
 * The demo over TCP, where the kernel does not report the peer's uid and a secret key authenticates
 * the client. It needs no root.
 *
 *   deno task demo-tcp    exits with 0 if every step has the expected outcome
 */
import { join } from "@std/path";
import { type Demo, runDemo } from "./demo_runner.ts";
import { printHeading } from "./print.ts";

/** A free port of 127.0.0.1. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

/** A client without keys: sends a line, and prints the number of bytes that it receives. */
function ordinaryClient(port: number): string[] {
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port}; echo hello >&3; cat <&3 2>/dev/null | wc -c`;
  return ["bash", "-c", script];
}

/** Runs every step, and checks its outcome. */
async function runSteps(demo: Demo, port: number): Promise<void> {
  const [key, other] = [demo.path("bob.key"), demo.path("other.key")];
  const server = `--tcp=127.0.0.1:${port}`;
  const connect = (...args: string[]) => ["ipcauth", "connect", server, ...args];
  const banner = "bob connected from 127.0.0.1 using console on ";
  const refused = (reason: string) => ({
    code: 77,
    contains: ["Failed to connect to server: ", reason],
  });

  printHeading("A key for bob:");
  await demo.step(["ipcauth", "gen-key", key], { code: 0, contains: [key] });

  printHeading("The configuration says whose it is:");
  await demo.write(
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

  printHeading("A server:");
  await demo.startServer();

  printHeading("A client that knows nothing of keys gets not one byte:");
  await demo.step(ordinaryClient(port), { code: 0, contains: ["0\n"] });

  printHeading("Without a key, and with one that the server does not know:");
  await demo.step(connect(`--key=${demo.path("none.key")}`), {
    code: 78,
    contains: ["Failed to connect to server: "],
  });
  await demo.step(["ipcauth", "gen-key", other], { code: 0 });
  await demo.step(connect(`--key=${other}`), refused("does not know this key"));

  printHeading("With bob's key:");
  await demo.step(connect(`--key=${key}`), { code: 0, contains: [banner, "bob"] }, "who");

  printHeading("A key is worth what its user is; the next connection knows:");
  await demo.step(["ipcauth", "users", "deny", "bob"], { code: 0 });
  await demo.step(connect(`--key=${key}`), refused("user-denied"));
  await demo.step(["ipcauth", "users", "allow", "bob"], { code: 0 });
  await demo.step(connect(`--key=${key}`, "-c", "show users"), { code: 0, contains: ["bob"] });
}

if (Deno.args.length > 0) {
  console.error("usage: deno task demo-tcp");
  Deno.exit(64);
}
Deno.exit(
  await runDemo({
    env: (directory) => ({ IPCAUTH_CONFIG: join(directory, "config.yaml") }),
    interactive: false,
    run: (demo) => runSteps(demo, freePort()),
  }),
);
