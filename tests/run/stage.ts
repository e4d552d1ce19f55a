/** The result of a stage. `failures`: a line for each failed test. `leftOut`: skipped tests, each with its reason. */
export type Tally = { passed: number; failures: string[]; leftOut: string[]; durations?: Duration[] };

/** The duration of a test or hook. */
export type Duration = { title: string; seconds: number };

/** A part of `npm test` that can be run separately by its name. */
export type Stage = {
  name: string;
  title: string;
  /** Part of `scripts/test quick`. */
  quick?: boolean;
  /** Runs after all other stages, because it measures time. */
  alone?: boolean;
  /** Runs the stage and prints failures. `files`: runs only these test files of a mocha stage. */
  run: (files: string[], quick: boolean) => Promise<Tally>;
};

/** @returns a tally with one skipped entry */
export const leftOut = (what: string): Tally => ({ passed: 0, failures: [], leftOut: [what] });

/** @returns a tally with one failure */
export const failure = (what: string, passed = 0): Tally => ({ passed, failures: [what], leftOut: [] });

/** @returns the sum of several tallies */
export const sum = (tallies: Tally[]): Tally => ({
  passed: tallies.reduce((total, tally) => total + tally.passed, 0),
  failures: tallies.flatMap((tally) => tally.failures),
  leftOut: tallies.flatMap((tally) => tally.leftOut),
  durations: tallies.flatMap((tally) => tally.durations ?? []),
});
