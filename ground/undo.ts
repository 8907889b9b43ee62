/**
 * The undo of what was done so far, in reverse order. Each acquired resource pushes its undo on the next line;
 * `rollback` runs them all, each independent of the others; `keep` forgets them once the work is committed.
 */
export class UndoStack {
  readonly #steps: { name: string; undo: () => void | Promise<void> }[] = [];

  push(name: string, undo: () => void | Promise<void>): void {
    this.#steps.push({ name, undo });
  }

  keep(): void {
    this.#steps.length = 0;
  }

  /** Runs every undo, newest first. Returns those that failed: the caller makes debts of them. */
  async rollback(): Promise<{ name: string; error: unknown }[]> {
    const failed: { name: string; error: unknown }[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        failed.push({ name: step.name, error });
      }
    }
    return failed;
  }
}
