import { hostPortsOf, type HostPortClaims } from './host-ports.ts';
import type { RuleTables } from './iptables.ts';
import { addressFamily } from './pod-range.ts';
import { chainsComplete, missingJumps, restoreText, type RuleSet } from './rule-text.ts';

/**
 * The node's rules for pods, kept equal to the claims and ranges. One writer at a time: whoever asks while a write
 * runs shares the next one, so that a burst of pods costs a few transactions and not one each.
 */
export class NodeRules {
  readonly #bridge: string;
  readonly #tables: RuleTables[];
  readonly #claims: HostPortClaims;
  readonly #ranges: () => string[];
  #running: Promise<unknown> | undefined;
  #next: Promise<void> | undefined;

  /** `tables`: one of each family that may have ranges. `ranges`: all ranges that have or may get pods. */
  constructor(bridge: string, tables: RuleTables[], claims: HostPortClaims, ranges: () => string[]) {
    this.#bridge = bridge;
    this.#tables = tables;
    this.#claims = claims;
    this.#ranges = ranges;
  }

  /** Reads what is there and writes all of our rules if any is missing. True when it had to. */
  async ensure(): Promise<boolean> {
    return await this.#alone(async () => {
      let wrote = false;
      for (const tables of this.#inUse()) {
        const saved = { nat: await tables.save('nat'), filter: await tables.save('filter') };
        const jumps = missingJumps(saved);
        const set = this.#set(tables.family);
        if (jumps.length === 0 && chainsComplete(set, saved)) continue;
        await tables.restore(restoreText(set, jumps));
        wrote = true;
      }
      return wrote;
    });
  }

  /** Writes the chains that depend on pods, as the claims are at the time of writing. */
  write(): Promise<void> {
    this.#next ??= this.#alone(async () => {
      this.#next = undefined;
      for (const tables of this.#inUse())
        await tables.restore(restoreText(this.#set(tables.family), [], ['nat']));
    });
    return this.#next;
  }

  #inUse(): RuleTables[] {
    return this.#tables.filter(({ family }) => this.#set(family).ranges.length > 0);
  }

  #set(family: 4 | 6): RuleSet {
    return {
      family,
      bridge: this.#bridge,
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
