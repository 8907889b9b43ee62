import { ErrnoError } from './errno.ts';
import { bind, bindInPool, check } from './libc.ts';
import { O, OwnedFd, openPath } from './fd.ts';

const syncFileRange = bind<[number, number, number, number]>(
  'int sync_file_range(int fd, int64_t offset, int64_t nbytes, unsigned int flags)',
);
const syncInPool = bindInPool<[number]>('int syncfs(int fd)');

/** sync_file_range(2): the writing begins, nobody waits for its end. */
const SYNC_FILE_RANGE_WRITE = 2;

/**
 * Has the disk begin with the bytes of a file that were written since (sync_file_range(2)), so that a later sync finds
 * less to do. `length` 0 means to the end. It promises nothing: the sync is still needed.
 */
export function startWriteback(fd: number, offset = 0, length = 0): void {
  check('sync_file_range', syncFileRange(fd, offset, length, SYNC_FILE_RANGE_WRITE));
}

let ahead: Promise<unknown> | undefined;

/**
 * Has the disk begin with all that waits for it on the file system of `path` (syncfs(2)), on a thread of Node's pool:
 * only a head start for the sync that counts, which also tells of failures. One at a time; what comes meanwhile is left
 * to that sync.
 */
export function syncAhead(path: string): void {
  if (ahead !== undefined) return;
  const fd = openOr(path);
  if (fd === undefined) return;
  ahead = syncInPool(fd.fd).finally(() => {
    fd[Symbol.dispose]();
    ahead = undefined;
  });
  ahead.catch(() => {});
}

function openOr(path: string): OwnedFd | undefined {
  try {
    return new OwnedFd(openPath(path, O.RDONLY));
  } catch (error) {
    if (error instanceof ErrnoError) return undefined;
    throw error;
  }
}
