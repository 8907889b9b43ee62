import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../native/errno.ts';

/** What conmon reads from its pipe `ctl` (conmon, ctrl.c): a kind, and two numbers that depend on it. */
export const REOPEN_LOG = '2 0 0';

/** More than a pipe holds. */
const PIPE_BYTES = 64 * 1024;

/** Says a line to the monitor of a bundle. False when the monitor is gone. */
export function tellConmon(bundle: string, line: string): boolean {
  const fd = openControl(bundle, constants.O_WRONLY);
  if (fd === undefined) return false;
  try {
    writeSync(fd, `${line}\n`);
    return true;
  } finally {
    closeSync(fd);
  }
}

/** Takes back each line `line` that the monitor has not read yet. True when there was one. */
export function takeBack(bundle: string, line: string): boolean {
  const fd = openControl(bundle, constants.O_RDWR);
  if (fd === undefined) return false;
  try {
    const unread = readAll(fd);
    const others = unread.filter((other) => other !== line);
    for (const other of others) writeSync(fd, `${other}\n`);
    return others.length < unread.length;
  } finally {
    closeSync(fd);
  }
}

/** The lines that stand in the pipe. Lines are written whole (shorter than PIPE_BUF, pipe(7)). */
function readAll(fd: number): string[] {
  const buffer = Buffer.alloc(PIPE_BYTES);
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer)).split('\n').slice(0, -1);
  } catch (error) {
    if (isErrno(error, 'EAGAIN')) return [];
    throw error;
  }
}

/** undefined when the monitor is gone: nobody reads, or the bundle is no more. */
function openControl(bundle: string, access: number): number | undefined {
  try {
    return openSync(join(bundle, 'ctl'), access | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENXIO', 'ENOENT')) return undefined;
    throw error;
  }
}
