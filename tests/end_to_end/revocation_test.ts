/** Each change that ends access closes open sessions within a second, in every service. */
import { assert, assertEquals } from "@std/assert";
import { Backend, echo } from "../support/backend.ts";
import { freePort, writeKey } from "../support/keys.ts";
import { isRoot, Lines, Program, type RunningServer } from "../support/program.ts";
import { requireWithin } from "../support/quickly.ts";

const SERVICES = ["console", "forward", "exec"] as const;
/** A session is closed within 1 s; another second is for the processes of the test. */
const REVOCATION_LIMIT_MS = 2_000;

/** What gives bob access in a configuration; each change takes one of these away. */
interface Terms {
  readonly access: boolean;
  readonly listed: boolean;
  readonly group: boolean | null;
  readonly allow: readonly string[];
  readonly key: boolean;
  readonly notAfter: string | null;
}

const TERMS: Terms = {
  access: true,
  listed: true,
  group: null,
  allow: ["bob"],
  key: true,
  notAfter: null,
};

class ConsoleFixture implements AsyncDisposable {
  private constructor(
    readonly program: Program,
    readonly ports: Readonly<Record<string, number>>,
    readonly backend: Backend,
    readonly server: RunningServer,
  ) {}

  static async open(terms: Terms = TERMS): Promise<ConsoleFixture> {
    const program = await Program.install();
    const ports = Object.fromEntries(SERVICES.map((service) => [service, freePort()]));
    const backend = new Backend(program.path("backend.sock"), echo);
    await writeKey(program, "bob.key");
    await writeKey(program, "other.key");
    const text = ConsoleFixture.#text(program, ports, terms);
    const config = await program.write("config.yaml", text);
    const server = await program.serve(["--config", config]);
    await server.events("listen", 6);
    return new ConsoleFixture(program, ports, backend, server);
  }

  static #text(program: Program, ports: Record<string, number>, terms: Terms): string {
    const service = {
      console: "console",
      forward: `{ forward: "unix:${program.path("backend.sock")}" }`,
      exec: "{ exec: [/bin/cat] }",
    };
    const user = terms.listed ? ", user: bob" : "";
    const end = terms.notAfter === null ? "" : `, not_after: ${terms.notAfter}`;
    const key = terms.key ? `{ file: ${program.path("bob.key")}${user}${end} }` : "";
    const other = `{ file: ${program.path("other.key")}, user: carol }`;
    const keys = [key, other].filter((one) => one !== "").join(", ");
    const allow = `allow: [${terms.allow.join(", ")}]`;
    const listeners = SERVICES.flatMap((name) => [
      `  - { unix: ${program.path(`${name}.sock`)}, ${allow}, service: ${service[name]} }\n`,
      `  - { tcp: "127.0.0.1:${ports[name]}", ${allow}, keys: [${keys}], service: ${
        service[name]
      } }\n`,
    ]);
    const bob = terms.listed
      ? `  - { name: bob, uid: 579, gid: 579, local_ipc_access: ${terms.access} }\n`
      : "";
    const groups = terms.group === null
      ? ""
      : `groups: [{ name: ops, gid: 2000, local_ipc_access: ${terms.group} }]\n`;
    return `listeners:\n${listeners.join("")}users:\n${bob}` +
      `  - { name: carol, uid: 580, local_ipc_access: true }\n${groups}`;
  }

  async change(terms: Partial<Terms>): Promise<void> {
    await this.program.write(
      "config.yaml",
      ConsoleFixture.#text(this.program, this.ports, { ...TERMS, ...terms }),
    );
  }

  /** Clients with an open session, which wait for its end. */
  async clients(transports: readonly ("unix" | "tcp")[], groups: number[] = []): Promise<Client[]> {
    const before = this.server.log.filter(({ event }) => event === "allow").length;
    const clients = transports.flatMap((transport) =>
      SERVICES.map((service) => {
        const argv = transport === "unix"
          ? ["socat", "-t0", "-", `UNIX:${this.program.path(`${service}.sock`)}`]
          : [
            ...["ipcauth", "connect", `--tcp=127.0.0.1:${this.ports[service]}`, "--pipe"],
            `--key=${this.program.path("bob.key")}`,
          ];
        const uid = transport === "unix" ? { uid: 579, groups } : {};
        return new Client(this.program.command(argv, { input: "", ...uid }).spawn());
      })
    );
    await this.server.events("allow", before + clients.length);
    return clients;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.backend[Symbol.dispose]();
    await this.program.remove();
  }
}

