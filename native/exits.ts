import { EPOLLIN } from './epoll.ts';
import { isErrno } from './errno.ts';
import { closeFd } from './fd.ts';
import { pidfdOpen } from './pidfd.ts';
import { Readiness, type Look } from './readiness.ts';
import { peekEnded, reap, type ExitStatus } from './wait.ts';

export type { ExitStatus } from './wait.ts';

const GONE: ExitStatus = { code: undefined, signal: undefined };

interface Watch {
  pid: number;
  pidfd: number;
  look: Look;
  promise: Promise<ExitStatus>;
  resolve: (status: ExitStatus) => void;
}

/**
 * Tells when processes end: a pidfd becomes readable when its process has ended (pidfd_open(2)). `Readiness` looks at
 * the pidfds, the main thread reaps.
 */
export class ExitWatcher {
  /** For what else has to be looked at: the daemon has one thread for all of it. */
  readonly readiness = new Readiness();
  readonly #byPid = new Map<number, Watch>();
  #expecting = 0;

  /** Makes a watcher. */
  static async start(): Promise<ExitWatcher> {
    return new ExitWatcher();
  }

  /** How many processes are watched just now. */
  get watching(): number {
    return this.#byPid.size;
  }

  /**
   * Resolves when the process has ended, at once when it already has. A child is reaped and gives its status; any
   * other process gives only the news that it is gone. Watching a pid twice gives the same promise.
   * The caller makes sure that the pid is the process meant (see `processStartTime`). After `close()` the promises
   * that are left never settle.
   */
  watch(pid: number): Promise<ExitStatus> {
    const known = this.#byPid.get(pid);
    if (known !== undefined) return known.promise;
    let pidfd: number;
    try {
      pidfd = pidfdOpen(pid);
    } catch (error) {
      if (isErrno(error, 'ESRCH')) return Promise.resolve(GONE);
      throw error;
    }
    let look: Look;
    try {
      look = this.readiness.look(pidfd, EPOLLIN, () => this.#ready(pid));
    } catch (error) {
      closeFd(pidfd);
      throw error;
    }
    const { promise, resolve } = Promise.withResolvers<ExitStatus>();
    this.#byPid.set(pid, { pid, pidfd, look, promise, resolve });
    return promise;
  }

  /**
   * Reaps children that have ended and that nobody watches: orphans that the kernel gave to this process because it
   * is a subreaper. Returns how many. A child whose pid is not yet watched would be lost to its starter, so spawn
   * and watch belong into one turn of the event loop, or between `expectOrphan` and its end (`startChild`).
   */
  reapOrphans(): number {
    if (this.#expecting > 0) return 0;
    let orphans = 0;
    for (let pid = peekEnded(); pid !== undefined; pid = peekEnded()) {
      if (this.#byPid.has(pid)) this.#ready(pid);
      else if (reap(pid) !== 'running') orphans++;
    }
    return orphans;
  }

  /** Until this is disposed of no orphan is reaped: one of them will be watched. */
  expectOrphan(): Disposable {
    this.#expecting++;
    return { [Symbol.dispose]: () => void this.#expecting-- };
  }

  /** Gives the thread back and forgets what is watched. */
  async close(): Promise<void> {
    const left = [...this.#byPid.values()];
    this.#byPid.clear();
    await this.readiness.close();
    for (const { pidfd } of left) closeFd(pidfd);
  }

  #ready(pid: number): void {
    const watch = this.#byPid.get(pid);
    if (watch === undefined) return;
    const result = reap(pid);
    if (result === 'running') return watch.look.again(EPOLLIN);
    this.#byPid.delete(pid);
    watch.look.end();
    closeFd(watch.pidfd);
    watch.resolve(result === 'gone' ? GONE : result);
  }
}
