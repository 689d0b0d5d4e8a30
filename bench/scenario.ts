/**
 * What the benchmark measures, as data. A scenario is a workload that several sides do in turn:
 * ipcauth, its peers, and the limit that the kernel or the cipher sets. Each row is one figure of
 * that workload.
 */
import type { Place } from "./place.ts";

/** The figures of one measurement, by the key of the row. A side may lack some. */
export type Figures = Readonly<Record<string, number>>;

/** Measures a side once. */
export type Measure = () => Promise<Figures>;

/** Whose figure it is. `limit`: what the kernel or the cipher allows on this machine. */
export type Role = "ipcauth" | "peer" | "limit";

/** One of the programs that do the same work. */
export interface Side {
  /** Unique in the scenario. */
  readonly name: string;
  readonly role: Role;
  /** Starts it. @throws {MissingTool} Where a tool is missing, or has not what is measured. */
  start(place: Place): Promise<Measure>;
}

/** `s`, `B` and `B/s` are scaled when they are printed. */
export type Unit = "/s" | "s" | "B" | "B/s";

/** What a figure of ipcauth ought to be. */
export type Aim =
  /** Beside another side: at least, or where less is better at most, so many times its figure. */
  | { readonly beside: string; readonly ratio: number }
  /** In the row's unit. */
  | { readonly figure: number };

/** A figure of a scenario. */
export interface Row {
  /** Unique. */
  readonly name: string;
  readonly unit: Unit;
  readonly better: "more" | "less";
  readonly aims: readonly Aim[];
  /**
   * Where an aim is missed: why, and what was tried. Sentences for the document; every row with an
   * aim has some.
   */
  readonly reason?: string;
  /** A row that differs from others in one number. */
  readonly series?: { readonly name: string; readonly at: number };
}

/** The tables of the document, in their order. */
export type Group =
  | "accept"
  | "exec"
  | "forward"
  | "sessions"
  | "tcp"
  | "users"
  | "workers"
  | "start";

/** A workload and its figures. */
export interface Scenario {
  /** Unique; the name in the results. */
  readonly id: string;
  readonly group: Group;
  /** What a measurement does, as a sentence without its full stop. */
  readonly measures: string;
  /** How often each side is measured, after one time that does not count. */
  readonly rounds: number;
  /** The budget, in seconds. When it is used up, the rounds end early, but not before the third. */
  readonly seconds: number;
  /** The first one is ipcauth as it is measured against the others. */
  readonly sides: readonly Side[];
  readonly rows: Readonly<Record<string, Row>>;
}

/** The name of a figure in all results, such as `forward-16.rate`. */
export const rowId = (scenario: Scenario, key: string): string => `${scenario.id}.${key}`;
