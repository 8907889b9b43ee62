import { Fault } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import type { Endpoint } from './endpoint.ts';
import type { Capability } from './hosts.ts';
import { unavailable } from './retry.ts';
import { TransferError, type TransferLimits } from './transport.ts';

/** Works with one host, which is to try at most `tries` times. */
type HostWork<T> = (endpoint: Endpoint, tries: number) => Promise<T>;

/**
 * The hosts of one pull, in the order in which they are asked: that of the configuration, but who broke goes to the
 * end. Where there are several, all are asked once before any is waited for.
 */
export class HostOrder {
  readonly #registry: string;
  readonly #limits: TransferLimits;
  readonly #log: Log;
  #endpoints: Endpoint[];
  readonly #served = new Map<string, Set<Endpoint>>();
  readonly #distrusted = new Map<string, Set<Endpoint>>();

  constructor(registry: string, endpoints: Endpoint[], limits: TransferLimits, log: Log) {
    this.#registry = registry;
    this.#endpoints = endpoints;
    this.#limits = limits;
    this.#log = log;
  }

  /**
   * What the first host with the capability makes of `work`; the error of the last one, as the configuration has
   * them, when none succeeds. `content` is what is asked for.
   */
  async first<T>(capability: Capability, content: string, work: HostWork<T>): Promise<T> {
    const able = this.#able(capability, content);
    if (able.length === 0) {
      throw new Fault('precondition', `No host is configured to ${capability} from ${this.#registry}`);
    }
    const failures = new Map<Endpoint, unknown>();
    const rounds = able.length === 1 ? [this.#limits.tries] : [1, this.#limits.tries];
    for (const tries of rounds) {
      for (const endpoint of able) {
        if (failures.has(endpoint) && !passes(failures.get(endpoint))) continue;
        try {
          return await work(endpoint, tries);
        } catch (error) {
          if (error instanceof Error && ['AbortError', 'TimeoutError'].includes(error.name)) throw error;
          failures.set(endpoint, error);
          if (error instanceof TransferError) this.demote(endpoint);
          this.#log.debug({ host: endpoint.host.base.host, reason: String(error) }, 'registry host failed');
        }
      }
    }
    const failure = failures.get(able.find(({ host }) => host.origin) ?? able.at(-1)!);
    throw failure instanceof TransferError ? unavailable(this.#registry, failure) : failure;
  }

  /** `endpoint` broke: the others are asked before it from now on. */
  demote(endpoint: Endpoint): void {
    this.#endpoints = [...this.#endpoints.filter((one) => one !== endpoint), endpoint];
  }

  /** Remembers who gave `content`. */
  served(content: string, endpoint: Endpoint): void {
    this.#served.set(content, (this.#served.get(content) ?? new Set()).add(endpoint));
  }

  /** Asks those who gave `content` no more for it. False when that leaves nobody, or changes nothing. */
  distrust(content: string): boolean {
    const before = this.#distrusted.get(content) ?? new Set<Endpoint>();
    const after = before.union(this.#served.get(content) ?? new Set<Endpoint>());
    this.#distrusted.set(content, after);
    return after.size > before.size && this.#able('pull', content).length > 0;
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.close();
  }

  #able(capability: Capability, content: string): Endpoint[] {
    const distrusted = this.#distrusted.get(content);
    return this.#endpoints.filter(
      (endpoint) => endpoint.host.capabilities.has(capability) && !distrusted?.has(endpoint),
    );
  }
}

function passes(failure: unknown): boolean {
  return failure instanceof TransferError && failure.again;
}