class Client {
  readonly #child: Deno.ChildProcess;
  readonly #lines: Lines;

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#lines = new Lines(child.stdout);
  }

  async ended(): Promise<void> {
    while (await this.#lines.next() !== null);
    await this.#child.stdin.close().catch(() => {});
    await this.#child.stderr.cancel();
    await this.#child.status;
  }
}

for (
  const [what, transports, before, after, reason] of [
    ["the flag", ["unix", "tcp"], {}, { access: false }, "user-denied"],
    ["the allow list", ["unix", "tcp"], {}, { allow: ["carol"] }, "not-on-listener"],
    ["the key", ["tcp"], {}, { key: false }, "bad-key"],
    ["an end that has passed", ["tcp"], {}, { notAfter: "2020-01-01T00:00:00Z" }, "expired-key"],
    ["the user", ["unix"], {}, { listed: false, allow: ["carol"] }, "unknown-uid"],
    [
      "the group's flag",
      ["unix"],
      { listed: false, group: true, allow: ['"@ops"'], key: false },
      { listed: false, group: false, allow: ['"@ops"'], key: false },
      "group-denied",
    ],
    [
      "the group",
      ["unix"],
      { listed: false, group: true, allow: ["carol", '"@ops"'], key: false },
      { listed: false, group: null, allow: ["carol"], key: false },
      "unknown-uid",
    ],
  ] as const
) {
  Deno.test({
    name: `${what} ends console, forward and exec over ${transports.join(" and ")} (needs root)`,
    ignore: !isRoot,
    async fn() {
      await requireWithin(REVOCATION_LIMIT_MS, async () => {
        await using fixture = await ConsoleFixture.open({ ...TERMS, ...before });
        const clients = await fixture.clients(transports, [2000]);
        const start = performance.now();
        await fixture.change(after);
        await Promise.all(clients.map((client) => client.ended()));
        const took = performance.now() - start;
        const revoked = await fixture.server.events("revoke", clients.length);
        assertEquals(new Set(revoked.map((event) => event.reason)), new Set([reason]));
        const closed = await fixture.server.events("close", clients.length);
        assertEquals(new Set(closed.map((event) => event.reason)), new Set(["revoked"]));
        assertEquals(revoked.length, clients.length);
        return took;
      });
    },
  });
}

Deno.test({
  name: "a key that expires closes its sessions, without a change of a file (needs root)",
  ignore: !isRoot,
  async fn() {
    await requireWithin(REVOCATION_LIMIT_MS, async () => {
      await using fixture = await ConsoleFixture.open();
      const clients = await fixture.clients(["tcp"]);
      const end = Date.now() + 2_000;
      await fixture.change({ notAfter: new Date(end).toISOString() });
      await fixture.server.event("reload", ({ reason }) => reason === "changed");
      await Promise.all(clients.map((client) => client.ended()));
      const late = Date.now() - end;
      assert(late >= 0, `it ended ${-late} ms too early`);
      const revoked = await fixture.server.events("revoke", 3);
      assertEquals(new Set(revoked.map(({ reason }) => reason)), new Set(["expired-key"]));
      return late;
    });
  },
});

Deno.test({
  name: "a change does not affect sessions that keep access (needs root)",
  ignore: !isRoot,
  async fn() {
    await using fixture = await ConsoleFixture.open();
    using root = await Deno.connect({
      transport: "unix",
      path: fixture.program.path("forward.sock"),
    });
    const clients = await fixture.clients(["unix", "tcp"]);
    await fixture.change({ access: false });
    await Promise.all(clients.map((client) => client.ended()));
    await root.write(new TextEncoder().encode("still here"));
    const answer = new Uint8Array(64);
    assertEquals(
      new TextDecoder().decode(answer.subarray(0, (await root.read(answer))!)),
      "still here",
    );
  },
});
