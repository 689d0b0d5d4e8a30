/**
 * Thousands of relays at once that open, half-close, are cut, reset and aborted at random, with readers that
 * are slow and readers that stop: not one byte of one may appear in another, and nothing may be left.
 */
import { assert, assertEquals } from "@std/assert";
import {
  expectFrom,
  Joint,
  type Kind,
  numbers,
  openSockets,
  pattern,
  type Person,
} from "../support/relay_harness.ts";
import { Reactor } from "../../lib/reactor/reactor.ts";
import { RelayBuffers } from "../../lib/net/relay_buffers.ts";

const SEED = 20_261_124;
const ALL = 2_500;
const AT_ONCE = 150;
/** Cheap ones more often. */
const KINDS: readonly Kind[] = ["unix", "unix", "unix", "tcp", "tcp", "sealed"];

/** One person's plan. */
interface Plan {
  readonly person: Person;
  readonly seed: number;
  readonly total: number;
  sent: number;
  finished: boolean;
  /** Turns for which nothing is read. */
  asleep: number;
}

/** One relay and what is to become of it. */
class Scene {
  readonly joint: Joint;
  readonly plans: readonly [Plan, Plan];
  /** Whether somebody left, reset or aborted before the end. */
  disturbed = false;

  constructor(
    number: number,
    reactor: Reactor,
    buffers: RelayBuffers,
    random: (below: number) => number,
  ) {
    const kind = () => KINDS[random(KINDS.length)]!;
    this.joint = new Joint(reactor, buffers, kind(), kind());
    const plan = (person: Person, seed: number): Plan => ({
      person,
      seed,
      total: random(10) === 0 ? random(1 << 20) : random(40_000),
      sent: 0,
      finished: false,
      asleep: random(4) === 0 ? random(30) : 0,
    });
    const { client, backend } = this.joint;
    this.plans = [plan(client, 2 * number), plan(backend, 2 * number + 1)];
    expectFrom(client, 2 * number + 1);
    expectFrom(backend, 2 * number);
  }

  /** Everybody does a little. @returns Whether the scene is over. */
  act(random: (below: number) => number): boolean {
    for (const plan of this.plans) this.#play(plan, random);
    if (!this.joint.over && random(2_000) === 0) {
      this.disturbed = true;
      this.joint.relay.abort("revoked");
    }
    if (!this.joint.over || this.plans.some(({ person }) => person.end === "open" && person.open)) {
      return false;
    }
    this.#check();
    this.joint.leave();
    return true;
  }

  #play(options: Plan, random: (below: number) => number): void {
    const { person } = options;
    if (!person.open) return;
    person.write();
    if (options.asleep > 0) options.asleep--;
    else {
      for (let times = 0; times < 4 && person.read(); times++);
      if (random(60) === 0) options.asleep = random(40);
    }
    if (options.sent < options.total && person.unsent < 256 * 1024) {
      const length = Math.min(
        options.total - options.sent,
        1 + random(random(3) ? 2_000 : 100_000),
      );
      person.say(pattern(options.seed, options.sent, length));
      options.sent += length;
    } else if (options.sent === options.total && !options.finished) {
      options.finished = true;
      person.finish();
    }
    const whim = random(6_000);
    if (whim < 2) {
      this.disturbed = true;
      if (whim === 0) person.close();
      else person.reset();
    }
  }

  #check(): void {
    const [client, backend] = this.plans;
    assertEquals(this.joint.outcomes.length, 1);
    const { reason, bytesIn, bytesOut } = this.joint.outcomes[0]!;
    assert(backend.person.received <= bytesIn && bytesIn <= client.total);
    assert(client.person.received <= bytesOut && bytesOut <= backend.total);
    if (this.disturbed) return;
    assertEquals([reason, bytesIn, bytesOut], ["end", client.total, backend.total]);
    assertEquals([backend.person.received, client.person.received], [client.total, backend.total]);
    assertEquals([backend.person.end, client.person.end], ["end", "end"]);
  }
}

Deno.test(`thousands of relays keep apart what belongs apart (seed ${SEED})`, () => {
  const random = numbers(SEED);
  const reactor = new Reactor();
  const buffers = new RelayBuffers();
  // The first one brings what is opened once.
  const first = new Joint(reactor, buffers, "sealed", "tcp");
  first.relay.abort("closed");
  first.leave();
  const before = openSockets();
  const scenes = new Set<Scene>();
  let begun = 0;
  let undisturbed = 0;
  const deadline = performance.now() + 120_000;
  while (begun < ALL || scenes.size > 0) {
    assert(performance.now() < deadline, `${scenes.size} of ${begun} are not over`);
    while (begun < ALL && scenes.size < AT_ONCE) {
      scenes.add(new Scene(begun++, reactor, buffers, random));
    }
    reactor.turn(begun < ALL ? 0 : 1);
    for (const scene of scenes) {
      if (!scene.act(random)) continue;
      scenes.delete(scene);
      if (!scene.disturbed) undisturbed++;
    }
  }
  assert(undisturbed > ALL / 4 && undisturbed < ALL, `${undisturbed} were not disturbed`);
  assertEquals([reactor.size, reactor.waiting], [0, 0]);
  assertEquals([...openSockets().difference(before)], []);
});
