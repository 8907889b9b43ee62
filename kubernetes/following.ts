import { Fault, messageOf } from '../ground/fault.ts';
import { isJsonObject } from '../ground/json.ts';
import { sleep } from '../ground/wait.ts';
import type { Api } from './api.ts';
import { linesOf, textOf } from './lines.ts';
import { Patience } from './patience.ts';
import { Refusal, refuse } from './refusal.ts';

/** What is told of the objects that are followed: all of them as they are now, or how it stands with the API server. */
export type Report<T> =
  | { items: T[] }
  /** Empty: the server answers. */
  | { trouble: string };

export interface FollowingOptions<T> {
  api: Api;
  /** Of the list: `/api/v1/nodes`. */
  path: string;
  /** Which of them, as `fieldSelector`. */
  query?: Record<string, string>;
  /** What matters of an object, by its name; undefined for what is no such object. */
  read(object: unknown): { name: string; value: T } | undefined;
  /** Called when something has changed. Must not throw. */
  report(report: Report<T>): void;
  /** Told of each watch that the server has begun, and of each version that it did not have any more. Must not throw. */
  saw?(what: 'watch' | 'expired'): void;
  /** What the user has to be allowed to do, for those whom the server refuses. */
  right: string;
  times?: Partial<WatchTimes>;
}

/** In milliseconds. */
export interface WatchTimes {
  /** First pause after a failure, doubled up to the longest; each is shortened by up to a half at random. */
  pauseMs: number;
  longestPauseMs: number;
  /** How long a server may take to begin its answer. */
  answerMs: number;
  /** A watch without a byte for so long is dead: bookmarks come once a minute. */
  silenceMs: number;
  /** When all nodes are listed anew although nothing failed, a quarter more or less. */
  resyncMs: number;
  /** A watch that ends sooner without an event has failed. */
  shortestWatchMs: number;
}

const TIMES: WatchTimes = {
  pauseMs: 500,
  longestPauseMs: 30_000,
  answerMs: 30_000,
  silenceMs: 150_000,
  resyncMs: 30 * 60_000,
  shortestWatchMs: 1000,
};
const PAGE = '250';
const MAX_RETRY_AFTER_MS = 5 * 60_000;
/** How long a server should keep a watch open, in seconds; a half more at random, so that not all come back at once. */
const WATCH_S = 300;

/**
 * Objects of the Kubernetes API, followed: a list, then a watch from its version (Kubernetes API concepts, "Efficient
 * detection of changes"). What is known stays known while the server is away.
 *
 *     listing --all pages--> watching --end, drop, silence--> watching from the last version
 *       ^ ^                     |  |
 *       | \---410, resync due---/  \--failure--> pause --> watching
 *       \----- pause <--failure--- listing
 */
export class Following<T> {
  readonly #options: FollowingOptions<T>;
  readonly #times: WatchTimes;
  readonly #items = new Map<string, T>();
  /** Where a watch goes on; undefined: a list has to come first. */
  #version: string | undefined;
  #resyncAt = 0;
  #failures = 0;
  #trouble: string | undefined;
  #reported = '';

  constructor(options: FollowingOptions<T>) {
    this.#options = options;
    this.#times = { ...TIMES, ...options.times };
  }

