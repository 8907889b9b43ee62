import type { RunCounts } from './reporter.ts';

/** What one step of the gate came to. */
export interface Outcome extends RunCounts {
  /** Printed when something failed. */
  output: string;
}

/** More than these are no bad luck: nothing is tried again then. */
const MOST = 3;

interface Suite {
  name: string;
  first: Outcome;
  again: () => Promise<Outcome>;
}

/**
 * The suites that failed beside others. Each is run once more when nothing runs beside it. One that fails again has
 * failed; one that passes is printed as UNSTABLE: it has a race, in the test or in what it tests, which wants mending.
 */
export class SecondTries {
  readonly #suites: Suite[] = [];

  /** Takes the failed outcome, which is not to be counted yet. */
  add(name: string, first: Outcome, again: () => Promise<Outcome>): void {
    this.#suites.push({ name, first, again });
  }

  /**
   * Runs them, one after the other, by `run`, which prints and counts a step. Resolves with the names of the unstable
   * ones. With more than three nothing is run, and `run` gets the first outcomes.
   */
  async settle(run: (name: string, work: () => Promise<Outcome>) => Promise<Outcome>): Promise<string[]> {
    const unstable: string[] = [];
    const many = this.#suites.length > MOST;
    for (const { name, first, again } of this.#suites.splice(0)) {
      const { failed } = many
        ? await run(`${name}, as printed above`, () => Promise.resolve({ ...first, output: '' }))
        : await run(`${name}, once more and alone`, again);
      if (failed === 0) unstable.push(name);
    }
    return unstable;
  }
}
