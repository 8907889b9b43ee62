import { bind, bindInPool, check } from './libc.ts';
import { isErrno } from './errno.ts';
import { O } from './fd.ts';

/** epoll(7) and eventfd(2), as far as `Readiness` needs them. File descriptors of both work on every thread. */

const create1 = bind<[number]>('int epoll_create1(int flags)');
const control = bind<[number, number, number, Buffer | null]>(
  'int epoll_ctl(int epfd, int op, int fd, void *event)',
);
const wait = bindInPool<[number, Buffer, number, number]>(
  'int epoll_wait(int epfd, void *events, int size, int timeout)',
);
const eventfd2 = bind<[number, number]>('int eventfd(unsigned int initial, int flags)');
const read = bind<[number, Buffer, number]>('long read(int fd, void *bytes, size_t count)');
const write = bind<[number, Buffer, number]>('long write(int fd, const void *bytes, size_t count)');

export const EPOLLIN = 1;
export const EPOLLOUT = 4;
export const EPOLLONESHOT = 1 << 30;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** Bytes of a struct epoll_event, and where its data is in it. */
export interface EventLayout {
  size: number;
  data: number;
}

/** struct epoll_event (linux/eventpoll.h): u32 events, u64 data; packed on x86-64 alone. */
export function eventLayout(arch: string): EventLayout {
  return arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 };
}

const LAYOUT = eventLayout(process.arch);

/** A new epoll instance, close-on-exec. */
export function epollCreate(): number {
  return check('epoll_create1', create1(O.CLOEXEC));
}

/** Watches `fd`; `token` (u32) comes back from `EpollEvents.wait`. */
export function epollAdd(epfd: number, fd: number, events: number, token: number): void {
  check(`epoll_ctl add ${fd}`, control(epfd, EPOLL_CTL_ADD, fd, epollEvent(events, token)));
}

/** Arms an EPOLLONESHOT watch again. */
export function epollRearm(epfd: number, fd: number, events: number, token: number): void {
  check(`epoll_ctl mod ${fd}`, control(epfd, EPOLL_CTL_MOD, fd, epollEvent(events, token)));
}

/** Ends the watch of `fd`. */
export function epollRemove(epfd: number, fd: number): void {
  check(`epoll_ctl del ${fd}`, control(epfd, EPOLL_CTL_DEL, fd, null));
}

/** A struct epoll_event. */
export function epollEvent(events: number, token: number, layout: EventLayout = LAYOUT): Buffer {
  const event = Buffer.alloc(layout.size);
  event.writeUInt32LE(events >>> 0, 0);
  event.writeUInt32LE(token, layout.data);
  return event;
}

const ROOM = 64;

/** The room for the answers of one epoll_wait after the other. */
export class EpollEvents {
  readonly #ready = Buffer.alloc(LAYOUT.size * ROOM);

  /** Waits on a thread of Node's pool until something is ready; the tokens of what is. One wait at a time. */
  async wait(epfd: number): Promise<number[]> {
    const count = await wait(epfd, this.#ready, ROOM, -1);
    // What can fail is an interruption by a signal: then nothing is ready yet.
    return Array.from({ length: Math.max(count, 0) }, (_, i) =>
      this.#ready.readUInt32LE(i * LAYOUT.size + LAYOUT.data),
    );
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

/** Makes the counter unreadable again. */
export function eventfdClear(fd: number): void {
  try {
    check(`read eventfd ${fd}`, read(fd, Buffer.alloc(8), 8));
  } catch (error) {
    // Nobody had signalled it.
    if (!isErrno(error, 'EAGAIN')) throw error;
  }
}
