/** Long enough to get somewhere, short enough that a caller of something quick does not notice. */
const BUDGET_MS = 1;

/**
 * A long piece of work on the event loop, which asks now and then whether others should have their turn:
 *
 * ```
 * const turn = new Turn();
 * for (const one of many) {
 *   await turn.rest();
 *   …
 * }
 * ```
 */
export class Turn {
  #begun = performance.now();

  /** Lets the event loop see to what has arrived, when a millisecond has passed since it last did. */
  async rest(): Promise<void> {
    if (performance.now() - this.#begun < BUDGET_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#begun = performance.now();
  }
}
