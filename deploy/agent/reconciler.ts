import { isDeepStrictEqual } from 'node:util';
import type { NodeWriter } from './node-writer.ts';
import { isOlder, type NodeView } from './node-view.ts';
import type { AgentTimes } from './times.ts';
import { conditionFor, says, type Verdict } from './verdict.ts';

/** What the Node is to say. Undefined: what it says stays. */
export interface Wanted {
  labels?: Record<string, string>;
  verdict?: Verdict;
}

/**
 * Makes the Node say what is wanted, and writes only what differs. Others that change it back (an agent of another
 * version, a person) are not fought: the same is written again after a while.
 */
export class Reconciler {
  readonly #writer: NodeWriter;
  readonly #times: Pick<AgentTimes, 'heartbeatMs' | 'againMs'>;
  #view: NodeView | undefined;
  #labels: Written<Record<string, string>> | undefined;
  #verdict: Written<Verdict> | undefined;
  #heartbeatAt = -Infinity;

  constructor(writer: NodeWriter, times: Pick<AgentTimes, 'heartbeatMs' | 'againMs'>) {
    this.#writer = writer;
    this.#times = times;
  }

  /** The Node as it was last seen or written. */
  get view(): NodeView | undefined {
    return this.#view;
  }

  /** The Node was seen like this; undefined: it is gone. What is older than what was written is not looked at. */
  see(view: NodeView | undefined): void {
    if (view !== undefined && this.#view !== undefined && isOlder(view, this.#view)) return;
    if (view?.uid !== this.#view?.uid) {
      this.#labels = this.#verdict = undefined;
      this.#heartbeatAt = -Infinity;
    }
    this.#view = view;
  }

  /**
   * Writes what differs, and the heartbeat when it is due. Answers after how many milliseconds there will be something
   * to do although nothing changes. `atMs`: a clock that never jumps. Rejects as NodeWriter does.
   */
  async reconcile({ labels, verdict }: Wanted, atMs: number): Promise<number> {
    if (this.#view === undefined) return Infinity;
    let next = Infinity;
    if (labels !== undefined && !isDeepStrictEqual(this.#view.labels, labels)) {
      const wait = this.#waitFor(this.#labels, labels, atMs);
      if (wait > 0) next = wait;
      else {
        this.see(await this.#writer.label(this.#view, labels));
        this.#labels = { value: labels, atMs };
      }
    }
    if (verdict === undefined) return next;
    const beat = this.#heartbeatAt - atMs;
    if (beat > 0 && says(this.#view.condition, verdict)) return Math.min(next, beat);
    const wait = beat > 0 ? this.#waitFor(this.#verdict, verdict, atMs) : 0;
    if (wait > 0) return Math.min(next, wait);
    const condition = conditionFor(verdict, this.#view.condition, new Date());
    this.see(await this.#writer.condition(this.#view, condition));
    this.#verdict = { value: verdict, atMs };
    const heartbeatMs = this.#times.heartbeatMs * (0.9 + Math.random() / 5);
    this.#heartbeatAt = atMs + heartbeatMs;
    return Math.min(next, heartbeatMs);
  }

  #waitFor<T>(written: Written<T> | undefined, wanted: T, atMs: number): number {
    if (written === undefined || !isDeepStrictEqual(written.value, wanted)) return 0;
    return written.atMs + this.#times.againMs - atMs;
  }
}

interface Written<T> {
  value: T;
  atMs: number;
}
