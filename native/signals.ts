import { constants } from 'node:os';

/**
 * Signal numbers of Linux by name. Real-time signals count from SIGRTMIN, which glibc puts at 34
 * (signal(7): it keeps two for itself).
 */
export const SIG: Readonly<Record<keyof typeof constants.signals, number>> = constants.signals;

export const SIGRTMIN = 34;
export const SIGRTMAX = 64;

/**
 * The number of a signal by its name, in any case, with or without `SIG`, or by its decimal number:
 * `SIGTERM`, `term`, `15`, `SIGRTMIN+3`, `RTMAX-1`. undefined when there is no such signal.
 */
export function signalNumber(name: string): number | undefined {
  if (/^[0-9]{1,2}$/.test(name)) return within(Number(name));
  const bare = name.toUpperCase().replace(/^SIG/, '');
  const realtime = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(bare);
  if (realtime !== null) {
    const base = realtime[1] === 'MIN' ? SIGRTMIN : SIGRTMAX;
    const offset = Number(realtime[3] ?? 0) * (realtime[2] === '-' ? -1 : 1);
    const number = base + offset;
    return number >= SIGRTMIN ? within(number) : undefined;
  }
  const known: Record<string, number> = constants.signals;
  if (bare === 'CLD') return SIG.SIGCHLD;
  return Object.hasOwn(known, `SIG${bare}`) ? known[`SIG${bare}`] : undefined;
}

function within(number: number): number | undefined {
  return number >= 1 && number <= SIGRTMAX ? number : undefined;
}
