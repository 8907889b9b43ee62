import { hostPortsOf, type HostPortClaims } from './host-ports.ts';
import { addressFamily } from './pod-range.ts';
import type { RuleSet } from './rule-text.ts';
import type { RuleWriter } from './rule-writer.ts';

/**
 * The node's rules for pods, kept equal to the claims and ranges. One writer at a time: whoever asks while a write
 * runs shares the next one, so that a burst of pods costs a few transactions and not one each.
 */
export class NodeRules {
  readonly #bridge: string;
  readonly #writers: RuleWriter[];
  readonly #claims: HostPortClaims;
  readonly #ranges: () => string[];
  /** The link that leads to the pods of other nodes; empty: there is none. */
  overlay = '';
  #running: Promise<unknown> | undefined;
  #next: Promise<void> | undefined;

  /** `writers`: one of each family that may have ranges. `ranges`: all ranges that have or may get pods. */
  constructor(bridge: string, writers: RuleWriter[], claims: HostPortClaims, ranges: () => string[]) {
    this.#bridge = bridge;
    this.#writers = writers;
    this.#claims = claims;
    this.#ranges = ranges;
  }

  /** Reads what is there and writes all of our rules if any is missing. True when it had to. */
  async ensure(): Promise<boolean> {
    return await this.#alone(async () => {
      let wrote = false;
      for (const writer of this.#inUse()) if (await writer.ensure(this.#set(writer.family))) wrote = true;
      return wrote;
    });
  }

  /** Writes the chains that depend on pods, as the claims are at the time of writing. */
  write(): Promise<void> {
    this.#next ??= this.#alone(async () => {
      this.#next = undefined;
      for (const writer of this.#inUse()) await writer.write(this.#set(writer.family));
    });
    return this.#next;
  }

  #inUse(): RuleWriter[] {
    return this.#writers.filter(({ family }) => this.#set(family).ranges.length > 0);
  }

  #set(family: 4 | 6): RuleSet {
    return {
      family,
      bridge: this.#bridge,
      overlay: this.overlay,
      ranges: this.#ranges().filter((cidr) => addressFamily(cidr.slice(0, cidr.indexOf('/'))) === family),
      hostPorts: hostPortsOf(family, this.#claims.staying()),
    };
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#running;
    const mine = (async () => {
      // Whoever asked for the write before has heard of its failure.
      await before?.catch(() => undefined);
      return await work();
    })();
    this.#running = mine;
    return await mine;
  }
}
