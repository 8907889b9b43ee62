import { release } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock } from '../ground/clock.ts';
import { crashAfter, crashingAt } from '../ground/crash-at.ts';
import { descriptorOf, withoutPacing } from '../native/tcp.ts';
import { messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import { Notices } from '../ground/notices.ts';
import type { RecordStore } from '../ground/records.ts';
import { ExitWatcher } from '../native/exits.ts';
import { makeRoomForFds } from '../native/fd.ts';
import { type LiveNetworkConfig, openNetwork } from '../network/open-network.ts';
import { openPods, type OpenPodsOptions } from '../pod/open-pods.ts';
import { checkAll } from './check.ts';
import type { Streams } from '../pod/streams.ts';
import type { LoadedConfig } from './config/load.ts';
import { overlayConfig } from './config/overlay.ts';
import { podSettings } from './config/pod-settings.ts';
import type { ConfigurationState } from './config/reload.ts';
import type { Config } from './config/schema.ts';
import { DiskGauge } from './disk-space.ts';
import { HANDLERS } from './handlers.ts';
import { lockDirectory } from './lock.ts';
import { statusLine } from './status-line.ts';
import { serveMetrics } from './metrics-server.ts';
import { MetricsListener } from './metrics-listener.ts';
import { Metrics } from './metrics.ts';
import { bootIdOf, imagesConfig, openImageRoom, openRecords } from './open-store.ts';
import { releaseMemory } from './compose-memory.ts';
import { pageIsServed } from './page/access.ts';
import { knowNames, lazyPage } from './page/lazy-page.ts';
import { RecentWork } from './page/recent-work.ts';
import type { Rpc } from './rpc.ts';
import { Rest } from './rest.ts';
import { Server } from './server.ts';
import { StreamingServer } from './streaming/server.ts';
import { StageWatch } from './stage-watch.ts';
import { ownVersion } from './version.ts';

export interface DaemonOptions extends LoadedConfig {
  log: Log;
  /**
   * For tests: `BERTH_CRASH_AT=RunPodSandbox:network` kills the daemon at that stage, `CNI:ADD bridge` after that step;
   * `BERTH_BOOT_ID` takes the place of the kernel's boot id.
   */
  environment: Record<string, string | undefined>;
  /** Hears of each step of the start. */
  progress?: (step: string) => void;
}

/** Descriptors that a crowded node needs: some two for each container, and what is under way. */
const FD_ROOM = 4096;

/** After the socket has opened. */
const LATER_MS = 100;

/** A daemon that serves. */
export interface Daemon {
  /** What it does, in one line for people. */
  status(): string;
  /** How it stands with its files; who reads them again writes it here. */
  readonly configuration: ConfigurationState;
  /** Takes what is live of a sound configuration. Resolves with the keys that could not be taken: the log says why. */
  reload(next: Config): Promise<string[]>;
  /** Ends the calls and the daemon's own parts; pods live on. */
  close(): Promise<void>;
  /** Which part is being closed now. */
  readonly closing: string;
}

/**
 * Puts the house together and opens the socket. Each part is closed in the reverse order; when one cannot be opened,
 * those before it are closed and its Fault comes out. The socket opens when List is right; cleaning up after an
 * earlier run may go on behind it.
 */
export async function openDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config, files, log, environment, progress = () => {} } = options;
  const begun = performance.now();
  const version = ownVersion();
  await using parts = new AsyncDisposableStack();
  let closing = '';
  const keep = <T extends { close(): Promise<void> | void }>(name: string, part: T): T =>
    parts.adopt(part, (one) => {
      closing = name;
      return one.close();
    });
  for (const directory of [config.root, config.state]) parts.use(lockDirectory(directory));
  progress('Opening the records');
  const metrics = keep('metrics', new Metrics(version));
  const records = keep('records', openRecords(config));
  const exits = keep('exits', await ExitWatcher.start());
  const rest = keep('rest', new Rest(releaseMemory));
  const bootId = bootIdOf(environment);
  const notices = new Notices();
  const recent = new RecentWork();
  const stages = stageSink(metrics, rest, recent, environment['BERTH_CRASH_AT']);
  progress('Opening the network');
  const network = keep('network', await openNetworkRoom(options, records, exits));
  // Its programs run while the other parts are opened; recovery waits for it where it has to.
  const started = network.start();
  started.catch(() => {}); // awaited below
  await nextTurn(); // what has come to a call of the kernel makes it
  progress('Opening the image store');
  const images = keep(
    'images',
    await openImageRoom(config, { records, exits, stages, log, notices, bootId }),
  );
  const settings = podSettings(config);
  progress('Opening the pods');
  const pods = keep(
    'pods',
    openPods({
      state: config.state,
      settings,
      records,
      exits,
      images,
      network,
      stages,
      clock: systemClock,
      log,
      bootId,
      progress,
      version,
    }),
  );
  let cleaning = true;
  const cleaned = (): void => void (cleaning = false);
  pods.cleaning.then(cleaned, cleaned);
  metrics.addCensus(() => pods.census());
  metrics.addPulls(() => images.pulls());
  const disk = new DiskGauge(config.root);
  const configuration = { files, readAt: new Date().toISOString(), needRestart: [], trouble: '' };
  knowNames(recent, { pods, images });
  const hasPage = (listen: string): boolean => pageIsServed(config.metrics.page, listen);
  const listener = new MetricsListener({
    open: (listen) => serveMetrics(metrics, listen, { others: hasPage(listen) ? page : undefined }),
    hasPage,
    log,
  });
  const daemon = {
    version,
    configuration: () => configuration,
    startedAt: new Date(),
    versions: { node: process.version, kernel: release() },
    preferredHandler: settings.defaultHandler,
    notices: () => notices.list(),
    disk: () => disk.space,
    urls: () => listener.urls,
    config: () => ({ ...config }),
    check: (options: { repair: boolean; signal: AbortSignal }) =>
      checkAll({ records, images, state: config.state, live: true }, options),
  };
  const streaming = openStreaming(config, pods, log);
  keep('streams', streaming);
  metrics.addStreaming(streaming.counts);
  const rooms = { pods, images, network, streaming, daemon };
  const page = lazyPage(rooms, recent);
  const observe = (rpc: Rpc, code: string, seconds: number): void => metrics.rpc(rpc, code, seconds);
  const server = keep(
    'calls',
    new Server({ listen: config.cri.listen, rooms, handlers: HANDLERS, log, observe }),
  );
  keep('metrics listener', listener);
  await Promise.all([listener.move(config.metrics.listen), pods.ready, started]);
  await server.listen();
  log.info(
    {
      version,
      socket: config.cri.listen,
      files,
      cgroupDriver: settings.cgroupDriver,
      ms: Math.round(performance.now() - begun),
      sinceExecMs: Math.round(performance.now()),
    },
    'The daemon is ready',
  );
  metrics.watchLoop();
  // The first calls come before what nobody waits for yet; whoever needs a handler begins its trial.
  const later = setTimeout(() => {
    pods.warmUp();
    void makeRoomForFds(FD_ROOM);
  }, LATER_MS);
  parts.defer(() => clearTimeout(later));
  const opened = parts.move();
  return {
    status: () => statusLine(pods.census(), cleaning),
    configuration,
    async reload(next) {
      const settings = podSettings(next);
      images.reconfigure(imagesConfig(next));
      pods.reconfigure(settings);
      streaming.reconfigure(streamBounds(next));
      await network.reconfigure(networkConfig(next));
      return (await listener.move(next.metrics.listen)) ? [] : ['metrics.listen'];
    },
    close: () => opened.disposeAsync(),
    get closing() {
      return closing;
    },
  };
}

