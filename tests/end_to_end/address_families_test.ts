/** Listeners and clients with the addresses that a machine has more than one of. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { writeKey } from "../support/keys.ts";
import { isRoot, Program } from "../support/program.ts";

const USERS = "users: [{ name: bob, uid: 579, local_ipc_access: true }]\n";

/** A network namespace with a hosts file of its own, and a link-local address. */
const NETWORK = `set -e
printf '127.0.0.1 localhost both.test\\n::1 localhost both.test\\n127.0.0.1 both.test\\n' > "$1/hosts"
mount --bind "$1/hosts" /etc/hosts
ip link set lo up
ip -6 addr add fe80::53/64 dev lo nodad
shift
exec "$@"
`;

function isolated(program: Program, ...argv: string[]): string[] {
  const unshare = ["unshare", "--net", "--mount", "--propagation", "private", "--"];
  return [...unshare, "sh", "-c", NETWORK, "sh", program.directory, ...argv];
}

/** Whether such a namespace can be made here. */
const canIsolate = isRoot && new Deno.Command("unshare", {
  args: ["--net", "--mount", "test", "-e", "/proc/net/if_inet6"],
  stdout: "null",
  stderr: "null",
}).outputSync().success;

/** Runs a shell script in a namespace of its own, with a key and a function \`try ADDRESS\`. */
async function run(program: Program, script: string) {
  const key = await writeKey(program, "bob.key");
  const prelude = `try() { ipcauth connect --tcp="$1" --key=${key} -c 'show user bob' 2>&1 |
    grep -o 'bob\\|Failed.*' | head -1; }\n`;
  return await program.execute(isolated(program, "bash", "-c", prelude + script));
}

/** Starts a server in the script and waits until its listeners are open; ends it at the end. */
function serving(program: Program, listeners: number): string {
  return `exec 3< <(exec ipcauth serve --config ${program.path("config.yaml")} 2>&1); pid=$!
    trap 'kill $pid' EXIT
    for n in $(seq ${listeners}); do
      read -r line <&3; echo "$line" | grep -o '"listener":"[^"]*"'
    done
  `;
}

function listener(address: string, program: Program): string {
  const keys = `keys: [{ file: ${program.path("bob.key")}, user: bob }]`;
  return `  - { tcp: "${address}", ${keys}, service: console }\n`;
}

Deno.test({
  name: "localhost, and any name with two addresses, listens on both (needs root)",
  ignore: !canIsolate,
  async fn() {
    await using program = await Program.install();
    const lines = [listener("localhost:4569", program), listener("both.test:4570", program)];
    await program.write("config.yaml", `listeners:\n${lines.join("")}${USERS}`);
    const { stdout, stderr } = await run(
      program,
      serving(program, 2) +
        `for host in 127.0.0.1 '[::1]' localhost localhost.; do try "$host:4569"; done
        for host in 127.0.0.1 '[::1]' both.test; do try "$host:4570"; done`,
    );
    const names = '"listener":"tcp:localhost:4569"\n"listener":"tcp:both.test:4570"\n';
    assertEquals(stdout, names + "bob\n".repeat(7), stderr);
  },
});

Deno.test({
  name: "0.0.0.0 and [::] share a port, and [::] alone serves both families (needs root)",
  ignore: !canIsolate,
  async fn() {
    await using program = await Program.install();
    for (const [first, second] of [["0.0.0.0", "[::]"], ["[::]", "0.0.0.0"]]) {
      const lines = [`${first}:4569`, `${second}:4569`, "[::]:4570"].map((one) =>
        listener(one, program)
      );
      await program.write("config.yaml", `listeners:\n${lines.join("")}${USERS}`);
      const { stdout, stderr } = await run(
        program,
        serving(program, 3) +
          `for port in 4569 4570; do try 127.0.0.1:$port; try "[::1]:$port"; done`,
      );
      assertEquals(stdout.split("\n").slice(3), ["bob", "bob", "bob", "bob", ""], stdout + stderr);
    }
  },
});

Deno.test({
  name: "a listener for both families leaves IPv4 to another that is added (needs root)",
  ignore: !canIsolate,
  async fn() {
    await using program = await Program.install();
    const both = listener("[::]:4569", program);
    const v4 = listener("0.0.0.0:4569", program);
    await program.write("config.yaml", `listeners:\n${both}${USERS}`);
    await program.write("next.yaml", `listeners:\n${both}${v4}${USERS}`);
    const [config, next] = [program.path("config.yaml"), program.path("next.yaml")];
    const { stdout, stderr } = await run(
      program,
      serving(program, 1) +
        `mv ${next} ${config}
        read -r line <&3
        until case $line in *'"listen"'*0.0.0.0*) true;; *) false;; esac; do read -r line <&3; done
        try 127.0.0.1:4569; try '[::1]:4569'`,
    );
    assertEquals(stdout, '"listener":"tcp:[::]:4569"\nbob\nbob\n', stderr);
  },
});

Deno.test({
  name: "an IPv6 address with a zone works, and a missing interface is said (needs root)",
  ignore: !canIsolate,
  async fn() {
    await using program = await Program.install();
    const address = "[fe80::53%lo]:4569";
    await program.write("config.yaml", `listeners:\n${listener(address, program)}${USERS}`);
    const { stdout, stderr } = await run(
      program,
      serving(program, 1) + `try '${address}'; try '[fe80::53%zone9]:4569'`,
    );
    const [name, client, missing] = stdout.split("\n");
    assertEquals([name, client], [`"listener":"tcp:${address}"`, "bob"], stderr);
    assertStringIncludes(missing!, 'this machine has no network interface "zone9"');
    const other = listener("[fe80::53%zone9]:4569", program);
    await program.write("config.yaml", `listeners:\n${other}${USERS}`);
    const refused = await run(program, `ipcauth serve --config ${program.path("config.yaml")}`);
    assertEquals(refused.code, 69);
    assertMatch(refused.stderr, /Cannot listen on \S+: this machine has no network interface/);
  },
});
