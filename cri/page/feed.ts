import type { ServerResponse } from 'node:http';
import type { NodeSnapshot } from './parts.ts';

/** How often the node is looked at while somebody watches. */
const TICK_MS = 1000;
/** Without news a watcher hears this often that all is well. */
const BEAT_TICKS = 10;
/** A watcher that takes nothing for so long is dropped. */
const PATIENCE_MS = 15_000;
export const MAX_WATCHERS = 16;

export interface FeedOptions {
  snapshot: () => NodeSnapshot;
  tickMs?: number;
  patienceMs?: number;
  maxWatchers?: number;
}

interface Watcher {
  response: ServerResponse;
  /** Since when it has not taken what was written; undefined while it keeps up. */
  behindSince: number | undefined;
}

/**
 * The node as a stream of server-sent events (HTML standard, section 9.2). The first event holds everything, those that
 * follow only the parts that changed (`NodeNews`):
 *
 *     data: {"at": "…", "set": {"node": {…}, "pod:3f2a…": {…}}, "gone": ["pod:77…"], "whole": true}
 *
 * All watchers hear the same. The clock runs only while there are any. A watcher that does not keep up misses events
 * and gets everything when it has caught up; one that takes nothing for a while is dropped.
 */
export class Feed {
  readonly #options: Required<FeedOptions>;
  readonly #watchers = new Set<Watcher>();
  /** The parts as they were last told, as JSON. */
  #parts = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #quietTicks = 0;

  constructor(options: FeedOptions) {
    this.#options = { tickMs: TICK_MS, patienceMs: PATIENCE_MS, maxWatchers: MAX_WATCHERS, ...options };
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Whether no more watchers are taken. */
  get full(): boolean {
    return this.#watchers.size >= this.#options.maxWatchers;
  }

  /** Whether the clock runs. */
  get awake(): boolean {
    return this.#timer !== undefined;
  }

  /** Sends the stream as the body of `response`, whose head is written. Ask `full` before. */
  watch(response: ServerResponse): void {
    const watcher: Watcher = { response, behindSince: undefined };
    // Whoever watches already hears of the same changes now, so that all have the same parts.
    this.#tell();
    this.#watchers.add(watcher);
    response.once('close', () => this.#forget(watcher));
    this.#timer ??= setInterval(() => this.#tell(), this.#options.tickMs).unref();
    response.write(`retry: 2000\n\n`);
    this.#write(watcher, this.#whole());
  }

  #forget(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#parts = new Map();
    this.#quietTicks = 0;
  }

  /** Looks at the node and tells what changed. */
  #tell(): void {
    const parts = partsOf(this.#options.snapshot());
    const set = [...parts].filter(([key, text]) => this.#parts.get(key) !== text);
    const gone = [...this.#parts.keys()].filter((key) => !parts.has(key));
    this.#parts = parts;
    const news = set.length > 0 || gone.length > 0;
    this.#quietTicks = news ? 0 : this.#quietTicks + 1;
    const silent = !news && this.#quietTicks % BEAT_TICKS !== 0;
    const event = silent ? undefined : eventOf(set, gone, false);
    for (const watcher of this.#watchers) this.#serve(watcher, event);
  }

  #serve(watcher: Watcher, event: string | undefined): void {
    const { response, behindSince } = watcher;
    if (behindSince === undefined) {
      if (event !== undefined) this.#write(watcher, event);
    } else if (!response.writableNeedDrain) {
      watcher.behindSince = undefined;
      this.#write(watcher, this.#whole());
    } else if (performance.now() - behindSince > this.#options.patienceMs) response.destroy();
  }

  #write(watcher: Watcher, event: string): void {
    if (!watcher.response.write(event)) watcher.behindSince = performance.now();
  }

  #whole(): string {
    return eventOf([...this.#parts], [], true);
  }
}

/** A snapshot in parts that change apart from each other. */
function partsOf({ pods, at: _at, ...others }: NodeSnapshot): Map<string, string> {
  const parts = Object.entries(others).map(([key, part]): [string, string] => [key, JSON.stringify(part)]);
  return new Map([...parts, ...pods.map((pod): [string, string] => [`pod:${pod.id}`, JSON.stringify(pod)])]);
}

/** JSON holds no line break, so that one line of data is one event. */
function eventOf(set: [key: string, text: string][], gone: string[], whole: boolean): string {
  const at = new Date().toISOString();
  const parts = set.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',');
  return `data: {"at":"${at}","set":{${parts}},"gone":${JSON.stringify(gone)},"whole":${whole}}\n\n`;
}