/** The stages as metrics and census see them, and a crash at one of them where a test asks for it. */
function stageSink(
  metrics: Metrics,
  rest: Rest,
  recent: RecentWork,
  crashAt: string | undefined,
): OpenPodsOptions['stages'] {
  const watch = new StageWatch(metrics);
  const sink = crashAt === undefined || crashAt === '' ? watch : crashingAt(crashAt, watch);
  return {
    enter: (operation, id, stage) => {
      recent.enter(operation, id, stage);
      sink.enter(operation, id, stage);
    },
    leave: (operation, id, outcome) => {
      sink.leave(operation, id, outcome);
      recent.leave(operation, id, outcome);
      rest.postpone();
    },
    inFlight: () => watch.inFlight(),
  };
}

function openNetworkRoom(
  { config, log, environment }: DaemonOptions,
  records: RecordStore,
  exits: ExitWatcher,
): ReturnType<typeof openNetwork> {
  const { pod_cidr, bridge, firewall } = config.network;
  return openNetwork({
    records,
    exits,
    log,
    config: {
      ...networkConfig(config),
      podCidr: pod_cidr,
      bridge,
      firewall,
      overlay: overlayConfig(config),
    },
    step: crashAfter(environment['BERTH_CRASH_AT'] ?? ''),
  });
}

function networkConfig({ network }: Config): LiveNetworkConfig {
  return { confDir: network.conf_dir, binDirs: network.bin_dirs, execPlugins: network.exec_plugins };
}

function streamBounds({ cri }: Config): { maxSessions: number; idleMs: number } {
  return { maxSessions: cri.max_streams, idleMs: cri.stream_idle_seconds * 1000 };
}

/** A taken address is an error of Exec, Attach and PortForward, not the end of the daemon. */
function openStreaming(config: Config, streams: Streams, log: Log): StreamingServer {
  const { stream_listen: listen, stream_tls_cert: cert, stream_tls_key: key } = config.cri;
  const { maxSessions, idleMs } = streamBounds(config);
  const server = new StreamingServer({
    listen,
    streams,
    log,
    certificate: cert === '' ? undefined : { cert, key },
    maxSessions,
    timeouts: { idleMs },
    onLoopback: (socket) => withoutPacing(descriptorOf(socket)!),
  });
  // A free port can be taken when the first client comes; one that was named is taken now.
  if (!listen.endsWith(':0')) server.listen().catch((error) => log.error({ listen }, messageOf(error)));
  return server;
}
