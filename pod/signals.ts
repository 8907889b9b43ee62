import { Fault } from '../ground/fault.ts';
import { SIG, SIGRTMIN, SIGRTMAX, signalNumber } from '../native/signals.ts';

/**
 * The signal that asks a container to end: the caller's (CRI `Signal`: `SIGTERM`, `SIGRTMINPLUS3`, `SIGRTMAXMINUS2`),
 * else the image's (`SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`), else TERM. Throws `invalid` for one that does not exist.
 */
export function resolveStopSignal(asked: string, image: string): number {
  if (asked !== '' && asked !== 'RUNTIME_DEFAULT') return numberOf(asked, 'container');
  return image === '' ? SIG.SIGTERM : numberOf(image, 'image');
}

/** A signal's name as the CRI spells it: `SIGTERM`, `SIGRTMINPLUS3`, `SIGRTMAXMINUS2`; its number when it has none. */
export function signalName(signal: number): string {
  // Alias names (IOT, POLL) come after the usual ones in Node's list.
  const known = Object.entries(SIG).find(([, number]) => number === signal)?.[0];
  if (known !== undefined) return known;
  if (signal === SIGRTMIN) return 'SIGRTMIN';
  if (signal === SIGRTMAX) return 'SIGRTMAX';
  if (signal > SIGRTMIN && signal < SIGRTMAX) {
    const fromMin = signal - SIGRTMIN;
    // bash and the CRI count the upper half down from the last one.
    return fromMin <= 15 ? `SIGRTMINPLUS${fromMin}` : `SIGRTMAXMINUS${SIGRTMAX - signal}`;
  }
  return String(signal);
}

function numberOf(name: string, whose: string): number {
  const number = signalNumber(
    name
      .trim()
      .replace(/PLUS(?=\d)/i, '+')
      .replace(/MINUS(?=\d)/i, '-'),
  );
  if (number === undefined)
    throw new Fault(
      'invalid',
      `There is no signal ${JSON.stringify(name)}, which the ${whose} names to stop it`,
    );
  return number;
}
