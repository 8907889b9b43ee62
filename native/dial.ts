import { Socket } from 'node:net';
import { O, OwnedFd } from './fd.ts';
import { bind, check } from './libc.ts';
import { inNetns } from './namespaces.ts';
import { withoutPacing } from './tcp.ts';

const socket = bind<[number, number, number]>('int socket(int domain, int type, int protocol)');

const AF = { 4: 2, 6: 10 } as const;
const SOCK_STREAM = 1;

/**
 * Connects to a TCP port on the loopback address of this family in a network namespace (a path; undefined for this
 * process' own). A socket stays in the namespace in which it was made (socket(7)), so only that one call is made there. Each
 * direction of the result ends on its own. Rejects with the kernel's error (ECONNREFUSED, EADDRNOTAVAIL where the
 * family has no loopback address), with the signal's reason when that aborts.
 */
export async function dialLoopback(
  namespace: string | undefined,
  family: 4 | 6,
  port: number,
  signal?: AbortSignal,
): Promise<Socket> {
  signal?.throwIfAborted();
  const make = (): number => check('socket', socket(AF[family], SOCK_STREAM | O.NONBLOCK | O.CLOEXEC, 0));
  using undo = new DisposableStack();
  const fd = undo.use(new OwnedFd(namespace === undefined ? make() : inNetns(namespace, make))).fd;
  withoutPacing(fd);
  // Not read from before it is connected.
  const options = { fd, allowHalfOpen: true, pauseOnCreate: true };
  const stream = new Socket(options);
  undo.move();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal!.reason);
  signal?.addEventListener('abort', abort, { once: true });
  stream.once('error', reject);
  stream.once('connect', resolve);
  try {
    stream.connect({ host: family === 4 ? '127.0.0.1' : '::1', port, family });
    await promise;
    stream.off('error', reject);
    return stream;
  } catch (error) {
    stream.on('error', () => {});
    stream.destroy();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}
