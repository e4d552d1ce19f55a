/** The outcome of a stage. What was left out is a sentence each: what, and why. */
export type Tally = { passed: number; failed: number; leftOut: string[]; durations?: Duration[] };

/** How long a test or a hook took. */
export type Duration = { title: string; seconds: number };

/** A part of `npm test` that can be run by its name alone. */
export type Stage = {
  name: string;
  title: string;
  /** Part of `scripts/test quick`. */
  quick?: boolean;
  /** Runs when all others have ended, since it measures time. */
  alone?: boolean;
  /** Runs the stage and prints what failed. `files` narrows a mocha stage to some of its files. */
  run: (files: string[], quick: boolean) => Promise<Tally>;
};

/** @returns a tally of nothing but one thing left out */
export const leftOut = (what: string): Tally => ({ passed: 0, failed: 0, leftOut: [what] });

/** @returns the sum of several tallies */
export const sum = (tallies: Tally[]): Tally => ({
  passed: tallies.reduce((total, tally) => total + tally.passed, 0),
  failed: tallies.reduce((total, tally) => total + tally.failed, 0),
  leftOut: tallies.flatMap((tally) => tally.leftOut),
  durations: tallies.flatMap((tally) => tally.durations ?? []),
});
