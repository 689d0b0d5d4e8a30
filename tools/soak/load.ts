/** Clients of all services on both transports, as many at a time as they are told. */
import type { Random } from "../../tests/support/random.ts";
import { SERVICES, type ServiceVisits, TRANSPORTS } from "../../tests/support/service_visits.ts";
import { use, type Visit } from "../../tests/support/service_visits.ts";
import type { TestClient } from "../../tests/support/test_client.ts";

/** How long an answer may take in all, with the faults, in milliseconds. */
const LIMIT_MS = 60_000;

/** What the clients have seen. */
export class Load {
  readonly #visits: ServiceVisits;
  readonly #random: Random;
  #isOver = false;
  /** How many visits ended how. */
  readonly ends: Record<Visit, number> = { in: 0, closed: 0, cut: 0, "no server": 0, hung: 0 };
  /** From connect(2) to the first byte or the end, in milliseconds: Unix sockets, console. */
  readonly decisions: number[] = [];
  /** What must not have been. */
  readonly problems: string[] = [];
  /** Sessions that stayed open and had to be opened again, because of a fault. */
  reopened = 0;
  /** How often the metrics were asked for without an answer, because of a fault. */
  unanswered = 0;

  constructor(visits: ServiceVisits, random: Random) {
    this.#visits = visits;
    this.#random = random;
  }

  /** The number of connections so far. */
  get connections(): number {
    return Object.values(this.ends).reduce((sum, one) => sum + one, 0);
  }

  /**
   * Runs until {@linkcode stop} is called.
   *
   * @param clients How many come and go at a time.
   * @param idle How many sessions stay open on each forward listener.
   */
  async run(clients: number, idle: number): Promise<void> {
    const staying = TRANSPORTS.flatMap((transport) =>
      Array.from({ length: idle }, () => this.#stay(transport))
    );
    await Promise.all([...Array.from({ length: clients }, () => this.#come()), ...staying]);
  }

  stop(): void {
    this.#isOver = true;
  }

  async #come(): Promise<void> {
    while (!this.#isOver) {
      const service = this.#random.one(SERVICES);
      const transport = this.#random.one(TRANSPORTS);
      const who = this.#random.below(4) === 0 ? "alice" : "bob";
      const began = performance.now();
      let visit: Visit;
      // Some leave in the middle, at whatever stage they are.
      if (this.#random.below(10) === 0) visit = await this.#leave(service, transport, who);
      else if (service === "forward" && who === "bob" && this.#random.below(12) === 0) {
        visit = await this.#sendMuch(transport);
      } else visit = await this.#visits.visit(service, transport, who, LIMIT_MS);
      this.ends[visit]++;
      if (service === "console" && transport === "unix" && who === "alice") {
        this.decisions.push(performance.now() - began);
      }
      if (who === "alice" && (visit === "in" || visit === "cut")) {
        this.problems.push(`alice was ${visit} at ${service} on ${transport}`);
      }
      if (visit === "hung") this.problems.push(`${who} waited at ${service} on ${transport}`);
      // A server that stands still for a moment is no reason to spin.
      if (visit === "no server") await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async #leave(
    service: typeof SERVICES[number],
    transport: typeof TRANSPORTS[number],
    who: "alice" | "bob",
  ): Promise<Visit> {
    let client: TestClient;
    try {
      client = await this.#visits.connect(service, transport, who);
    } catch {
      return "closed";
    }
    using _client = client;
    const wait = this.#random.below(20);
    if (wait > 10) client.send("x".repeat(this.#random.below(50_000)));
    await new Promise((resolve) => setTimeout(resolve, wait));
    return "closed";
  }

  /** A long stream to the backend and back. */
  async #sendMuch(transport: typeof TRANSPORTS[number]): Promise<Visit> {
    let client: TestClient;
    try {
      client = await this.#visits.connect("forward", transport, "bob");
    } catch {
      return "closed";
    }
    using _client = client;
    const text = "0123456789abcdef".repeat(1 + this.#random.below(60_000));
    client.send(`${text}\n`);
    const answer = await client.line();
    if (answer === null) return "cut";
    if (answer !== text) {
      this.problems.push(`of ${text.length} bytes on ${transport}, ${answer.length} came back`);
    }
    return "in";
  }

  /** A session that stays, and is asked for something every few seconds. */
  async #stay(transport: typeof TRANSPORTS[number]): Promise<void> {
    while (!this.#isOver) {
      try {
        using client = await this.#visits.connect("forward", transport, "bob");
        while (!this.#isOver && await use(client, "forward") === "in") {
          await new Promise((resolve) => setTimeout(resolve, 500 + this.#random.below(2_000)));
        }
      } catch {
        // Refused in a fault.
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      if (!this.#isOver) this.reopened++;
    }
  }
}
