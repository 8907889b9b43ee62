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

/**
 * Writes out the file system that holds `path`, on a thread of Node's pool. Only a head start for the sync that
 * counts: failures of the writing are left to that.
 */
export async function syncAhead(path: string): Promise<void> {
  using fd = new OwnedFd(openPath(path, O.RDONLY));
  await syncInPool(fd.fd);
}
