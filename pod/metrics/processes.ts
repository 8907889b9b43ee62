import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { isErrno } from '../../native/errno.ts';

/** What /proc tells of a container's processes. */
export interface ProcessFacts {
  count: bigint;
  /** Absent where the kernel does not count them by itself (before 6.2). */
  descriptors?: bigint;
  /** Absent when there are too many descriptors to look at each. */
  sockets?: bigint;
  /** The first process' soft limit of open files; absent when there is none. */
  maxOpenFiles?: bigint;
}

/** Each descriptor is a link to be read: with more, the number of sockets is not worth it. */
const MAX_DESCRIPTORS = 1000;
const MAX_PROCESSES = 1000;

/** Looks at these processes; those that end meanwhile are not counted. Bounded work: a few milliseconds. */
export function processFacts(pids: readonly number[], first: number | undefined): ProcessFacts {
  const facts: ProcessFacts = { count: BigInt(pids.length) };
  const maxOpenFiles = first === undefined ? undefined : softLimitOfFiles(first);
  if (maxOpenFiles !== undefined) facts.maxOpenFiles = maxOpenFiles;
  if (pids.length > MAX_PROCESSES) return facts;
  const counts = pids.map(descriptorCount);
  if (counts.includes(undefined)) return facts;
  const descriptors = counts.reduce<number>((sum, count) => sum + count!, 0);
  facts.descriptors = BigInt(descriptors);
  if (descriptors <= MAX_DESCRIPTORS)
    facts.sockets = BigInt(pids.reduce((sum, pid) => sum + socketCount(pid), 0));
  return facts;
}

/** The size of /proc/<pid>/fd is the number of descriptors, since Linux 6.2; before, it is 0. */
function descriptorCount(pid: number): number | undefined {
  try {
    const { size } = statSync(`/proc/${pid}/fd`);
    return size > 0 || readdirSync(`/proc/${pid}/fd`).length === 0 ? size : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return 0;
    throw error;
  }
}

function socketCount(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).filter((fd) => isSocket(`/proc/${pid}/fd/${fd}`)).length;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return 0;
    throw error;
  }
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith('socket:');
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return false;
    throw error;
  }
}

function softLimitOfFiles(pid: number): bigint | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1];
    return limit === undefined ? undefined : BigInt(limit);
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}
