import { Fault } from '../../ground/fault.ts';
import type { OciRlimit } from './oci-spec.ts';

/** The kernel's numbers of the limits of a process on x86 and arm (asm-generic/resource.h), by name without RLIMIT_. */
const RESOURCES = [
  'CPU',
  'FSIZE',
  'DATA',
  'STACK',
  'CORE',
  'RSS',
  'NPROC',
  'NOFILE',
  'MEMLOCK',
  'AS',
  'LOCKS',
  'SIGPENDING',
  'MSGQUEUE',
  'NICE',
  'RTPRIO',
  'RTTIME',
];
/** More than anything can be. RLIM_INFINITY itself, 2^64 - 1, is no number that JSON can carry to the runtimes. */
const UNLIMITED = 2 ** 63;

/** The kernel's number of a limit by its name (`RLIMIT_NOFILE`), for prlimit(2). */
export function rlimitNumber(type: string): number {
  return RESOURCES.indexOf(type.replace('RLIMIT_', ''));
}

/** Limits as the configuration has them: `nofile=1024:4096`, `core=0`, `memlock=unlimited`. Throws `invalid`. */
export function parseRlimits(texts: string[]): OciRlimit[] {
  return texts.map((text) => {
    const [, name = '', soft = '', hard = soft] = /^(\w+)=([^:]+)(?::([^:]+))?$/.exec(text) ?? [];
    const type = name.toUpperCase();
    const limit = { type: `RLIMIT_${type}`, soft: valueOf(soft), hard: valueOf(hard) };
    if (!RESOURCES.includes(type) || !(limit.soft <= limit.hard))
      throw new Fault(
        'invalid',
        `${JSON.stringify(text)} is no limit: it has to read like nofile=1024:4096`,
        {
          hint: `the soft value comes first; there are ${RESOURCES.join(', ').toLowerCase()}`,
        },
      );
    return limit;
  });
}

function valueOf(text: string): number {
  if (text === 'unlimited' || text === '-1') return UNLIMITED;
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}
