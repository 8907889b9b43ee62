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
/** A call that is slow is asked less often. */
const LIMIT_MS = 2_000;

/** Asks for each list several times, one call at a time. */
export async function measureLists(cri: Client): Promise<Lists> {
  const lists: Lists = {};
  for (const call of LIST_CALLS) {
    const times: number[] = [];
    const first = performance.now();
    for (let i = 0; i < CALLS_EACH && performance.now() - first < LIMIT_MS; i++) {
      const begin = performance.now();
      if (!(await answers(cri, call))) break;
      times.push(performance.now() - begin);
    }
    if (times.length > 0) lists[call] = quantiles(times);
  }
  return lists;
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
