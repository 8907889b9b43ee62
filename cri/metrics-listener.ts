import { messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { MetricsServer } from './metrics-server.ts';

/**
 * The metrics' address, which can change while the daemon runs. Metrics are worth less than pods: an address that
 * cannot be had is an error in the log, and the one of before goes on.
 */
export class MetricsListener {
  readonly #open: (listen: string) => Promise<MetricsServer>;
  readonly #log: Log;
  #server: MetricsServer | undefined;
  #listen = '';

  constructor(open: (listen: string) => Promise<MetricsServer>, log: Log) {
    this.#open = open;
    this.#log = log;
  }

  /** Serves there and no longer where it did; an empty text: nowhere. False: it could not. */
  async move(listen: string): Promise<boolean> {
    if (listen === this.#listen) return true;
    try {
      const next = listen === '' ? undefined : await this.#open(listen);
      await this.#server?.close();
      this.#server = next;
      this.#listen = listen;
      return true;
    } catch (error) {
      this.#log.error({ listen }, messageOf(error));
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }
}
