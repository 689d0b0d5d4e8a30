/**
 * Processes that are stopped (`SIGSTOP`) and go on. `IPCAUTH_STOP_MS` is how long, in milliseconds;
 * the limits of time are shorter than that.
 */
import { assert, assertEquals } from "@std/assert";
import { isRoot } from "../support/program.ts";
import { RpcSession } from "../support/rpc.ts";
import { SERVICES, ServiceVisits, use } from "../support/service_visits.ts";

const options = { ignore: !isRoot };
const STOP_MS = Number(Deno.env.get("IPCAUTH_STOP_MS") ?? 2_500);
const stop = () => new Promise((resolve) => setTimeout(resolve, STOP_MS));
const STATS = '{"jsonrpc":"2.0","id":1,"method":"stats"}\n';

Deno.test(
  "after a stop longer than each limit of time, what has come meanwhile counts (needs root)",
  options,
  async () => {
    const limits = `  idle_timeout: ${Math.floor(STOP_MS * 0.8)}ms
  handshake_timeout: ${Math.floor(STOP_MS / 3)}ms
`;
    await using visits = await ServiceVisits.open({ more: limits, program: "echo hi; cat" });
    for (const service of ["console", "exec", "forward"] as const) {
      for (const transport of ["unix", "tcp"] as const) await visits.visitAll(service, transport);
    }
    const baseline = await visits.baseline();
    visits.server.forget();
    // One session of each kind that is used during the stop, and one that is not.
    const used = [
      ["console", "unix", false],
      ["console", "unix", true],
      ["console", "tcp", true],
      ["forward", "unix", true],
      ["forward", "tcp", true],
      ["exec", "tcp", false],
    ] as const;
    const open = async () =>
      await Promise.all(used.map(async ([service, transport, isUsed]) => {
        const client = await visits.connect(service, transport, "bob");
        if (isUsed) assertEquals(await use(client, service), "in");
        else assert(await client.line() !== null);
        return client;
      }));
    const [active, idle] = await Promise.all([open(), open()]);
    using silent = await Deno.connect({ port: visits.portOf("console") });
    Deno.kill(visits.server.pid, "SIGSTOP");
    await stop();
    active.forEach((client, index) => client.send(used[index]![0] === "console" ? STATS : "y\n"));
    const late = used.map(([service, transport]) => visits.visit(service, transport, "bob"));
    const refused = used.map(([service, transport]) => visits.visit(service, transport, "alice"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    Deno.kill(visits.server.pid, "SIGCONT");
    assertEquals(
      await Promise.all(active.map(async (client) => await client.line() !== null)),
      used.map(() => true),
    );
    assertEquals(await Promise.all(late), used.map(() => "in"));
    assertEquals(await Promise.all(refused), used.map(() => "closed"));
    for (const client of idle) while (await client.line() !== null);
    assertEquals(await silent.read(new Uint8Array(1)).catch(() => null), null);
    active.forEach((client) => client[Symbol.dispose]());
    assertEquals(await visits.left(baseline), "");
    const reasons = visits.server.of("close").map(({ reason }) => reason);
    assertEquals(reasons.filter((reason) => reason === "idle").length, used.length);
    assertEquals(
      visits.server.of("deny").filter(({ reason }) => reason === "handshake-timeout").length,
      1,
    );
    assertEquals(visits.server.of("error"), []);
    assertEquals(await visits.server.stop(), 0);
  },
);

Deno.test(
  "a commit whose time ends during a stop is rolled back after it (needs root)",
  options,
  async () => {
    await using visits = await ServiceVisits.open();
    const before = await Deno.readTextFile(visits.config);
    using root = await RpcSession.unix(visits.program.path("console.sock"));
    const { base } = (await root.call("config.entries")).result;
    const changes = [{ user: "alice", set: { local_ipc_access: true } }];
    const { error } = await root.call("config.commit", { base, changes, confirm_seconds: 1 });
    assertEquals(error, undefined);
    Deno.kill(visits.server.pid, "SIGSTOP");
    await stop();
    const coming = visits.visit("forward", "unix", "alice");
    Deno.kill(visits.server.pid, "SIGCONT");
    // By the file as it is when it is looked at: before or after.
    assert(["in", "closed"].includes(await coming));
    await visits.server.event("change", ({ reason }) => reason === "rolled-back");
    assertEquals(await Deno.readTextFile(visits.config), before);
    assertEquals(await visits.visit("forward", "unix", "alice"), "closed");
  },
);

Deno.test(
  "a key whose time ends during a stop admits no one after it, and ends its sessions (needs root)",
  options,
  async () => {
    await using visits = await ServiceVisits.open({ program: "echo hi; cat" });
    const end = Date.now() + 2 * STOP_MS;
    const notAfter = new Date(end).toISOString();
    const text = await Deno.readTextFile(visits.config);
    const expiring = text.replaceAll("user: bob }]", `user: bob, not_after: ${notAfter} }]`);
    await visits.program.write("config.yaml", expiring);
    // A client that connects next is checked by that file.
    const sessions = await Promise.all(
      SERVICES.map((service) => visits.connect(service, "tcp", "bob")),
    );
    const uses = await Promise.all(sessions.map((client, at) => use(client, SERVICES[at]!)));
    assertEquals(uses, SERVICES.map(() => "in"));
    visits.server.forget();
    Deno.kill(visits.server.pid, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, end + 100 - Date.now()));
    sessions.forEach((client, at) => client.send(SERVICES[at] === "console" ? STATS : "late\n"));
    const coming = SERVICES.map((service) => visits.visit(service, "tcp", "bob"));
    const others = SERVICES.map((service) => visits.visit(service, "unix", "bob"));
    Deno.kill(visits.server.pid, "SIGCONT");
    assertEquals(await Promise.all(coming), SERVICES.map(() => "closed"));
    assertEquals(await Promise.all(others), SERVICES.map(() => "in"));
    for (const client of sessions) while (await client.line() !== null);
    sessions.forEach((client) => client[Symbol.dispose]());
    const reasonsOf = async (event: string) =>
      (await visits.server.events(event, SERVICES.length)).map(({ reason }) => reason);
    assertEquals(await reasonsOf("deny"), SERVICES.map(() => "expired-key"));
    assertEquals(await reasonsOf("revoke"), SERVICES.map(() => "expired-key"));
  },
);
