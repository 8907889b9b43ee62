import { Client, RpcError } from '../../cri/client.ts';
import { Fault } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';

/** What a daemon has to be before it counts as serving. */
export interface Wanted {
  /** Its version; any when absent. */
  version?: string;
  /** Whether its network has to be ready. */
  network: boolean;
}

/** How a daemon stands. `complaint` is empty when it is all that was wanted. */
export interface Standing {
  answers: boolean;
  version: string;
  networkReady: boolean;
  complaint: string;
}

const CALL_MS = 3000;
const PAUSE_MS = 100;

/** Asks the daemon behind a socket how it stands. Never rejects but for an abort. */
export async function standing(socket: string, wanted: Wanted): Promise<Standing> {
  using client = new Client(socket);
  const found: Standing = { answers: false, version: '', networkReady: false, complaint: '' };
  try {
    const { runtimeName, runtimeVersion } = await client.call('Version', {}, { deadlineMs: CALL_MS });
    found.answers = true;
    found.version = runtimeVersion;
    if (runtimeName !== 'berth') return { ...found, complaint: `${runtimeName} answers instead of Berth` };
    const { status } = await client.call('Status', {}, { deadlineMs: CALL_MS });
    const broken = (status?.conditions ?? []).filter((one) => !one.status);
    found.networkReady = !broken.some(({ type }) => type === 'NetworkReady');
    if (wanted.version !== undefined && wanted.version !== runtimeVersion)
      found.complaint = `version ${runtimeVersion} answers`;
    const counts = broken.filter(({ type }) => type !== 'NetworkReady' || wanted.network);
    for (const { type, reason, message } of counts)
      found.complaint ||= `${type} is false: ${[reason, message].filter(Boolean).join(': ')}`;
    return found;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { ...found, complaint: `no answer on ${socket}: ${error.details}` };
  }
}

/**
 * Waits until the daemon is all that is wanted. `alive` may throw what ends the wait early. Rejects with Fault
 * `unavailable` and what was missing last when `timeoutMs` are over.
 */
export async function waitUntilServing(
  socket: string,
  wanted: Wanted,
  timeoutMs: number,
  alive: () => Promise<void> = async () => {},
): Promise<Standing> {
  const begun = performance.now();
  for (;;) {
    const now = await standing(socket, wanted);
    if (now.complaint === '') return now;
    if (performance.now() - begun >= timeoutMs)
      throw new Fault(
        'unavailable',
        `The daemon does not serve after ${timeoutMs / 1000} s: ${now.complaint}`,
      );
    await alive();
    await sleep(PAUSE_MS);
  }
}
