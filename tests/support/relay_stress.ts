/**
 * Run by a test as a process of its own: thousands of relays that open, half-close, are closed,
 * reset and aborted at random, with readers that are slow and readers that stop. Fails if a byte of
 * one relay appears in another, or is neither received nor reported as lost. Prints what is left,
 * as JSON.
 *
 * `relay_stress.ts SEED COUNT [may-fail]`, the latter where sending may fail for want of memory.
 */
import { assert, assertEquals } from "@std/assert";
import {
  expectPattern,
  type Kind,
  pattern,
  randomNumbers,
  RelayFixture,
  type TestPeer,
} from "./relay_harness.ts";
import type { RelayCloseReason } from "../../lib/net/relay_outcome.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { RelayBuffers } from "../../lib/net/relay_buffers.ts";

const [seed, count] = Deno.args.map(Number) as [number, number];
const mayFail = Deno.args[2] === "may-fail";
const CONCURRENT = 150;
/** How long all of it may take. */
const TIMEOUT_MS = 120_000;
/** The kinds that cost less are more frequent. */
const KINDS: readonly Kind[] = ["unix", "unix", "unix", "tcp", "tcp", "sealed"];

/** How relays between correct peers may end. */
const REASONS: ReadonlySet<RelayCloseReason> = new Set(["end", "error", "truncated", "revoked"]);

/** What one peer sends, and how far it is. */
interface PeerPlan {
  readonly peer: TestPeer;
  readonly kind: Kind;
  readonly seed: number;
  readonly total: number;
  sent: number;
  finished: boolean;
  /** The number of turns in which the peer does not read. */
  turnsAsleep: number;
}

/** One relay, and the plans of its two peers. */
class StressedRelay {
  readonly fixture: RelayFixture;
  readonly plans: readonly [PeerPlan, PeerPlan];
  /** Whether a peer closed or reset its socket, or the relay was aborted, before the end. */
  disturbed = false;

  constructor(
    number: number,
    reactor: Reactor,
    buffers: RelayBuffers,
    random: (below: number) => number,
  ) {
    const kind = () => KINDS[random(KINDS.length)]!;
    const kinds = [kind(), kind()] as const;
    this.fixture = new RelayFixture(reactor, buffers, ...kinds);
    const plan = (peer: TestPeer, kind: Kind, seed: number): PeerPlan => ({
      peer,
      kind,
      seed,
      total: random(10) === 0 ? random(1 << 20) : random(40_000),
      sent: 0,
      finished: false,
      turnsAsleep: random(4) === 0 ? random(30) : 0,
    });
    const { client, backend } = this.fixture;
    this.plans = [plan(client, kinds[0], 2 * number), plan(backend, kinds[1], 2 * number + 1)];
    expectPattern(client, 2 * number + 1);
    expectPattern(backend, 2 * number);
  }

  /** Takes one step of both peers. @returns Whether the relay and both peers have ended. */
  step(random: (below: number) => number): boolean {
    for (const plan of this.plans) this.#step(plan, random);
    if (!this.fixture.isClosed && random(2_000) === 0) {
      this.disturbed = true;
      this.fixture.relay.abort("revoked");
    }
    if (!this.fixture.isClosed || this.plans.some(({ peer }) => peer.end === "open" && peer.open)) {
      return false;
    }
    this.#check();
    this.fixture.close();
    return true;
  }

