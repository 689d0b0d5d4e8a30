/**
 * Servers that are killed, stopped for a while, or whose clock is set, while clients come.
 * `IPCAUTH_KILLS` is how many are killed, `IPCAUTH_FUZZ_SEED` the seed of other moments.
 */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { childrenOf, ended } from "../support/exec_server.ts";
import { isInstalled } from "../support/installed.ts";
import { isRoot } from "../support/program.ts";
import { Random } from "../support/random.ts";
import { RpcSession } from "../support/rpc.ts";
import { SERVICES, ServiceVisits, TRANSPORTS, use } from "../support/service_visits.ts";

const options = { ignore: !isRoot };
const SEED = Number(Deno.env.get("IPCAUTH_FUZZ_SEED") ?? 1);
const KILLS = Math.ceil(Number(Deno.env.get("IPCAUTH_KILLS") ?? 20) / 10);
const PLACES = SERVICES.flatMap((service) =>
  TRANSPORTS.map((transport) => ({ service, transport }))
);

/** Each service on each transport lets bob in, and no other. */
async function checkAll(visits: ServiceVisits, where: string): Promise<void> {
  for (const { service, transport } of PLACES) {
    const { bob, alice } = await visits.visitAll(service, transport);
    assertEquals([bob, alice], ["in", "closed"], `${where}: ${service} on ${transport}`);
  }
}

/** Clients that come at once, each to another place. @returns Who was let in. */
async function crowd(visits: ServiceVisits): Promise<void> {
  await Promise.all(
    PLACES.flatMap(({ service, transport }) =>
      (["bob", "alice"] as const).map(async (who) => {
        const visit = await visits.visit(service, transport, who);
        assert(visit !== "hung", `${who} waits for ever at ${service} on ${transport}`);
        assert(who === "bob" || visit === "closed" || visit === "no server", `alice is ${visit}`);
      })
    ),
  );
}

Deno.test(
  "a server that is killed at any moment is replaced at once (needs root)",
  options,
  async () => {
    await using visits = await ServiceVisits.open({ program: "echo hello; exec sleep 1000" });
    const random = new Random(SEED);
    const before = await Deno.readTextFile(visits.config);
    for (let kill = 0; kill < KILLS; kill++) {
      // What is not confirmed is undone by the next server.
      using root = await RpcSession.unix(visits.program.path("console.sock"));
      const { base } = (await root.call("config.entries")).result;
      const changes = [{ user: "alice", set: { local_ipc_access: true } }];
      const commit = await root.call("config.commit", { base, changes, confirm_seconds: 600 });
      assertEquals(commit.error, undefined);
      assert(await Deno.readTextFile(visits.config) !== before);
      // alice is let in until then, so only bob comes.
      const coming = Promise.all(
        PLACES.map(({ service, transport }) => visits.visit(service, transport, "bob")),
      );
      await new Promise((resolve) => setTimeout(resolve, random.below(60)));
      const programs = childrenOf(visits.server.pid).map(Number).filter((pid) => pid > 0);
      await visits.server.stop("SIGKILL");
      for (const visit of await coming) assert(visit !== "hung", `kill ${kill}`);
      for (const pid of programs) await ended(pid);
      // One that is killed while it starts is in no one's way, either.
      const starting = visits.program.command(["ipcauth", "serve", "--config", visits.config])
        .spawn();
      await new Promise((resolve) => setTimeout(resolve, random.below(400)));
      starting.kill("SIGKILL");
      await starting.output();
      await visits.restart();
      await checkAll(visits, `kill ${kill}`);
      assertEquals(await Deno.readTextFile(visits.config), before);
    }
    const left = [...Deno.readDirSync(visits.program.directory)].map(({ name }) => name);
    assertEquals(left.filter((name) => /\.new|unconfirmed|yaml\.lock/.test(name)), []);
  },
);

Deno.test(
  "a server that stands still for a while decides about all who came (needs root)",
  options,
  async () => {
    await using visits = await ServiceVisits.open();
    await checkAll(visits, "before");
    const baseline = await visits.baseline();
    using held = await visits.connect("forward", "unix", "bob");
    assertEquals(await use(held, "forward"), "in");
    for (let round = 0; round < 3; round++) {
      const coming = crowd(visits);
      await new Promise((resolve) => setTimeout(resolve, 10 * round));
      Deno.kill(visits.server.pid, "SIGSTOP");
      const stopped = crowd(visits);
      await visits.rewrite();
      // Longer than the interval of each check.
      await new Promise((resolve) => setTimeout(resolve, 700));
      Deno.kill(visits.server.pid, "SIGCONT");
      await Promise.all([coming, stopped]);
      await checkAll(visits, `round ${round}`);
      assertEquals(await use(held, "forward"), "in");
    }
    held[Symbol.dispose]();
    assertEquals(await visits.left(baseline), "");
    assertEquals(await visits.server.stop(), 0);
  },
);

const hasCompiler = isInstalled("gcc");
const SOURCE = fromFileUrl(new URL("../support/set_clock.c", import.meta.url));
const DAY_S = 86_400;

Deno.test(
  "a clock that is set by years ends no session, and is in the log (needs root and gcc)",
  { ignore: !isRoot || !hasCompiler },
  async () => {
    const library = await Deno.makeTempFile({ suffix: ".so" });
    const clock = await Deno.makeTempFile();
    try {
      const gcc = ["-shared", "-fPIC", "-O1", "-o", library, SOURCE];
      assertEquals((await new Deno.Command("gcc", { args: gcc }).output()).success, true);
      await using visits = await ServiceVisits.open({
        env: { LD_PRELOAD: library, CLOCK: clock },
        more: "  idle_timeout: 1h\n",
      });
      await checkAll(visits, "before");
      const baseline = await visits.baseline();
      const held = await Promise.all(
        TRANSPORTS.map((transport) => visits.connect("forward", transport, "bob")),
      );
      for (const client of held) assertEquals(await use(client, "forward"), "in");
      for (const days of [4_000, -4_000, 0]) {
        await Deno.writeTextFile(clock, String(days * DAY_S));
        await visits.rewrite();
        visits.server.forget();
        await checkAll(visits, `${days} days`);
        for (const client of held) assertEquals(await use(client, "forward"), "in");
        const year = new Date(Date.now() + days * DAY_S * 1_000).getUTCFullYear();
        await visits.server.event(
          "allow",
          ({ time }) => new Date(String(time)).getUTCFullYear() === year,
        );
        for (const { duration_ms } of visits.server.of("close")) {
          assert(Number(duration_ms) >= 0 && Number(duration_ms) < 3_600_000, `${duration_ms}`);
        }
      }
      for (const client of held) client[Symbol.dispose]();
      assertEquals(await visits.left(baseline), "");
      assertEquals(await visits.server.stop(), 0);
    } finally {
      await Deno.remove(library);
      await Deno.remove(clock);
    }
  },
);
