import { flushCompileCache } from 'node:module';
import { Fault, messageOf } from '../../ground/fault.ts';
import { JournalDatagrams } from '../../native/journal-socket.ts';
import { DatagramSender } from '../../native/unix-datagram.ts';
import { machineTrouble } from '../../pod/machine.ts';
import { openDaemon, type Daemon } from '../compose.ts';
import { checkedConfig, type LoadedConfig } from '../config/load.ts';
import type { DaemonLog } from '../daemon-log.ts';
import { openLog } from '../log.ts';
import { socketPath } from '../socket.ts';
import { Heartbeat } from '../systemd/heartbeat.ts';
import { isJournalStream, JOURNAL_SOCKET } from '../systemd/journal.ts';
import { takeServiceEnvironment } from '../systemd/service-environment.ts';
import { NOBODY, openSupervisor, type Supervisor } from '../systemd/supervisor.ts';
import { Reloader } from './reloader.ts';

export interface ServeOptions {
  config?: string;
  logFormat?: 'auto' | 'json' | 'text';
}

const STDOUT = 1;
/** Below the `TimeoutStopSec` of the unit. */
const STOP_LIMIT_MS = 20_000;

/**
 * `berth serve`: the daemon, in the foreground. SIGTERM and SIGINT end it with code 0 while pods live on; SIGHUP reads
 * the configuration again. Under systemd it says how it is (sd_notify(3)). Throws Fault when it cannot start.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const wrongMachine = machineTrouble();
  if (wrongMachine !== '') throw new Fault('unimplemented', wrongMachine, { hint: 'see docs/limits.md' });
  const service = takeServiceEnvironment(process.env);
  const loaded = readConfig(options);
  // Modes of files and directories are given where they are made; this is for what others make for us.
  process.umask(0o022);
  process.on('SIGPIPE', () => {});
  const journal = isJournalStream(service.journalStream, STDOUT)
    ? new JournalDatagrams(JOURNAL_SOCKET)
    : undefined;
  const log = await openLog(loaded.config.log, journal);
  const stop = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
  let hungUp = false;
  const remember = (): void => void (hungUp = true);
  process.on('SIGHUP', remember);
  watchForMistakes(log);
  const supervisor = openSupervisor(service.notifySocket, connectDatagrams, log);
  const progress = (step: string): void => supervisor.progress(step);
  const daemon = await openDaemon({ ...loaded, log, environment: process.env, progress });
  // At once, and not at the exit: a daemon that is killed has kept what the next start needs.
  flushCompileCache();
  const reloader = new Reloader({ loaded, read: () => readConfig(options), daemon, log, supervisor });
  // What was read at the start may be older than that signal.
  process.on('SIGHUP', () => reloader.reload()).off('SIGHUP', remember);
  if (hungUp) reloader.reload();
  const heartbeat = new Heartbeat({
    supervisor,
    socket: socketPath(loaded.config.cri.listen),
    watchdogMs: service.watchdogMs,
    status: () => daemon.status(),
    log,
  });
  if (supervisor !== NOBODY) void heartbeat.begin(() => supervisor.ready(daemon.status()));
  const signal = await stop;
  heartbeat[Symbol.dispose]();
  await close(daemon, signal, log, supervisor);
}

function connectDatagrams(address: string): DatagramSender {
  return new DatagramSender(address);
}

/** With what the command line says. */
function readConfig({ config: file, logFormat }: ServeOptions): LoadedConfig {
  const loaded = checkedConfig(file);
  if (logFormat !== undefined) loaded.config.log.format = logFormat;
  return loaded;
}

/**
 * Ends the daemon's own parts and then this process, `STOP_LIMIT_MS` after the signal at the latest: what hangs then is
 * taken up by the next start, as after a crash.
 */
async function close(
  daemon: Daemon,
  signal: NodeJS.Signals,
  log: DaemonLog,
  supervisor: Supervisor,
): Promise<void> {
  log.info({ signal }, 'The daemon stops; pods live on');
  supervisor.stopping('Stopping; pods live on');
  const late = setTimeout(() => {
    log.error({ part: daemon.closing }, 'The daemon ends although a part of it hangs');
    log.flush();
    process.exit(0);
  }, STOP_LIMIT_MS);
  let code = 0;
  try {
    await daemon.close();
    log.info({}, 'The daemon has stopped');
  } catch (error) {
    code = 1;
    log.error({ part: daemon.closing, error: messageOf(error) }, 'The daemon could not close a part of it');
  }
  clearTimeout(late);
  log.flush();
  supervisor.close();
  // A child that hangs would hold the process: its end is watched.
  process.exit(code);
}

/** A mistake of ours in one call must not end all others; it is an error in the log all the same. */
function watchForMistakes(log: DaemonLog): void {
  process.on('unhandledRejection', (error) => {
    log.error({ stack: error instanceof Error ? error.stack : undefined }, `Unhandled: ${messageOf(error)}`);
  });
}
