import { messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import type { NetworkStatus } from '../../network/pod-network.ts';

const AGAIN_MS = 60_000;

/**
 * Gives the daemon the ranges of pod addresses that its Node has. A range that the configuration fixes, or that the
 * overlay reads by itself, stays. What the daemon refuses is given again after a minute, or when the Node says another.
 */
export class PodRange {
  readonly #give: (podCidr: string) => Promise<void>;
  readonly #log: Log;
  #refused: { podCidr: string; atMs: number } | undefined;

  /** `give` hands a range to the daemon. */
  constructor(give: (podCidr: string) => Promise<void>, log: Log) {
    this.#give = give;
    this.#log = log;
  }

  /** Does not reject. Whether the daemon took another range. `atMs`: a clock that never jumps. */
  async follow(podCidrs: readonly string[], { range }: NetworkStatus, atMs: number): Promise<boolean> {
    const podCidr = podCidrs.join(',');
    if (podCidr === '' || range?.podCidr === podCidr) return false;
    if (range !== undefined && range.by !== 'caller') return false;
    if (this.#refused?.podCidr === podCidr && atMs - this.#refused.atMs < AGAIN_MS) return false;
    try {
      await this.#give(podCidr);
      this.#refused = undefined;
      this.#log.info({ podCidr, before: range?.podCidr }, 'The daemon has the pod range of its Node');
      return true;
    } catch (error) {
      this.#refused = { podCidr, atMs };
      this.#log.warn({ podCidr, error: messageOf(error) }, 'The daemon does not take the pod range');
      return false;
    }
  }
}
