import type { Operation, Stage, StageSink } from '../ground/stages.ts';

/** An operation that runs now. */
export interface InFlight {
  operation: Operation;
  id: string;
  stage: Stage;
  /** Milliseconds since it entered that stage. */
  sinceMs: number;
}

/** Told when a stage is over. */
export interface StageObserver {
  stage(operation: Operation, stage: Stage, seconds: number): void;
  failed(operation: Operation, stage: Stage): void;
}

/** Keeps what runs and at which stage it stands, and measures each stage. */
export class StageWatch implements StageSink {
  readonly #running = new Map<string, { operation: Operation; id: string; stage: Stage; begun: number }>();
  readonly #observer: StageObserver;

  constructor(observer: StageObserver) {
    this.#observer = observer;
  }

  enter(operation: Operation, id: string, stage: Stage): void {
    this.#end(operation, id);
    this.#running.set(`${operation} ${id}`, { operation, id, stage, begun: performance.now() });
  }

  leave(operation: Operation, id: string, outcome: 'done' | 'failed'): void {
    const stage = this.#end(operation, id);
    if (outcome === 'failed' && stage !== undefined) this.#observer.failed(operation, stage);
  }

  /** What runs now, longest first. */
  inFlight(): InFlight[] {
    const now = performance.now();
    return [...this.#running.values()]
      .map(({ operation, id, stage, begun }) => ({ operation, id, stage, sinceMs: Math.round(now - begun) }))
      .sort((a, b) => b.sinceMs - a.sinceMs);
  }

  #end(operation: Operation, id: string): Stage | undefined {
    const key = `${operation} ${id}`;
    const running = this.#running.get(key);
    if (running === undefined) return undefined;
    this.#running.delete(key);
    this.#observer.stage(operation, running.stage, (performance.now() - running.begun) / 1000);
    return running.stage;
  }
}
