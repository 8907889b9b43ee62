import {
  EPOLLIN,
  EPOLLONESHOT,
  epollAdd,
  epollCreate,
  EpollEvents,
  epollRearm,
  epollRemove,
  eventfd,
  eventfdClear,
  eventfdSignal,
} from './epoll.ts';
import { closeFd, OwnedFd } from './fd.ts';

const WAKE_TOKEN = 0;

/** A file descriptor that is looked at. */
export interface Look {
  /** Asks for the next news of these kinds (EPOLLIN, EPOLLOUT). Not after `end`. */
  again(events: number): void;
  /** Ends it, before the descriptor is closed. Again: does nothing. */
  end(): void;
}

/**
 * Tells when file descriptors can be read or written that libuv has no handle for. One thread of Node's pool sleeps in
 * epoll_wait; the main thread adds to the same epoll. The event loop is never blocked. The thread is taken from the
 * pool while something is looked at, and only then is this process kept alive. (A worker thread for it costs 7 MB; who
 * runs this for long gives the pool one thread more.)
 */
export class Readiness {
  readonly #epfd: number;
  readonly #wake: number;
  readonly #events = new EpollEvents();
  readonly #looks = new Map<number, () => void>();
  #lastToken = WAKE_TOKEN;
  /** The running wait of the pool's thread. */
  #waiting: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  // A process that exits joins its threads first: without this, one that sleeps in epoll_wait would hold it for ever.
  readonly #atExit = (): void => eventfdSignal(this.#wake);

  constructor() {
    using undo = new DisposableStack();
    this.#epfd = undo.use(new OwnedFd(epollCreate())).fd;
    this.#wake = undo.use(new OwnedFd(eventfd())).fd;
    epollAdd(this.#epfd, this.#wake, EPOLLIN, WAKE_TOKEN);
    undo.move();
    process.on('exit', this.#atExit);
  }

  /** Calls `ready` once when one of `events` comes, and after each `again`. Throws ErrnoError: EPERM for plain files. */
  look(fd: number, events: number, ready: () => void): Look {
    const token = this.#nextToken();
    epollAdd(this.#epfd, fd, events | EPOLLONESHOT, token);
    this.#looks.set(token, ready);
    this.#waiting ??= this.#wait();
    return {
      again: (next) => epollRearm(this.#epfd, fd, next | EPOLLONESHOT, token),
      end: () => {
        if (!this.#looks.delete(token)) return;
        epollRemove(this.#epfd, fd);
        // Nothing is left to wait for: the pool gets its thread back.
        if (this.#looks.size === 0) eventfdSignal(this.#wake);
      },
    };
  }

  /** Gives the thread back and forgets what is looked at; the descriptors stay their owners'. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    process.off('exit', this.#atExit);
    this.#looks.clear();
    eventfdSignal(this.#wake);
    await this.#waiting;
    closeFd(this.#epfd);
    closeFd(this.#wake);
  }

  /** Waits on the pool's thread as long as something is looked at. */
  async #wait(): Promise<void> {
    while (this.#looks.size > 0) {
      for (const token of await this.#events.wait(this.#epfd)) {
        if (token === WAKE_TOKEN) eventfdClear(this.#wake);
        // What came while another one was told may be over by now.
        else this.#looks.get(token)?.();
      }
    }
    this.#waiting = undefined;
  }

  #nextToken(): number {
    do this.#lastToken = (this.#lastToken + 1) >>> 0;
    while (this.#lastToken === WAKE_TOKEN || this.#looks.has(this.#lastToken));
    return this.#lastToken;
  }
}
