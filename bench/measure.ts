/** Measures a scenario: all sides in turn, round by round. */
import type { Installation } from "./installation.ts";
import { Place } from "./place.ts";
import type { ScenarioResult, SideResult } from "./results.ts";
import type { Figures, Measure, Scenario } from "./scenario.ts";
import { MissingTool } from "./tools.ts";

/** The fewest rounds, however long they take. */
const MIN_ROUNDS = 3;

/** How a scenario is measured. */
export interface MeasureOptions {
  readonly isQuick: boolean;
  /** Instead of the scenario's own number, and of its budget. */
  readonly rounds?: number | undefined;
  /** Ends it, at any time. */
  readonly signal: AbortSignal;
  /** Called before each round; 0 is the one that does not count. */
  readonly onRound: (round: number, of: number) => void;
}

/** A side with what was measured of it. */
interface StartedSide {
  readonly result: SideResult & { readonly samples: Record<string, number[]> };
  readonly measure: Measure;
}

/** How often a scenario is tried. A port may be taken in between, or a start take too long. */
const ATTEMPTS = 2;

/**
 * Measures a scenario in a place of its own.
 *
 * @returns What was measured; where it is interrupted, the complete rounds. Where it fails,
 * nothing but the error.
 */
export async function measureScenario(
  scenario: Scenario,
  installation: Installation,
  options: MeasureOptions,
): Promise<ScenarioResult> {
  const load = Deno.loadavg()[0]!;
  for (let attempt = 1;; attempt++) {
    const sides: SideResult[] = [];
    try {
      await measureSides(scenario, installation, sides, options);
    } catch (error) {
      if (!options.signal.aborted) {
        if (attempt < ATTEMPTS) continue;
        const skipped = `it failed: ${(error as Error).message.trim().split("\n")[0]}`;
        const { name, role } = scenario.sides[0]!;
        return { id: scenario.id, load, sides: [{ name, role, samples: {}, skipped }] };
      }
    }
    return { id: scenario.id, load, sides };
  }
}

/** Measures, until it is done or interrupted; then all processes have ended. */
async function measureSides(
  scenario: Scenario,
  installation: Installation,
  sides: SideResult[],
  options: MeasureOptions,
): Promise<void> {
  const place = await Place.open(installation, options.isQuick);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(options.signal.reason);
  options.signal.addEventListener("abort", abort);
  try {
    const measured = measureRounds(scenario, place, sides, options);
    // When it is interrupted, what it waits for ends with an error.
    measured.catch(() => {});
    await Promise.race([measured, aborted]);
  } finally {
    options.signal.removeEventListener("abort", abort);
    await place.close();
  }
}

async function measureRounds(
  scenario: Scenario,
  place: Place,
  results: SideResult[],
  options: MeasureOptions,
): Promise<void> {
  const start = performance.now();
  const rounds = options.rounds ?? (options.isQuick ? MIN_ROUNDS : scenario.rounds);
  const sides: StartedSide[] = [];
  for (const { name, role, start } of scenario.sides) {
    const result = { name, role, samples: {} };
    try {
      sides.push({ result, measure: await start(place) });
      results.push(result);
    } catch (error) {
      if (!(error instanceof MissingTool)) throw error;
      results.push({ ...result, skipped: error.message });
      // The others are measured to stand beside it.
      if (role === "ipcauth") return;
    }
  }
  for (let round = 0; round <= rounds; round++) {
    const seconds = (performance.now() - start) / 1000;
    const isOver = options.rounds === undefined && seconds > scenario.seconds;
    if (isOver && round > MIN_ROUNDS) return;
    options.onRound(round, rounds);
    const figures = await measureRound(sides, round);
    // The first round fills caches and triggers compilation, on all sides.
    if (round > 0) keep(sides, figures);
  }
}

/** Each round begins with another side: what the one before leaves behind meets all of them. */
async function measureRound(
  sides: readonly StartedSide[],
  round: number,
): Promise<ReadonlyMap<StartedSide, Figures>> {
  const figures = new Map<StartedSide, Figures>();
  for (let index = 0; index < sides.length; index++) {
    const side = sides[(index + round) % sides.length]!;
    figures.set(side, await side.measure());
  }
  return figures;
}

function keep(sides: readonly StartedSide[], figures: ReadonlyMap<StartedSide, Figures>): void {
  for (const side of sides) {
    for (const [key, value] of Object.entries(figures.get(side)!)) {
      (side.result.samples[key] ??= []).push(value);
    }
  }
}
