import { Fault, messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import { sleep } from '../../ground/wait.ts';
import type { Api } from '../../kubernetes/api.ts';
import { Following, type Report } from '../../kubernetes/following.ts';
import { Refusal } from '../../kubernetes/refusal.ts';
import { AgentCounts } from './agent-counts.ts';
import { Bell } from './bell.ts';
import { askDaemon, givePodRange, watchDaemon, type DaemonFacts, type DaemonReport } from './daemon-watch.ts';
import { Events } from './events.ts';
import { wantedLabels } from './labels.ts';
import { Matters, unreachable, type Matter } from './matters.ts';
import { NodeWriter } from './node-writer.ts';
import { nodeViewOf, type NodeView } from './node-view.ts';
import { PodRange } from './pod-range.ts';
import { Reconciler } from './reconciler.ts';
import { TIMES, type AgentTimes } from './times.ts';
import { Steady, verdictOf, type Verdict } from './verdict.ts';

export interface AgentOptions {
  api: Api;
  /** The daemon's. */
  socket: string;
  /** The Node's name. */
  node: string;
  /** Which agent it is, for readers of its events. */
  instance: string;
  log: Log;
  times?: AgentTimes;
}

/** How it stands with the agent. */
export interface AgentStatus {
  node: string;
  /** Empty: the API server answers, and takes what is written. */
  apiTrouble: string;
  /** Empty: the daemon answers. */
  daemonTrouble: string;
  /** What the Node says of Berth; absent: nothing yet. */
  verdict?: Verdict;
  /** When Node and daemon's word were last the same, for all that is known; ISO 8601, empty: never yet. */
  syncedAt: string;
  /** Events that have not been sent yet. */
  eventsDue: number;
  /** Milliseconds since the loops were last seen to go on. */
  stillForMs: number;
}

const MAX_RETRY_AFTER_MS = 5 * 60_000;
/** The longest wait of a loop that goes on: a server that wants to be left alone, and a request that is not answered. */
export const STILL_MS = MAX_RETRY_AFTER_MS + 90_000;

/**
 * Keeps the Node's word on Berth, and Berth's on the Node. Three loops, none of which waits for another:
 *
 *     daemon --every 10 s--> facts, verdict, matters --\
 *                                                       bell --> round: pod range, labels, condition, events
 *     Node --list, watch--> view ----------------------/                |
 *                                                   pause <--failure----'
 *
 * All that is kept is the last of each, so that an API server may be away for as long as it likes. Whenever the agent
 * is killed, the next one finds in Node and daemon all that it needs.
 */
export class Agent {
  /** Since the start. */
  readonly counts = new AgentCounts();
  readonly #options: AgentOptions;
  readonly #times: AgentTimes;
  readonly #bell = new Bell();
  readonly #matters: Matters;
  readonly #steady: Steady;
  readonly #events: Events;
  #report: DaemonReport | undefined;
  /** The last that the daemon said, and what there was to know. */
  #facts: DaemonFacts | undefined;
  #known: Matter[] = [];
  #verdict: Verdict | undefined;
  #watchTrouble = 'It has not been asked yet';
  #writeTrouble = '';
  #eventsTrouble = '';
  #eventsAt = 0;
  #syncedAt = '';
  #pollAt = performance.now();
  #roundAt = performance.now();

  constructor(options: AgentOptions) {
    this.#options = { ...options, api: this.counts.counting(options.api) };
    this.#times = options.times ?? TIMES;
    this.#matters = new Matters(this.#times.matters);
    this.#steady = new Steady(this.#times.steady);
    this.#events = new Events(this.#times.events, options.instance, options.log);
  }

  /** From memory. */
  status(): AgentStatus {
    const daemonTrouble = this.#report === undefined ? 'It has not been asked yet' : troubleOf(this.#report);
    return {
      node: this.#options.node,
      apiTrouble: this.#watchTrouble || this.#writeTrouble || this.#eventsTrouble,
      daemonTrouble,
      verdict: this.#verdict,
      syncedAt: this.#syncedAt,
      eventsDue: this.#events.due,
      stillForMs: Math.round(performance.now() - Math.min(this.#pollAt, this.#roundAt)),
    };
  }

  /** Until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    const { api, node, socket, log } = this.#options;
    const reconciler = new Reconciler(new NodeWriter(api, node, signal), this.#times);
    const following = new Following<NodeView>({
      api,
      path: '/api/v1/nodes',
      query: { fieldSelector: `metadata.name=${node}` },
      read(object) {
        const value = nodeViewOf(object);
        return value?.name === node ? { name: node, value } : undefined;
      },
      report: (report) => this.#hear(report, reconciler),
      saw: (what) => this.counts.saw(what),
      right: 'see deploy/agent/README.md for the rights that the agent needs',
      times: this.#times.watch,
    });
    await Promise.all([
      following.run(signal),
      watchDaemon(socket, this.#times.daemon, (report) => this.#look(report), signal),
      this.#rounds(reconciler, new PodRange((cidr) => this.#give(cidr, signal), log), signal),
    ]);
  }

  /** One round, of what there is now. Throws Fault when the Node or the daemon's word cannot be had or written. */
  async once(signal: AbortSignal): Promise<{ view: NodeView; verdict: Verdict }> {
    const { api, node, socket, log } = this.#options;
    const writer = new NodeWriter(api, node, signal);
    const reconciler = new Reconciler(writer, this.#times);
    this.#look(await askDaemon(socket, this.#times.daemon.patienceMs, signal));
    const verdict = verdictOf(this.#report!);
    this.#verdict = verdict;
    const view = await writer.read();
    if (view === undefined) throw noNode(node);
    reconciler.see(view);
    await this.#round(reconciler, new PodRange((cidr) => this.#give(cidr, signal), log), signal);
    return { view: reconciler.view!, verdict };
  }

  /** Takes labels and condition away. No error when the Node is gone. */
  async leave(signal: AbortSignal): Promise<void> {
    const { api, node } = this.#options;
    const writer = new NodeWriter(api, node, signal);
    const view = await writer.read();
    if (view === undefined) return;
    await writer.condition(await writer.label(view, {}), undefined);
  }

  #hear(report: Report<NodeView>, reconciler: Reconciler): void {
    const { log, node } = this.#options;
    if ('trouble' in report) {
      this.#watchTrouble = report.trouble;
      if (report.trouble === '') log.info({ node }, 'The Node is followed');
      else log.warn({ node, error: report.trouble }, 'The Node is not followed');
      return;
    }
    const view = report.items[0];
    if (view === undefined && reconciler.view !== undefined) log.warn({ node }, 'The Node is gone');
    if (view === undefined) this.#watchTrouble = noNode(node).message;
    else this.#watchTrouble = '';
    reconciler.see(view);
    this.#bell.ring();
  }

  #look(report: DaemonReport): void {
    const { log } = this.#options;
    const [before, now] = [this.#report && troubleOf(this.#report), troubleOf(report)];
    if (before !== now && now !== '') log.warn({ error: now }, 'The daemon does not answer');
    if (before !== undefined && before !== now && now === '') log.info({}, 'The daemon answers');
    this.#pollAt = performance.now();
    this.#report = report;
    if ('facts' in report) {
      this.#facts = report.facts;
      this.#known = this.#matters.of(report.facts.census, this.#pollAt);
    }
    this.#verdict = this.#steady.see(verdictOf(report), this.#pollAt);
    const silent = this.#verdict?.reason === 'DaemonUnreachable' ? [this.#verdict] : [];
    const since = this.#facts?.census.startedAt ?? '';
    this.#events.see([...this.#known, ...silent.map((one) => unreachable(one, since))], this.#pollAt);
    this.#bell.ring();
  }

  async #rounds(reconciler: Reconciler, range: PodRange, signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      this.#roundAt = performance.now();
      try {
        const next = await this.#round(reconciler, range, signal);
        if (this.#writeTrouble !== '') log.info({}, 'The Node and its events are written again');
        this.#writeTrouble = '';
        if (this.#watchTrouble === '' && this.#verdict !== undefined)
          this.#syncedAt = new Date().toISOString();
        failures = 0;
        this.#roundAt = performance.now();
        // The daemon is looked at more often than that: who waits here waits for news.
        await this.#bell.wait(Math.min(next, this.#times.longestPauseMs), signal);
      } catch (error) {
        if (signal.aborted) return;
        const text = messageOf(error);
        if (text !== this.#writeTrouble)
          log.warn({ error: text }, 'The Node or its events cannot be written');
        this.#writeTrouble = text;
        await sleep(this.#pauseAfter(error, failures++), signal).catch(() => {}); // the signal's reason
      }
    }
  }

  /** Milliseconds until there is something to do although nothing happens. */
  async #round(reconciler: Reconciler, range: PodRange, signal: AbortSignal): Promise<number> {
    const { api } = this.#options;
    const labels = this.#facts && wantedLabels(this.#facts.census);
    if (reconciler.view !== undefined && this.#report !== undefined && 'facts' in this.#report)
      await range.follow(reconciler.view.podCidrs, this.#report.facts.census.network, performance.now());
    const next = await reconciler.reconcile({ labels, verdict: this.#verdict }, performance.now());
    await this.#sendEvents(api, reconciler.view, signal);
    return this.#events.due > 0 ? Math.min(next, this.#times.events.refillMs) : next;
  }

  /** Who may not write events keeps the Node's condition all the same. */
  async #sendEvents(api: Api, view: NodeView | undefined, signal: AbortSignal): Promise<void> {
    if (view === undefined || performance.now() < this.#eventsAt) return;
    try {
      await this.#events.send(api, view, performance.now(), signal);
      this.#eventsTrouble = '';
    } catch (error) {
      if (!(error instanceof Refusal) || (error.status !== 403 && error.status !== 404)) throw error;
      if (this.#eventsTrouble === '')
        this.#options.log.warn({ error: error.message }, 'Events cannot be written');
      this.#eventsTrouble = error.message;
      this.#eventsAt = performance.now() + this.#times.longestPauseMs;
    }
  }

  #give(podCidr: string, signal: AbortSignal): Promise<void> {
    return givePodRange(this.#options.socket, podCidr, this.#times.daemon.patienceMs, signal);
  }

  #pauseAfter(error: unknown, failures: number): number {
    const { pauseMs, longestPauseMs } = this.#times;
    const asked = error instanceof Refusal ? Math.min(error.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS) : 0;
    const pause = Math.min(pauseMs * 2 ** failures, longestPauseMs);
    return asked + pause * (0.5 + Math.random() / 2);
  }
}

function troubleOf(report: DaemonReport): string {
  return 'trouble' in report ? report.trouble : '';
}

function noNode(node: string): Fault {
  return new Fault('not-found', `The cluster has no Node ${node}`, {
    hint: 'see NODE_NAME and --node-name; the kubelet registers it',
  });
}
