import { statSync, watch, type FSWatcher } from 'node:fs';
import { basename, dirname } from 'node:path';
import { messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { Container } from './container.ts';
import { shortId } from './directory.ts';

/** A container that writes without end is told of once in this time. */
const SAY_AGAIN_MS = 60_000;

/**
 * Notices when a container's monitor throws lines away because the log has come to its cap (`PodSettings.maxLogBytes`;
 * conmon's `--log-size-max`): conmon then begins a new file under the same name. One inotify instance serves all
 * containers; nothing is polled. Lines that went while the daemon was away are not counted.
 */
export class LogCuts {
  readonly #log: Log;
  readonly #watchers = new Map<string, FSWatcher>();
  /** Logs that were cut since the daemon's start. */
  total = 0;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Makes the inotify instance, which then stays with the process, on any directory that is there. */
  open(directory: string): void {
    try {
      watch(directory, { persistent: false }).close();
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'what is dropped at the cap of a log will not be told');
    }
  }

  /** Follows the log of a container until `unwatch`; its directory exists. Never throws: the cap holds without it. */
  watch(container: Container): void {
    const { id, record } = container;
    if (record.logPath === '' || this.#watchers.has(id)) return;
    const name = basename(record.logPath);
    let known = fileAt(record.logPath);
    let saidAt = -Infinity;
    try {
      const watcher = watch(dirname(record.logPath), { persistent: false }, (kind, file) => {
        if (kind !== 'rename' || file !== name) return;
        const now = fileAt(record.logPath);
        // Renamed by whoever rotates it, who tells the monitor next.
        if (now === undefined || now === known) return;
        const first = known === undefined;
        known = now;
        if (first || container.reopenedLog === now || container.reopeningLog > 0) return;
        container.logCuts++;
        this.total++;
        if (performance.now() - saidAt < SAY_AGAIN_MS) return;
        saidAt = performance.now();
        this.#log.warn(
          { container: shortId(id), log: record.logPath, cuts: container.logCuts },
          'a log has come to its cap (runtime.max_log_bytes): its lines until now were dropped',
        );
      });
      watcher.on('error', () => this.unwatch(id));
      this.#watchers.set(id, watcher);
    } catch (error) {
      this.#log.warn(
        { container: shortId(id), error: messageOf(error) },
        'what is dropped at the cap of this log will not be told: look at fs.inotify.max_user_watches',
      );
    }
  }

  unwatch(id: string): void {
    this.#watchers.get(id)?.close();
    this.#watchers.delete(id);
  }

  close(): void {
    for (const id of this.#watchers.keys()) this.unwatch(id);
  }
}

/** What tells the file at a path from one that gets its inode after it; undefined when there is none. */
export function fileAt(path: string): string | undefined {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  return file === undefined ? undefined : `${file.dev} ${file.ino} ${file.birthtimeNs}`;
}
