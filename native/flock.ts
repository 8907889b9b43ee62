import { sleep } from '../ground/wait.ts';
import { E, ErrnoError } from './errno.ts';
import { O, OwnedFd, openPath } from './fd.ts';
import { bind, lastErrno } from './libc.ts';

const flock2 = bind<[number, number]>('int flock(int fd, int operation)');
const LOCK_EX_NB = 2 | 4;
const FIRST_WAIT_MS = 1;
const LONGEST_WAIT_MS = 20;

/**
 * Takes the exclusive lock of a file (flock(2)), which is made when it is missing, and holds it until the returned
 * descriptor is closed. Never blocks the thread. Rejects with the signal's reason; with ErrnoError EAGAIN when another
 * holds it for longer than `patienceMs`.
 */
export async function lockFile(path: string, patienceMs: number, signal?: AbortSignal): Promise<OwnedFd> {
  using undo = new DisposableStack();
  const file = undo.use(new OwnedFd(openPath(path, O.RDWR | O.CREAT | O.CLOEXEC, 0o600)));
  const deadline = performance.now() + patienceMs;
  for (let waitMs = FIRST_WAIT_MS; flock2(file.fd, LOCK_EX_NB) !== 0;) {
    const code = lastErrno();
    if (code !== E.EAGAIN || performance.now() >= deadline) throw new ErrnoError(`flock ${path}`, code);
    await sleep(waitMs, signal);
    waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
  }
  undo.move();
  return file;
}
