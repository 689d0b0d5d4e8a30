/** The sections of the document: their titles, charts, and what was measured elsewhere. */
import type { Group } from "../scenario.ts";

/** A section. */
export interface Section {
  readonly title: string;
  /** Files of charts. */
  readonly charts: readonly string[];
  /** Paragraphs behind the tables, for what no row measures. */
  readonly notes: readonly string[];
}

export const SECTIONS: Readonly<Record<Group, Section>> = {
  accept: {
    title: "Accept and authenticate",
    charts: [],
    notes: [],
  },
  exec: { title: "A program for each connection", charts: [], notes: [] },
  forward: { title: "Forward from Unix socket to Unix socket", charts: [], notes: [] },
  sessions: {
    title: "Open sessions",
    charts: ["benchmarks/revocation.svg"],
    notes: [
      "A connection that has not finished its handshake takes 1.0 KiB of the server's own memory " +
      "before its first byte, and 2.8 KiB after half an opening (resident memory before and after " +
      "10,000 and 5,000 of them, measured once by hand).",
    ],
  },
  tcp: { title: "TCP with a key", charts: ["benchmarks/keys.svg"], notes: [] },
  users: { title: "Many users", charts: ["benchmarks/users.svg"], notes: [] },
  workers: { title: "More than one data plane", charts: [], notes: [] },
  start: { title: "Start of a process", charts: [], notes: [] },
};
