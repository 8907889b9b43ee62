import { Fault, messageOf } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import { isJsonObject } from '../../cni/config-list.ts';
import type { ClusterNode } from './cluster-node.ts';
import type { ApiAnswer, ApiGet } from './kubernetes-api.ts';
import { clusterNodeOf, versionOf } from './node-object.ts';
import { linesOf, textOf } from './watch-lines.ts';

/** What the watcher has to tell: the nodes as they are now, or how it stands with the API server. */
export type NodesReport =
  | { nodes: ClusterNode[] }
  /** Empty: the server answers. */
  | { trouble: string };

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
const PATH = '/api/v1/nodes';
const PAGE = '250';
const MAX_RETRY_AFTER_MS = 5 * 60_000;
/** How long a server should keep a watch open, in seconds; a half more at random, so that not all come back at once. */
const WATCH_S = 300;

/**
 * The nodes of a cluster, followed: a list, then a watch from its version (Kubernetes API concepts, "Efficient
 * detection of changes"). What is known stays known while the server is away.
 *
 *     listing --all pages--> watching --end, drop, silence--> watching from the last version
 *       ^ ^                     |  |
 *       | \---410, resync due---/  \--failure--> pause --> watching
 *       \----- pause <--failure--- listing
 */
export class KubernetesNodes {
  readonly #get: ApiGet;
  readonly #report: (report: NodesReport) => void;
  readonly #times: WatchTimes;
  readonly #nodes = new Map<string, ClusterNode>();
  /** Where a watch goes on; undefined: a list has to come first. */
  #version: string | undefined;
  #resyncAt = 0;
  #failures = 0;
  #trouble: string | undefined;
  #reported = '';

  /** `report` is called when something has changed, and must not throw. */
  constructor(get: ApiGet, report: (report: NodesReport) => void, times: Partial<WatchTimes> = {}) {
    this.#get = get;
    this.#report = report;
    this.#times = { ...TIMES, ...times };
  }

  /** Follows the nodes until the signal; it never gives up. */
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
    const listed = new Map<string, ClusterNode>();
    let version: string | undefined;
    let next = '';
    do {
      const query = { limit: PAGE, ...(next === '' ? {} : { continue: next }) };
      using patience = new Patience(2 * this.#times.answerMs);
      const answer = await this.#get(PATH, query, AbortSignal.any([signal, patience.signal]));
      await refuse(answer);
      const list = JSON.parse(await textOf(answer.body)) as unknown;
      if (!isJsonObject(list) || !Array.isArray(list['items']))
        throw new Fault('unavailable', 'The API server gave something else than a list of nodes');
      for (const item of list['items'] as unknown[]) {
        const node = clusterNodeOf(item);
        if (node !== undefined) listed.set(node.name, node);
      }
      version = versionOf(list);
      const { continue: token } = list['metadata'] as Record<string, unknown>;
      next = typeof token === 'string' ? token : '';
    } while (next !== '');
    if (version === undefined) throw new Fault('unavailable', 'The list of nodes carries no version');
    this.#nodes.clear();
    for (const [name, node] of listed) this.#nodes.set(name, node);
    this.#version = version;
    this.#resyncAt = performance.now() + this.#times.resyncMs * (0.75 + Math.random() / 2);
    this.#tell('');
    this.#tellNodes(true);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const query = {
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version!,
      timeoutSeconds: String(Math.round(WATCH_S * (1 + Math.random() / 2))),
    };
    const { answerMs, silenceMs, shortestWatchMs } = this.#times;
    using patience = new Patience(answerMs);
    const begun = performance.now();
    const answer = await this.#get(PATH, query, AbortSignal.any([signal, patience.signal]));
    await refuse(answer);
    patience.renew(silenceMs);
    this.#tell('');
    let heard = false;
    for await (const lines of linesOf(answer.body)) {
      patience.renew(silenceMs);
      for (const line of lines) this.#take(line);
      if (lines.length > 0) {
        heard = true;
        this.#failures = 0;
      }
      this.#tellNodes();
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
      throw new Refusal(Number(code), typeof message === 'string' ? message : 'no reason given');
    }
    const node = clusterNodeOf(object);
    if (node !== undefined && (type === 'ADDED' || type === 'MODIFIED')) this.#nodes.set(node.name, node);
    if (node !== undefined && type === 'DELETED') this.#nodes.delete(node.name);
    this.#version = versionOf(object) ?? this.#version;
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    this.#failures++;
    let pause = Math.min(this.#times.pauseMs * 2 ** (this.#failures - 1), this.#times.longestPauseMs);
    if (error instanceof Refusal) {
      if (error.status === GONE) {
        this.#version = undefined;
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
    this.#report({ trouble });
  }

  /** Most changes of Node objects are heartbeats: only what matters is told. */
  #tellNodes(always = false): void {
    const nodes = [...this.#nodes.values()];
    const text = JSON.stringify(nodes);
    if (text === this.#reported && !always) return;
    this.#reported = text;
    this.#report({ nodes });
  }
}

const GONE = 410;

/** Ends a request when its time is over. */
class Patience implements Disposable {
  readonly #over = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.renew(ms);
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  renew(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#over.abort(new Fault('unavailable', 'The API server has fallen silent')),
      ms,
    );
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** An answer that is none. */
class Refusal extends Fault {
  readonly status: number;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, message: string, retryAfterMs?: number) {
    super('unavailable', `The API server refuses (${status}): ${message}`, {
      hint:
        status === 401 || status === 403
          ? 'the user of [network] kubeconfig needs the right to list and watch all nodes'
          : undefined,
    });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

async function refuse({ status, retryAfterMs, body }: ApiAnswer): Promise<void> {
  if (status === 200) return;
  const text = await textOf(body).catch(messageOf);
  let message = text.slice(0, 200);
  try {
    const said = JSON.parse(text) as { message?: unknown };
    if (typeof said.message === 'string') message = said.message.slice(0, 500);
  } catch {
    // Something between us and the server speaks: its text will do.
  }
  throw new Refusal(status, message, retryAfterMs);
}
