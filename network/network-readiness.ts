import type { ConfigList } from '../cni/config-list.ts';
import { probeNetwork } from '../cni/network-list.ts';
import type { PluginCaller } from '../cni/plugin-runner.ts';
import { messageOf } from '../ground/fault.ts';

/** How often in a row a network that was ready must fail before it counts as not ready: plugins restart. */
const PATIENCE = 3;

/**
 * Whether the plugins of a list are ready: not before a first success, and no longer after several failures in a
 * row. Answers from memory.
 */
export class NetworkReadiness {
  readonly #runner: PluginCaller;
  #list: ConfigList | undefined;
  #ready = false;
  #failures = 0;
  #message = '';

  constructor(runner: PluginCaller) {
    this.#runner = runner;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Why it is not ready, or what failed last. */
  get message(): string {
    return this.#message;
  }

  /** Asks the plugins. A list other than the last one begins anew. */
  async probe(list: ConfigList, signal?: AbortSignal): Promise<void> {
    if (this.#list !== list) {
      this.#list = list;
      this.#ready = false;
      this.#failures = 0;
    }
    try {
      await probeNetwork(this.#runner, list, signal);
    } catch (error) {
      if (this.#list !== list) return;
      this.#failures++;
      this.#message = messageOf(error);
      if (this.#failures >= PATIENCE) this.#ready = false;
      return;
    }
    if (this.#list !== list) return;
    this.#ready = true;
    this.#failures = 0;
    this.#message = '';
  }
}
