import { messageOf } from '../../ground/fault.ts';
import type { Daemon } from '../compose.ts';
import type { LoadedConfig } from '../config/load.ts';
import { compareConfigs, takeLive } from '../config/reload.ts';
import type { DaemonLog } from '../daemon-log.ts';
import type { Supervisor } from '../systemd/supervisor.ts';

export interface ReloaderOptions {
  /** In force: live keys are written into it. */
  loaded: LoadedConfig;
  /** Reads the files. Throws Fault `invalid`. */
  read: () => LoadedConfig;
  daemon: Daemon;
  log: DaemonLog;
  supervisor: Supervisor;
}

/**
 * Takes from new configuration files what can change while the daemon runs, and says what waits for a restart. Files
 * with mistakes change nothing. Wishes that come during a reload become one reload after it.
 */
export class Reloader {
  readonly #options: ReloaderOptions;
  #running = false;
  #again = false;

  constructor(options: ReloaderOptions) {
    this.#options = options;
  }

  /** Begins. */
  reload(): void {
    this.#again = true;
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    const { supervisor, daemon } = this.#options;
    this.#running = true;
    while (this.#again) {
      this.#again = false;
      supervisor.reloading();
      await this.#reload();
      supervisor.ready(daemon.status());
    }
    this.#running = false;
  }

  async #reload(): Promise<void> {
    const { loaded, read, daemon, log } = this.#options;
    try {
      const { config, files } = read();
      const { live, restart } = compareConfigs(loaded.config, config);
      const failed = await daemon.reload(config);
      const taken = live.filter((key) => !failed.includes(key));
      takeLive(loaded.config, config, taken);
      log.level = config.log.level;
      Object.assign(daemon.configuration, {
        files,
        readAt: new Date().toISOString(),
        needRestart: restart,
        trouble: failed.length === 0 ? '' : `${failed.join(', ')} could not be taken; the log says why`,
      });
      const write = restart.length > 0 || failed.length > 0 ? 'warn' : 'info';
      log[write]({ files, changed: taken, failed, needRestart: restart }, 'The configuration was read again');
    } catch (error) {
      daemon.configuration.trouble = messageOf(error);
      log.error({ error: messageOf(error) }, 'The configuration stays as it is: it could not be read again');
    }
  }
}
