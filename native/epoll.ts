import { bind, check, lastErrno } from './libc.ts';
import { E, ErrnoError, isErrno } from './errno.ts';
import { O } from './fd.ts';

/** epoll(7) and eventfd(2), as far as the exit watcher needs them. File descriptors of both work on every thread. */

const create1 = bind<[number]>('int epoll_create1(int flags)');
const control = bind<[number, number, number, Buffer]>(
  'int epoll_ctl(int epfd, int op, int fd, void *event)',
);
const wait = bind<[number, Buffer, number, number]>(
  'int epoll_wait(int epfd, void *events, int size, int timeout)',
);
const eventfd2 = bind<[number, number]>('int eventfd(unsigned int initial, int flags)');
const write = bind<[number, Buffer, number]>('long write(int fd, const void *bytes, size_t count)');

export const EPOLLIN = 1;
export const EPOLLONESHOT = 1 << 30;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;
/** struct epoll_event is packed on x86-64: u32 events, u64 data. */
const EVENT_SIZE = 12;

/** A new epoll instance, close-on-exec. */
export function epollCreate(): number {
  return check('epoll_create1', create1(O.CLOEXEC));
}

/** Watches `fd`; `token` (u32) comes back from `epollWait`. */
export function epollAdd(epfd: number, fd: number, events: number, token: number): void {
  check(`epoll_ctl add ${fd}`, control(epfd, EPOLL_CTL_ADD, fd, epollEvent(events, token)));
}

/** Arms an EPOLLONESHOT watch again. */
export function epollRearm(epfd: number, fd: number, events: number, token: number): void {
  check(`epoll_ctl mod ${fd}`, control(epfd, EPOLL_CTL_MOD, fd, epollEvent(events, token)));
}

function epollEvent(events: number, token: number): Buffer {
  const event = Buffer.alloc(EVENT_SIZE);
  event.writeUInt32LE(events >>> 0, 0);
  event.writeUInt32LE(token, 4);
  return event;
}

const ROOM = 64;
const ready = Buffer.alloc(EVENT_SIZE * ROOM);

/** Blocks this thread until something is ready; the tokens of what is. */
export function epollWait(epfd: number, timeoutMs = -1): number[] {
  for (;;) {
    const count = wait(epfd, ready, ROOM, timeoutMs);
    if (count >= 0) return Array.from({ length: count }, (_, i) => ready.readUInt32LE(i * EVENT_SIZE + 4));
    const errno = lastErrno();
    if (errno !== E.EINTR) throw new ErrnoError('epoll_wait', errno);
  }
}

/** A counter that becomes readable once `eventfdSignal` was called. */
export function eventfd(): number {
  return check('eventfd', eventfd2(0, O.CLOEXEC | O.NONBLOCK));
}

/** Makes the counter readable, for whoever waits for it on any thread. */
export function eventfdSignal(fd: number): void {
  const one = Buffer.alloc(8);
  one.writeBigUInt64LE(1n);
  try {
    check(`write eventfd ${fd}`, write(fd, one, one.length));
  } catch (error) {
    // A full counter is already readable.
    if (!isErrno(error, 'EAGAIN')) throw error;
  }
}
