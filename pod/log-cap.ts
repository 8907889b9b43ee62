import { rmSync, statSync } from 'node:fs';
import { messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import { isErrno } from '../native/errno.ts';
import type { Container } from './container.ts';
import { shortId } from './directory.ts';

/** A container that writes without end is told of once in this time. */
const SAY_AGAIN_MS = 60_000;
const LOOK_MS = 1_000;

interface Followed {
  container: Container;
  /** Has the monitor open the log anew. */
  reopen: () => Promise<void>;
  saidAt: number;
  cutting: boolean;
}

/**
 * Bounds the log files of running containers (`PodSettings.maxLogBytes`): once a second their sizes are looked at, and
 * a file that is larger is removed and the monitor told to begin a new one, as after a rotation. So it may be larger by
 * what a container writes in a second, and there is no bound while the daemon is away. What was dropped is said in the
 * log, in the container's verbose status and in a metric.
 *
 * conmon's own bound (`--log-size-max`, 2.1.6) counts on across rotations: it throws lines away of a file that is far
 * below the bound, so it is not used.
 */
export class LogCap {
  readonly #maxBytes: number;
  readonly #log: Log;
  readonly #followed = new Map<string, Followed>();
  #timer: NodeJS.Timeout | undefined;
  /** Logs that were cut since the daemon's start. */
  cuts = 0;

  /** `maxBytes` 0: no bound, and nothing is looked at. */
  constructor(maxBytes: number, log: Log) {
    this.#maxBytes = maxBytes;
    this.#log = log;
  }

  /** Bounds the log of this container until its end. `reopen` has its monitor open the log anew. */
  follow(container: Container, reopen: () => Promise<void>): void {
    if (this.#maxBytes === 0 || container.record.logPath === '') return;
    this.#followed.set(container.id, { container, reopen, saidAt: -Infinity, cutting: false });
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
  }

  leave(id: string): void {
    this.#followed.delete(id);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#followed.clear();
  }

  #look(): void {
    for (const one of this.#followed.values()) {
      const { logPath, id } = one.container.record;
      if (one.cutting || !isLarger(logPath, this.#maxBytes)) continue;
      one.cutting = true;
      cut(logPath, one.reopen)
        .then(() => this.#say(one))
        .catch((error: unknown) => {
          this.#log.warn({ container: shortId(id), error: messageOf(error) }, 'a log cannot be bounded');
        })
        .finally(() => {
          one.cutting = false;
        });
    }
  }

  #say(one: Followed): void {
    const { container } = one;
    container.logCuts++;
    this.cuts++;
    if (performance.now() - one.saidAt < SAY_AGAIN_MS) return;
    one.saidAt = performance.now();
    this.#log.warn(
      { container: shortId(container.id), log: container.record.logPath, cuts: container.logCuts },
      'a log has come to its cap (runtime.max_log_bytes): its lines until now were dropped',
    );
  }
}

async function cut(logPath: string, reopen: () => Promise<void>): Promise<void> {
  // Whoever rotates it at this moment has given the file another name: that one is not touched.
  rmSync(logPath, { force: true });
  await reopen();
}

function isLarger(path: string, bytes: number): boolean {
  try {
    return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > bytes;
  } catch (error) {
    // Its directory is gone, or is none.
    if (isErrno(error, 'ENOTDIR', 'EACCES', 'ELOOP')) return false;
    throw error;
  }
}
