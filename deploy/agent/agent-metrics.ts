import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Registry from 'prom-client/lib/registry.js';
import { describeMetrics, setTotal, type DescribedMetric } from '../../cri/metric-values.ts';
import { serveMetrics, type MetricsPage } from '../../cri/metrics-server.ts';
import { addProcessMetrics } from '../../cri/process-metrics.ts';
import type { Agent } from './agent.ts';
import { answerHealth } from './health.ts';

/** What of an agent is measured. */
export type MeasuredAgent = Pick<Agent, 'status' | 'counts'>;

/** The agent's metrics. Everything is read when somebody asks. */
export class AgentMetrics implements MetricsPage {
  readonly #registry = new Registry();
  readonly #agent: MeasuredAgent;

  constructor(agent: MeasuredAgent, version: string) {
    this.#agent = agent;
    const info = {
      name: 'berth_agent_build_info',
      help: 'The version of the agent that runs',
      labelNames: ['version'],
      registers: [this.#registry],
    };
    new Gauge(info).set({ version }, 1);
    this.#addCounts();
    this.#addStatus();
    addProcessMetrics(this.#registry);
  }

  /** What there is, for the reference. */
  describe(): DescribedMetric[] {
    return describeMetrics(this.#registry);
  }

  /** The page that Prometheus reads. */
  async page(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #addCounts(): void {
    const agent = this.#agent;
    const registers = [this.#registry];
    new Counter({
      name: 'berth_agent_api_requests_total',
      help: 'Requests to the API server by verb, resource and HTTP status; without an answer the status is none',
      labelNames: ['verb', 'resource', 'code'],
      registers,
      collect() {
        this.reset();
        for (const { count, verb, resource, code } of agent.counts.requests)
          this.inc({ verb, resource, code }, count);
      },
    });
    const total = (name: string, help: string, count: () => number): void => {
      new Counter({
        name,
        help,
        registers,
        collect() {
          setTotal(this, count());
        },
      });
    };
    total(
      'berth_agent_api_throttled_total',
      'Answers of the API server that asked to be left alone: 429, or with Retry-After',
      () => agent.counts.throttled,
    );
    total(
      'berth_agent_watch_reconnects_total',
      'Watches of the Node that were begun after the first one',
      () => Math.max(0, agent.counts.watches - 1),
    );
    total(
      'berth_agent_resyncs_total',
      'Lists of the Node because a watch could not go on from where it was (410)',
      () => agent.counts.expired,
    );
  }

  #addStatus(): void {
    const agent = this.#agent;
    const registers = [this.#registry];
    new Gauge({
      name: 'berth_agent_events_due',
      help: 'Events on the Node that have not been sent yet',
      registers,
      collect() {
        const { eventsDue, apiTrouble, daemonTrouble, syncedAt, stillForMs } = agent.status();
        this.set(eventsDue);
        api.set(apiTrouble === '' ? 1 : 0);
        daemon.set(daemonTrouble === '' ? 1 : 0);
        synced.set(syncedAt === '' ? 0 : Date.parse(syncedAt) / 1000);
        still.set(stillForMs / 1000);
      },
    });
    // Set by the gauge above, which is asked first: one status for all.
    const api = new Gauge({
      name: 'berth_agent_api_answers',
      help: '1 while the API server answers and takes what is written, else 0',
      registers,
    });
    const daemon = new Gauge({
      name: 'berth_agent_daemon_answers',
      help: '1 while the daemon answers, else 0',
      registers,
    });
    const synced = new Gauge({
      name: 'berth_agent_last_sync_timestamp_seconds',
      help: 'When the Node last said what the daemon does, since the epoch; 0: never yet',
      registers,
    });
    const still = new Gauge({
      name: 'berth_agent_still_seconds',
      help: "Time since the agent's loops were last seen to go on",
      registers,
    });
  }
}

/**
 * Serves `/metrics`, and `/healthz` for probes, on `listen` (`0.0.0.0:9465`). Throws Fault `unavailable` when that
 * address cannot be had.
 */
export async function serveAgentMetrics(
  agent: MeasuredAgent,
  version: string,
  listen: string,
): Promise<AsyncDisposable & { port: number; url: string }> {
  const { port, close } = await serveMetrics(new AgentMetrics(agent, version), listen, {
    others: async (asked, response) =>
      answerHealth(asked, response, () => agent.status(), 'Only GET /metrics and GET /healthz are here'),
    hint: 'give --metrics another address, or leave it out',
  });
  const url = `http://${listen.replace(/:\d+$/, '')}:${port}/metrics`;
  return { port, url, [Symbol.asyncDispose]: close };
}
