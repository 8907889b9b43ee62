import type { ConfigList } from '../cni/config-list.ts';
import { probeNetwork } from '../cni/network-list.ts';
import type { PluginCaller } from '../cni/plugin-runner.ts';
import { messageOf } from '../ground/fault.ts';

/** A network that was ready counts as ready until it has failed for so long, and so often in a row: plugins restart. */
const GRACE_MS = 15_000;
const PATIENCE = 3;

/**
 * Whether the plugins of a list are ready: not before a first success, and no longer after failures only, for some
 * time. Answers from memory.
 */
export class NetworkReadiness {
  readonly #runner: PluginCaller;
  readonly #graceMs: number;
  #list: ConfigList | undefined;
  #ready = false;
  #failures = 0;
  /** When the first of the failures was. */
  #since = 0;
  #message = '';

  constructor(runner: PluginCaller, graceMs = GRACE_MS) {
    this.#runner = runner;
    this.#graceMs = graceMs;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Ready, and the last probe has said so: there is no hurry with the next one. */
  get sound(): boolean {
    return this.#ready && this.#failures === 0;
  }

  /** Why it is not ready, or what failed last. */
  get message(): string {
    return this.#message;
  }

  /** Asks the plugins. A list of another network begins anew; one of the same network is a change of its settings. */
  async probe(list: ConfigList, signal?: AbortSignal): Promise<void> {
    if (this.#list?.name !== list.name) {
      this.#ready = false;
      this.#failures = 0;
    }
    this.#list = list;
    try {
      await probeNetwork(this.#runner, list, signal);
    } catch (error) {
      if (this.#list === list) this.#failed(messageOf(error));
      return;
    }
    if (this.#list !== list) return;
    this.#ready = true;
    this.#failures = 0;
    this.#message = '';
  }

  #failed(message: string): void {
    if (this.#failures++ === 0) this.#since = performance.now();
    this.#message = message;
    if (this.#failures >= PATIENCE && performance.now() - this.#since >= this.#graceMs) this.#ready = false;
  }
}