  /** Follows them until the signal; it never gives up. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal).catch(() => {}); // the signal's reason
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { api, path, query: which = {}, read, right } = this.#options;
    const listed = new Map<string, T>();
    let version: string | undefined;
    let next = '';
    do {
      const query = { ...which, limit: PAGE, ...(next === '' ? {} : { continue: next }) };
      using patience = new Patience(2 * this.#times.answerMs);
      const answer = await api({ path, query }, AbortSignal.any([signal, patience.signal]));
      await refuse(answer, right);
      const list = JSON.parse(await textOf(answer.body)) as unknown;
      if (!isJsonObject(list) || !Array.isArray(list['items']))
        throw new Fault('unavailable', 'The API server gave something else than a list');
      for (const item of list['items'] as unknown[]) {
        const found = read(item);
        if (found !== undefined) listed.set(found.name, found.value);
      }
      version = versionOf(list);
      const { continue: token } = list['metadata'] as Record<string, unknown>;
      next = typeof token === 'string' ? token : '';
    } while (next !== '');
    if (version === undefined) throw new Fault('unavailable', 'The list carries no version');
    this.#items.clear();
    for (const [name, value] of listed) this.#items.set(name, value);
    this.#version = version;
    this.#resyncAt = performance.now() + this.#times.resyncMs * (0.75 + Math.random() / 2);
    this.#tell('');
    this.#tellItems(true);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { api, path, query: which = {}, right } = this.#options;
    const query = {
      ...which,
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version!,
      timeoutSeconds: String(Math.round(WATCH_S * (1 + Math.random() / 2))),
    };
    const { answerMs, silenceMs, shortestWatchMs } = this.#times;
    using patience = new Patience(answerMs);
    const begun = performance.now();
    const answer = await api({ path, query }, AbortSignal.any([signal, patience.signal]));
    await refuse(answer, right);
    patience.renew(silenceMs);
    this.#options.saw?.('watch');
    this.#tell('');
    let heard = false;
    for await (const lines of linesOf(answer.body)) {
      patience.renew(silenceMs);
      for (const line of lines) this.#take(line);
      if (lines.length > 0) {
        heard = true;
        this.#failures = 0;
      }
      this.#tellItems();
      if (performance.now() > this.#resyncAt) {
        this.#version = undefined;
        return;
      }
    }
    if (!heard && performance.now() - begun < shortestWatchMs)
      throw new Fault('unavailable', 'The API server ends watches at once');
    this.#failures = 0;
  }

  /** One event (WatchEvent of meta/v1). */
  #take(line: string): void {
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch {
      // What was lost is not known.
      this.#version = undefined;
    }
    if (!isJsonObject(event))
      throw new Fault('unavailable', 'The API server sent something else than an event');
    const { type, object } = event;
    if (type === 'ERROR') {
      const { code, message } = isJsonObject(object) ? object : {};
      throw new Refusal(Number(code), typeof message === 'string' ? message : 'no reason given', {});
    }
    const found = type === 'BOOKMARK' ? undefined : this.#options.read(object);
    if (found !== undefined && (type === 'ADDED' || type === 'MODIFIED'))
      this.#items.set(found.name, found.value);
    if (found !== undefined && type === 'DELETED') this.#items.delete(found.name);
    this.#version = versionOf(object) ?? this.#version;
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    this.#failures++;
    let pause = Math.min(this.#times.pauseMs * 2 ** (this.#failures - 1), this.#times.longestPauseMs);
    if (error instanceof Refusal) {
      if (error.status === GONE) {
        this.#version = undefined;
        this.#options.saw?.('expired');
        // Nothing is wrong with a server that has forgotten what is long ago.
        if (this.#failures === 1) return;
      }
      pause = Math.max(pause, 2 * Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS));
    }
    this.#tell(messageOf(error));
    await sleep(pause * (0.5 + Math.random() / 2), signal);
  }

  #tell(trouble: string): void {
    if (trouble === this.#trouble) return;
    this.#trouble = trouble;
    this.#options.report({ trouble });
  }

  /** Most changes (of Nodes: heartbeats) do not matter: only what does is told. */
  #tellItems(always = false): void {
    const items = [...this.#items.values()];
    const text = JSON.stringify(items);
    if (text === this.#reported && !always) return;
    this.#reported = text;
    this.#options.report({ items });
  }
}

const GONE = 410;

/** The resource version of an object or list; undefined when it carries none. */
function versionOf(object: unknown): string | undefined {
  const metadata = isJsonObject(object) ? object['metadata'] : undefined;
  const version = isJsonObject(metadata) ? metadata['resourceVersion'] : undefined;
  return typeof version === 'string' && version !== '' ? version : undefined;
}
