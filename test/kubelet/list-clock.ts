import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Client } from '../../cri/client.ts';

/*
 * Times the lists from a thread that does nothing else: the kubelet of the tests has one event loop for everything, and
 * a call would wait there as long as on the daemon's side. The thread goes before all ordinary ones (chrt(1)): what is
 * measured is how long the daemon takes, not how long the one who asks waits for a processor to take the answer.
 */

export const TIMED_LISTS = ['ListPodSandbox', 'ListContainers'] as const;
export type ListTimes = Record<(typeof TIMED_LISTS)[number], number[]> & {
  /** How much later than asked for the thread was woken each time: what the machine itself adds to every call. */
  late: number[];
  /** Whether the thread goes first: a kernel may not let it. */
  first: boolean;
};

const EVERY_MS = 200;

/** Asks for the lists again and again until it is stopped. */
export class ListClock {
  readonly #worker: Worker;

  constructor(socket: string) {
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { socket } });
  }

  /** Does not count until `resume`: something else is measured in a way that slows the daemon down. */
  pause(): void {
    this.#worker.postMessage('pause');
  }

  resume(): void {
    this.#worker.postMessage('resume');
  }

  /** Ends the thread; resolves with the milliseconds of each call. */
  async stop(): Promise<ListTimes> {
    const { promise, resolve, reject } = Promise.withResolvers<ListTimes>();
    this.#worker.once('message', resolve).once('error', reject);
    this.#worker.postMessage('stop');
    try {
      return await promise;
    } finally {
      await this.#worker.terminate();
    }
  }
}

/** Makes this thread go before ordinary ones; false when that is not allowed (sched(7): groups without a share of real time). */
function goesFirst(): boolean {
  const thread = basename(readlinkSync('/proc/thread-self'));
  try {
    execFileSync('chrt', ['--fifo', '--pid', '1', thread], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function ask(socket: string): Promise<void> {
  const times: ListTimes = { ListPodSandbox: [], ListContainers: [], late: [], first: goesFirst() };
  const client = new Client(socket);
  let [stopped, paused] = [false, false];
  parentPort!.on('message', (word) => {
    if (word === 'stop') stopped = true;
    else paused = word === 'pause';
  });
  for (const rpc of TIMED_LISTS) await client.call(rpc, {}); // the connection, and code that runs for the first time
  while (!stopped) {
    for (const rpc of TIMED_LISTS) {
      const begun = performance.now();
      await client.call(rpc, {});
      if (!paused) times[rpc].push(performance.now() - begun);
    }
    const asleep = performance.now();
    await sleep(EVERY_MS);
    if (!paused) times.late.push(performance.now() - asleep - EVERY_MS);
  }
  client.close();
  parentPort!.postMessage(times);
}

const { socket } = (workerData ?? {}) as { socket?: string };
if (!isMainThread && socket !== undefined) await ask(socket);
