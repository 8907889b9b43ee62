/** Counts and prints the steps of the lane: a line for each, and of one that failed why. */
export class Steps {
  passed = 0;
  failed = 0;
  readonly #begun = performance.now();

  /** A line with the seconds since the lane began. */
  say(line: string): void {
    const seconds = ((performance.now() - this.#begun) / 1000).toFixed(1).padStart(6);
    console.log(`[${seconds} s] ${line}`);
  }

  /** Does one step. Resolves with whether it passed. */
  async step(name: string, work: () => Promise<unknown>): Promise<boolean> {
    const begun = performance.now();
    const took = (): string => `${((performance.now() - begun) / 1000).toFixed(1)} s`;
    try {
      await work();
      this.passed++;
      this.say(`ok     ${name} ${took()}`);
      return true;
    } catch (error) {
      this.failed++;
      this.say(`FAILED ${name} ${took()}`);
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      console.log(text.replace(/^/gm, '    '));
      return false;
    }
  }

  /** Adds the outcome of tests that were counted elsewhere. */
  add(name: string, counts: { passed: number; failed: number }): void {
    this.passed += counts.passed;
    this.failed += counts.failed;
    const word = counts.failed === 0 ? 'ok    ' : 'FAILED';
    this.say(`${word} ${name}: ${counts.passed} passed, ${counts.failed} failed`);
  }
}
