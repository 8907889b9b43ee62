import {
  EPOLLIN,
  EPOLLONESHOT,
  epollAdd,
  epollCreate,
  EpollEvents,
  epollRearm,
  eventfd,
  eventfdClear,
  eventfdSignal,
} from './epoll.ts';
import { isErrno } from './errno.ts';
import { closeFd, OwnedFd } from './fd.ts';
import { pidfdOpen } from './pidfd.ts';
import { peekEnded, reap, type ExitStatus } from './wait.ts';

export type { ExitStatus } from './wait.ts';

const WAKE_TOKEN = 0;
const GONE: ExitStatus = { code: undefined, signal: undefined };

interface Watch {
  pid: number;
  pidfd: number;
  token: number;
  promise: Promise<ExitStatus>;
  resolve: (status: ExitStatus) => void;
}

/**
 * Tells when processes end. One thread of Node's pool sleeps in epoll_wait over their pidfds (a pidfd becomes readable
 * when its process has ended, pidfd_open(2)); the main thread adds pidfds to the same epoll, and reaps. The event loop
 * is never blocked. The thread is taken from the pool while something is watched, and only then is this process kept
 * alive. (A worker thread for it costs 7 MB; who runs this for long gives the pool one thread more.)
 */
export class ExitWatcher {
  readonly #epfd: number;
  readonly #wake: number;
  readonly #events = new EpollEvents();
  readonly #byPid = new Map<number, Watch>();
  readonly #byToken = new Map<number, Watch>();
  #lastToken = 0;
  /** The running wait of the pool's thread. */
  #waiting: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  // A process that exits joins its threads first: without this, one that sleeps in epoll_wait would hold it for ever.
  readonly #atExit = (): void => eventfdSignal(this.#wake);

  private constructor(epfd: number, wake: number) {
    this.#epfd = epfd;
    this.#wake = wake;
    process.on('exit', this.#atExit);
  }

  /** Makes a watcher. */
  static async start(): Promise<ExitWatcher> {
    using undo = new DisposableStack();
    const epfd = undo.use(new OwnedFd(epollCreate())).fd;
    const wake = undo.use(new OwnedFd(eventfd())).fd;
    epollAdd(epfd, wake, EPOLLIN, WAKE_TOKEN);
    undo.move();
    return new ExitWatcher(epfd, wake);
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
    const { promise, resolve } = Promise.withResolvers<ExitStatus>();
    const watch = { pid, pidfd, token: this.#nextToken(), promise, resolve };
    try {
      epollAdd(this.#epfd, pidfd, EPOLLIN | EPOLLONESHOT, watch.token);
    } catch (error) {
      closeFd(pidfd);
      throw error;
    }
    this.#byPid.set(pid, watch);
    this.#byToken.set(watch.token, watch);
    this.#waiting ??= this.#wait();
    return promise;
  }

  /**
   * Reaps children that have ended and that nobody watches: orphans that the kernel gave to this process because it
   * is a subreaper. Returns how many. A child whose pid is not yet watched would be lost to its starter, so spawn
   * and watch belong into one turn of the event loop.
   */
  reapOrphans(): number {
    let orphans = 0;
    for (let pid = peekEnded(); pid !== undefined; pid = peekEnded()) {
      const watch = this.#byPid.get(pid);
      if (watch !== undefined) this.#ready(watch.token);
      else if (reap(pid) !== 'running') orphans++;
    }
    return orphans;
  }

  /** Gives the thread back and forgets what is watched. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    process.off('exit', this.#atExit);
    const left = [...this.#byPid.values()];
    this.#byPid.clear();
    this.#byToken.clear();
    eventfdSignal(this.#wake);
    await this.#waiting;
    for (const watch of left) closeFd(watch.pidfd);
    closeFd(this.#epfd);
    closeFd(this.#wake);
  }

  /** Waits on the pool's thread as long as something is watched. */
  async #wait(): Promise<void> {
    while (this.#byPid.size > 0) {
      for (const token of await this.#events.wait(this.#epfd)) {
        if (token === WAKE_TOKEN) eventfdClear(this.#wake);
        else this.#ready(token);
      }
    }
    this.#waiting = undefined;
  }

  #nextToken(): number {
    do this.#lastToken = (this.#lastToken + 1) >>> 0;
    while (this.#lastToken === 0 || this.#byToken.has(this.#lastToken));
    return this.#lastToken;
  }

  #ready(token: number): void {
    const watch = this.#byToken.get(token);
    // A message may arrive after reapOrphans has settled the same watch.
    if (watch === undefined) return;
    const result = reap(watch.pid);
    if (result === 'running') {
      epollRearm(this.#epfd, watch.pidfd, EPOLLIN | EPOLLONESHOT, token);
      return;
    }
    this.#byToken.delete(token);
    this.#byPid.delete(watch.pid);
    closeFd(watch.pidfd);
    // Nothing is left to wait for: the pool gets its thread back.
    if (this.#byPid.size === 0) eventfdSignal(this.#wake);
    watch.resolve(result === 'gone' ? GONE : result);
  }
}
