import { flushCompileCache } from 'node:module';
import { messageOf } from '../../ground/fault.ts';
import { openDaemon, type Daemon } from '../compose.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { compareConfigs } from '../config/reload.ts';
import { openLog, type DaemonLog } from '../log.ts';

export interface ServeOptions {
  config?: string;
  logFormat?: 'json' | 'text';
}

/**
 * `berth serve`: the daemon, in the foreground. SIGTERM and SIGINT end it with code 0 while pods live on; SIGHUP reads
 * the configuration again. Throws Fault when it cannot start.
 */
export async function serve(options: ServeOptions): Promise<void> {
  const loaded = loadConfig(options.config);
  if (options.logFormat !== undefined) loaded.config.log.format = options.logFormat;
  // Modes of files and directories are given where they are made; this is for what others make for us.
  process.umask(0o022);
  process.on('SIGPIPE', () => {});
  const log = openLog(loaded.config.log);
  const stop = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
  const hangups: (() => void)[] = [];
  process.on('SIGHUP', () => hangups.forEach((reload) => reload()));
  watchForMistakes(log);
  const daemon = await openDaemon({ ...loaded, log, environment: process.env });
  // At once, and not at the exit: a daemon that is killed has kept what the next start needs.
  flushCompileCache();
  hangups.push(() => reload(options, loaded, log));
  const signal = await stop;
  await close(daemon, signal, log);
}

async function close(daemon: Daemon, signal: NodeJS.Signals, log: DaemonLog): Promise<void> {
  log.info({ signal }, 'The daemon stops; pods live on');
  try {
    await daemon.close();
  } finally {
    log.info({}, 'The daemon has stopped');
    log.flush();
  }
}

/** Takes from the new configuration what can change now. A bad one changes nothing. */
function reload(options: ServeOptions, loaded: LoadedConfig, log: DaemonLog): void {
  try {
    const { config } = loadConfig(options.config);
    if (options.logFormat !== undefined) config.log.format = options.logFormat;
    const { live, restart } = compareConfigs(loaded.config, config);
    loaded.config.log.level = log.level = config.log.level;
    log.info({ changed: live, needRestart: restart }, 'The configuration was read again');
  } catch (error) {
    log.error({}, `The configuration stays as it is: ${messageOf(error)}`);
  }
}

/** A mistake of ours in one call must not end all others; it is an error in the log all the same. */
function watchForMistakes(log: DaemonLog): void {
  process.on('unhandledRejection', (error) => {
    log.error({ stack: error instanceof Error ? error.stack : undefined }, `Unhandled: ${messageOf(error)}`);
  });
}