  #step(plan: PeerPlan, random: (below: number) => number): void {
    const { peer } = plan;
    if (!peer.open) return;
    peer.write();
    if (plan.turnsAsleep > 0) plan.turnsAsleep--;
    else {
      for (let times = 0; times < 4 && peer.read(); times++);
      if (random(60) === 0) plan.turnsAsleep = random(40);
    }
    if (plan.sent < plan.total && peer.unsent < 256 * 1024) {
      const length = Math.min(
        plan.total - plan.sent,
        1 + random(plan.total > 100_000 ? 200_000 : random(3) ? 2_000 : 100_000),
      );
      peer.send(pattern(plan.seed, plan.sent, length));
      plan.sent += length;
    } else if (plan.sent === plan.total && !plan.finished) {
      plan.finished = true;
      peer.finish();
    }
    const choice = random(6_000);
    if (choice < 2) {
      this.disturbed = true;
      if (choice === 0) peer.close();
      else peer.reset();
    }
  }

  #check(): void {
    const [client, backend] = this.plans;
    assertEquals(this.fixture.outcomes.length, 1);
    const { reason, bytesIn, bytesOut, unconfirmedIn, unconfirmedOut } = this.fixture.outcomes[0]!;
    assert(REASONS.has(reason), reason);
    assert(bytesIn <= client.total && bytesOut <= backend.total);
    checkReceived(backend, bytesIn, unconfirmedIn);
    checkReceived(client, bytesOut, unconfirmedOut);
    if (mayFail && reason === "error") this.disturbed = true;
    if (this.disturbed) return;
    const outcome = [reason, bytesIn, bytesOut, unconfirmedIn, unconfirmedOut];
    assertEquals(outcome, ["end", client.total, backend.total, 0, 0]);
    assertEquals([backend.peer.received, client.peer.received], [client.total, backend.total]);
    assertEquals([backend.peer.end, client.peer.end], ["end", "end"]);
  }
}

/** What a peer has received, and what was lost, is what the relay has read for it. */
function checkReceived({ peer, kind }: PeerPlan, bytes: number, unconfirmed: number): void {
  const { received } = peer;
  const hasReadAll = peer.end !== "open";
  assert(received <= bytes, `${received} of ${bytes} bytes`);
  if (kind === "unix") {
    const text = `${received} of ${bytes} bytes, ${unconfirmed} lost`;
    assert(hasReadAll ? received === bytes - unconfirmed : received <= bytes - unconfirmed, text);
  }
  // Behind a reset there may be bytes that the peer's machine has acknowledged.
  if (kind === "tcp" && peer.end === "end") assert(received >= bytes - unconfirmed);
}

/**
 * The sockets and pipes of this process, listed by another process: Deno does not let a program
 * read its own `/proc/self/fd`. No pipe leads to that one.
 */
function openDescriptors(): Set<string> {
  const list = Deno.makeTempFileSync();
  const args = ["-c", 'ls -l "/proc/$1/fd" >"$0"', list, String(Deno.pid)];
  new Deno.Command("sh", { args, stdin: "null", stdout: "null", stderr: "null" }).outputSync();
  const text = Deno.readTextFileSync(list);
  Deno.removeSync(list);
  return new Set(text.match(/(socket|pipe):\[\d+\]/g));
}

const random = randomNumbers(seed);
const reactor = new Reactor();
const buffers = new RelayBuffers();
let spliced = 0;
const move = buffers.pipe.move.bind(buffers.pipe);
buffers.pipe.move = (...sockets) => {
  const count = move(...sockets);
  spliced += count;
  return count;
};
// The first relay opens what stays open: the listening socket of the harness.
const first = new RelayFixture(reactor, buffers, "sealed", "tcp");
first.relay.abort("closed");
first.close();
const before = openDescriptors();
const running = new Set<StressedRelay>();
let started = 0;
let undisturbed = 0;
const deadline = performance.now() + TIMEOUT_MS;
while (started < count || running.size > 0) {
  assert(performance.now() < deadline, `${running.size} of ${started} have not ended`);
  while (started < count && running.size < CONCURRENT) {
    running.add(new StressedRelay(started++, reactor, buffers, random));
  }
  reactor.turn(started < count ? 0 : 1);
  for (const relay of running) {
    if (!relay.step(random)) continue;
    running.delete(relay);
    if (!relay.disturbed) undisturbed++;
  }
}
console.log(JSON.stringify({
  undisturbed,
  spliced,
  registered: reactor.size,
  waiting: reactor.waiting,
  leaked: [...openDescriptors().difference(before)],
}));
