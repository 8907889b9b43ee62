import { messageOf } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import type { DaemonCensus } from '../../cri/census.ts';
import { Client, RpcError } from '../../cri/client.ts';

/** What the daemon says of itself. */
export interface DaemonFacts {
  census: DaemonCensus;
  /** The CRI's: RuntimeReady, NetworkReady. */
  conditions: { type: string; status: boolean; reason: string; message: string }[];
}

/** How it stands with the daemon. */
export type DaemonReport = { facts: DaemonFacts } | { trouble: string };

/** Asks the daemon once. Does not reject: who cannot be asked is in trouble. */
export async function askDaemon(
  socket: string,
  patienceMs: number,
  signal: AbortSignal,
): Promise<DaemonReport> {
  // A client for each look: one that has lost its daemon waits longer and longer before it tries again.
  using client = new Client(socket);
  const options = { deadlineMs: patienceMs, signal };
  try {
    // Status waits until all handlers were tried: what the census says of them is right from then on.
    const { status } = await client.call('Status', {}, options);
    const { json } = await client.call('Census', {}, options);
    return { facts: { census: JSON.parse(json) as DaemonCensus, conditions: status?.conditions ?? [] } };
  } catch (error) {
    return { trouble: `No daemon answers on ${socket}: ${shortly(error)}` };
  }
}

/** Gives the daemon its range of pod addresses, as the kubelet does. Rejects with RpcError. */
export async function givePodRange(
  socket: string,
  podCidr: string,
  patienceMs: number,
  signal: AbortSignal,
): Promise<void> {
  using client = new Client(socket);
  const runtimeConfig = { networkConfig: { podCidr } };
  await client.call('UpdateRuntimeConfig', { runtimeConfig }, { deadlineMs: patienceMs, signal });
}

/** In milliseconds. */
export interface DaemonTimes {
  /** Between looks; after one that failed, the shorter time. */
  pollMs: number;
  retryMs: number;
  /** How long the daemon may take to answer. */
  patienceMs: number;
}

/** Looks at the daemon again and again, until the signal. `report` hears of each look. */
export async function watchDaemon(
  socket: string,
  times: DaemonTimes,
  report: (report: DaemonReport) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const seen = await askDaemon(socket, times.patienceMs, signal);
    if (signal.aborted) return;
    report(seen);
    await sleep('trouble' in seen ? times.retryMs : times.pollMs, signal).catch(() => {}); // the signal's reason
  }
}

/** The reason without what changes from one try to the next. */
function shortly(error: unknown): string {
  if (!(error instanceof RpcError)) return messageOf(error);
  const errno = /\b(ENOENT|ECONNREFUSED|EACCES|ECONNRESET)\b/.exec(error.details)?.[1];
  if (errno !== undefined) return errno;
  return error.code === 'DEADLINE_EXCEEDED'
    ? 'it takes too long'
    : `${error.code} ${error.details}`.slice(0, 200);
}
