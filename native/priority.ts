import { bind, check } from './libc.ts';

const setpriority = bind<[number, number, number]>('int setpriority(int which, int who, int priority)');

const PRIO_PROCESS = 0;

/**
 * Gives the calling thread a nice value (setpriority(2); Linux keeps one for each thread): when the processors are
 * busy, threads with a smaller one go first.
 */
export function lowerPriority(nice: number): void {
  check('setpriority', setpriority(PRIO_PROCESS, 0, nice));
}
