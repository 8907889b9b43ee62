import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, messageOf } from '../../ground/fault.ts';
import { isErrno } from '../../native/errno.ts';
import { beginMonitor } from '../begin-monitor.ts';
import { placeOfContainer } from '../cgroup/scope.ts';
import type { Container } from '../container.ts';
import { watchContainer } from '../container-exit.ts';
import type { Parts } from '../parts.ts';
import { criuErrors } from './criu.ts';

/** Of much memory on a slow disk. */
const LIMIT_MS = 600_000;

/**
 * StartContainer for a container from a checkpoint: the monitor has the OCI runtime restore it, and it runs at once.
 * What began is in the record first, so that a daemon that comes back knows what to take away. Rejects with criu's
 * words; nothing of it runs then. An abort of `container.restoring` ends it.
 */
export async function runRestore(parts: Parts, container: Container): Promise<void> {
  const { record } = container;
  const restore = record.restore!;
  const handler = parts.handlers.pick(record.handler);
  const abort = new AbortController();
  const limit = AbortSignal.timeout(LIMIT_MS);
  container.restoring = abort;
  if (container.stop !== undefined || container.removing !== undefined) abort.abort();
  try {
    const criu = await parts.criu.require();
    abort.signal.throwIfAborted();
    record.released = false;
    restore.begun = true;
    parts.containerRecords.put(record.id, record);
    const monitor = beginMonitor(parts, handler, record, { images: restore.images, criu });
    record.monitored = await monitor.create(AbortSignal.any([abort.signal, limit]));
    record.cgroupPath = placeOfContainer(record.cgroupPath, record.monitored.init.pid);
    parts.containerRecords.put(record.id, record);
  } catch (error) {
    if (limit.aborted) throw new Fault('deadline', `It was not restored within ${LIMIT_MS / 1000} s`);
    if (abort.signal.aborted) throw new Fault('cancelled', 'It was stopped while it was being restored');
    const words = criuErrors(logIn(parts.paths.bundle(record.id)));
    if (words === '') throw error;
    // The log that it names is about to go.
    throw new Fault('internal', `${messageOf(error).replace(/\s*log file: .*/s, '')}: ${words}`);
  } finally {
    container.restoring = undefined;
  }
  watchContainer(parts, container);
  rm(restore.images, { recursive: true, force: true }).catch((error: unknown) => {
    // They go with the container at the latest.
    parts.log.warn({ container: record.id, error: messageOf(error) }, 'could not remove the images of criu');
  });
}

function logIn(bundle: string): string {
  try {
    return readFileSync(join(bundle, 'restore.log'), 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return '';
    throw error;
  }
}
