import { mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, posix } from 'node:path';
import { Fault } from '../ground/fault.ts';

/** A log lies in a directory of its container, perhaps one deeper: nobody needs a longer way than this. */
const MAX_DEPTH = 8;

/**
 * Where a container's log goes: `logPath` below the sandbox's log directory (CRI ContainerConfig.log_path). Empty
 * when either is empty: then there is no log. Throws `invalid` for a path that leads out of the directory.
 */
export function resolveLogPath(logDirectory: string, logPath: string): string {
  if (logDirectory === '' || logPath === '') return '';
  if (!logDirectory.startsWith('/') || logDirectory.includes('\0'))
    throw new Fault('invalid', `The log directory ${JSON.stringify(logDirectory)} is not an absolute path`);
  const parts = logPath.split('/');
  if (logPath.startsWith('/') || logPath.endsWith('/') || parts.includes('..') || /[\0\n]/.test(logPath))
    throw new Fault(
      'invalid',
      `The log path ${JSON.stringify(logPath)} leads out of the pod's log directory`,
      {
        hint: `give a file name relative to ${logDirectory}`,
      },
    );
  if (parts.length > MAX_DEPTH)
    throw new Fault(
      'invalid',
      `The log path ${JSON.stringify(logPath)} is more than ${MAX_DEPTH} directories deep`,
    );
  const path = posix.join(logDirectory, logPath);
  if (path === posix.normalize(logDirectory).replace(/\/$/, ''))
    throw new Fault('invalid', `The log path ${JSON.stringify(logPath)} does not name a file`);
  return path;
}

/** Makes the directory that a resolved log path lies in. */
export function makeLogDirectory(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
}

/** Takes away the log file that a monitor opened for a container that never was; one with lines stays. */
export function removeEmptyLog(path: string): void {
  if (path === '' || statSync(path, { throwIfNoEntry: false })?.size !== 0) return;
  rmSync(path);
}
