import { RpcError, type Client } from '../../cri/client.ts';
import { quantiles, type Quantiles } from './quantiles.ts';

export const LIST_CALLS = [
  'ListPodSandbox',
  'ListContainers',
  'ListContainerStats',
  'ListPodSandboxStats',
  'ListImages',
  'Status',
  'Version',
] as const;

/** Milliseconds by call; a call that the daemon does not serve is absent. */
export type Lists = Partial<Record<(typeof LIST_CALLS)[number], Quantiles>>;

const CALLS_EACH = 20;
/** Not counted: they compile the client, which the peer that is measured first would pay for, and wake a daemon at rest. */
const WARM_UP = 20;
/** A call that is slow is asked less often. */
const LIMIT_MS = 2_000;

/** Asks for each list several times, one call at a time, as a kubelet does that asks every second. */
export async function measureLists(cri: Client): Promise<Lists> {
  const lists: Lists = {};
  for (const call of LIST_CALLS) {
    await timesOf(cri, call, WARM_UP);
    const times = await timesOf(cri, call, CALLS_EACH);
    if (times.length > 0) lists[call] = quantiles(times);
  }
  return lists;
}

/** Milliseconds of so many calls, fewer when they are slow; none when the daemon does not serve it. */
async function timesOf(cri: Client, call: (typeof LIST_CALLS)[number], count: number): Promise<number[]> {
  const times: number[] = [];
  const first = performance.now();
  while (times.length < count && performance.now() - first < LIMIT_MS) {
    const begin = performance.now();
    if (!(await answers(cri, call))) break;
    times.push(performance.now() - begin);
  }
  return times;
}

/** Makes the call; false when the daemon does not serve it. */
async function answers(cri: Client, call: (typeof LIST_CALLS)[number]): Promise<boolean> {
  try {
    await cri.call(call, {}, { deadlineMs: 60_000 });
    return true;
  } catch (error) {
    if (error instanceof RpcError && error.code === 'UNIMPLEMENTED') return false;
    throw error;
  }
}
