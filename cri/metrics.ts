import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import type { Operation, Stage } from '../ground/stages.ts';
import type { Images } from '../image/images.ts';
import type { Census } from '../pod/pods.ts';
import { EventLoopWatch } from './event-loop.ts';
import { describeMetrics, setEach, setTotal, type DescribedMetric } from './metric-values.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { addPullMetrics } from './pull-metrics.ts';
import type { StageObserver } from './stage-watch.ts';
import type { StreamingCounts } from './streaming/counts.ts';

/** From half a millisecond (a list) to the four minutes that a kubelet waits. */
const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 240];

/** The daemon's metrics. Everything that costs is measured when somebody asks. */
export class Metrics implements StageObserver {
  readonly #registry = new Registry();
  readonly #loop = new EventLoopWatch();
  readonly #rpcs: Histogram<'rpc' | 'code'>;
  readonly #stages: Histogram<'operation' | 'stage'>;
  readonly #failures: Counter<'operation' | 'stage'>;

  constructor(version: string) {
    const registers = [this.#registry];
    this.#rpcs = new Histogram({
      name: 'berth_rpc_duration_seconds',
      help: 'Time from the arrival of a call to its answer',
      labelNames: ['rpc', 'code'],
      buckets: SECONDS,
      registers,
    });
    this.#stages = new Histogram({
      name: 'berth_stage_duration_seconds',
      help: 'Time that an operation spent in one of its stages',
      labelNames: ['operation', 'stage'],
      buckets: SECONDS,
      registers,
    });
    this.#failures = new Counter({
      name: 'berth_stage_failures_total',
      help: 'Operations that failed, by the stage at which they stood',
      labelNames: ['operation', 'stage'],
      registers,
    });
    const info = {
      name: 'berth_build_info',
      help: 'The version that runs',
      labelNames: ['version'],
      registers,
    };
    new Gauge(info).set({ version }, 1);
    addProcessMetrics(this.#registry);
    this.#addLoop(registers);
  }

  /** Begins to watch the event loop: when the daemon serves, for its start is one long stall. */
  watchLoop(): void {
    this.#loop.start();
  }

  /** One call that ended, with its code by name. */
  rpc(rpc: string, code: string, seconds: number): void {
    this.#rpcs.observe({ rpc, code }, seconds);
  }

  stage(operation: Operation, stage: Stage, seconds: number): void {
    this.#stages.observe({ operation, stage }, seconds);
  }

  failed(operation: Operation, stage: Stage): void {
    this.#failures.inc({ operation, stage });
  }

  /** Adds the sessions of the streaming server. */
  addStreaming(counts: StreamingCounts): void {
    const registers = [this.#registry];
    new Gauge({
      name: 'berth_streaming_sessions',
      help: 'Exec, attach and port-forward sessions that are open',
      labelNames: ['kind'],
      registers,
      collect() {
        setEach(this, 'kind', counts.open);
      },
    });
    new Gauge({
      name: 'berth_streaming_streams',
      help: 'Streams of SPDY connections and channels of WebSockets that are open, by transport',
      labelNames: ['transport'],
      registers,
      collect() {
        setEach(this, 'transport', counts.streams);
      },
    });
    new Counter({
      name: 'berth_streaming_sessions_total',
      help: 'Exec, attach and port-forward sessions since the start, by transport',
      labelNames: ['kind', 'transport'],
      registers,
      collect() {
        this.reset();
        for (const [key, count] of counts.begun) {
          const [kind = '', transport = ''] = key.split(' ');
          this.inc({ kind, transport }, count);
        }
      },
    });
    new Counter({
      name: 'berth_streaming_refused_total',
      help: 'Requests to the streaming server that were refused, by HTTP status',
      labelNames: ['status'],
      registers,
      collect() {
        this.reset();
        for (const [status, count] of counts.refused) this.inc({ status: String(status) }, count);
      },
    });
  }

  /** Adds the gauges of what `census` counts; it is asked at each scrape. */
  addCensus(census: () => Census): void {
    const registers = [this.#registry];
    new Gauge({
      name: 'berth_sandboxes',
      help: 'Sandboxes by state',
      labelNames: ['state'],
      registers,
      collect() {
        const counts = census();
        setEach(this, 'state', counts.sandboxes);
        setEach(containers, 'state', counts.containers);
        children.set(counts.children);
        debts.set(counts.debts.length);
        quarantined.set(counts.quarantined.length);
        inFlight.set(counts.inFlight.length);
        setTotal(eventsDropped, counts.events.dropped);
        setTotal(logCuts, counts.logCuts);
      },
    });
    // Set by the gauge above, which is asked first: one census for all.
    const containers = new Gauge({
      name: 'berth_containers',
      help: 'Containers by state',
      labelNames: ['state'],
      registers,
    });
    const children = new Gauge({ name: 'berth_children', help: 'Processes that are watched', registers });
    const debts = new Gauge({
      name: 'berth_debts',
      help: 'Undo steps that failed and are tried again',
      registers,
    });
    const quarantined = new Gauge({
      name: 'berth_quarantined_records',
      help: 'Records that could not be read',
      registers,
    });
    const eventsDropped = new Counter({
      name: 'berth_container_events_dropped_total',
      help: 'Events that followers of GetContainerEvents lost because they read too slowly',
      registers,
    });
    const logCuts = new Counter({
      name: 'berth_container_log_cuts_total',
      help: 'Logs that came to their cap (runtime.max_log_bytes), so that lines were dropped',
      registers,
    });
    const inFlight = new Gauge({
      name: 'berth_operations_in_flight',
      help: 'Operations that run now',
      registers,
    });
  }

  /** Adds what `pulls` tells of image pulls; it is asked at each scrape. */
  addPulls(pulls: Images['pulls']): void {
    addPullMetrics(this.#registry, pulls);
  }

  /** What there is, for the reference. */
  describe(): DescribedMetric[] {
    return describeMetrics(this.#registry);
  }

  /** The page that Prometheus reads. */
  async page(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  close(): void {
    this.#loop.close();
  }

  #addLoop(registers: Registry[]): void {
    const loop = this.#loop;
    const since = 'since the last scrape';
    new Gauge({
      name: 'nodejs_eventloop_lag_max_seconds',
      help: `Longest delay of the event loop ${since}`,
      registers,
      collect() {
        const { maxSeconds, p50Seconds, p99Seconds } = loop.take();
        this.set(maxSeconds);
        p50.set(p50Seconds);
        p99.set(p99Seconds);
      },
    });
    const p50 = new Gauge({
      name: 'nodejs_eventloop_lag_p50_seconds',
      help: `Median delay of the event loop ${since}`,
      registers,
    });
    const p99 = new Gauge({
      name: 'nodejs_eventloop_lag_p99_seconds',
      help: `99th percentile of the delay of the event loop ${since}`,
      registers,
    });
    new Counter({
      name: 'berth_event_loop_stalls_total',
      help: 'Delays of the event loop above 50 ms since the start',
      registers,
      collect() {
        setTotal(this, loop.stalls);
      },
    });
  }
}
