import { faultAt } from './fault.ts';
import type { Operation, Stage, StageSink } from './stages.ts';

/** One running operation, and the stage it stands at. */
export class Progress {
  readonly #sink: StageSink;
  readonly #operation: Operation;
  readonly #id: string;
  readonly #subject: string;

  constructor(sink: StageSink, operation: Operation, id: string, subject: string) {
    this.#sink = sink;
    this.#operation = operation;
    this.#id = id;
    this.#subject = subject;
  }

  /** Runs `work` as the named stage. What it throws comes out as a Fault that names subject and stage. */
  async stage<T>(stage: Stage, work: () => T | Promise<T>): Promise<T> {
    this.#sink.enter(this.#operation, this.#id, stage);
    try {
      return await work();
    } catch (error) {
      throw faultAt(error, this.#subject, stage);
    }
  }
}

/** Runs `work` as one operation on `id`; `subject` is its name in errors (`container 3f2a`). */
export async function inStages<T>(
  sink: StageSink,
  operation: Operation,
  id: string,
  subject: string,
  work: (at: Progress) => Promise<T>,
): Promise<T> {
  try {
    const result = await work(new Progress(sink, operation, id, subject));
    sink.leave(operation, id, 'done');
    return result;
  } catch (error) {
    sink.leave(operation, id, 'failed');
    throw error;
  }
}
