import { hostname } from 'node:os';
import { messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { MetricsServer } from './metrics-server.ts';

/** Where the metrics and the node's page are; an empty text: nowhere. */
export interface MetricsUrls {
  metrics: string;
  page: string;
}

export interface MetricsListenerOptions {
  /** Serves there. */
  open: (listen: string) => Promise<MetricsServer>;
  /** Whether the page is served there, too. */
  hasPage: (listen: string) => boolean;
  log: Log;
}

/**
 * The metrics' address, which can change while the daemon runs. Metrics are worth less than pods: an address that
 * cannot be had is an error in the log, and the one of before goes on.
 */
export class MetricsListener {
  readonly #options: MetricsListenerOptions;
  #server: MetricsServer | undefined;
  #listen = '';

  constructor(options: MetricsListenerOptions) {
    this.#options = options;
  }

  /** Where it serves now, for people: what listens on all addresses is at the node's name. */
  get urls(): MetricsUrls {
    if (this.#server === undefined) return { metrics: '', page: '' };
    const host = this.#listen.slice(0, this.#listen.lastIndexOf(':'));
    const everywhere = ['', '0.0.0.0', '[::]'].includes(host);
    const page = `http://${everywhere ? hostname() : host}:${this.#server.port}/`;
    return { metrics: `${page}metrics`, page: this.#options.hasPage(this.#listen) ? page : '' };
  }

  /** Serves there and no longer where it did; an empty text: nowhere. False: it could not. */
  async move(listen: string): Promise<boolean> {
    if (listen === this.#listen) return true;
    try {
      const next = listen === '' ? undefined : await this.#options.open(listen);
      await this.#server?.close();
      this.#server = next;
      this.#listen = listen;
      return true;
    } catch (error) {
      this.#options.log.error({ listen }, messageOf(error));
      return false;
    }
  }

  async close(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }
}
