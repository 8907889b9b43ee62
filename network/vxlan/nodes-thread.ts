import { Worker } from 'node:worker_threads';
import { messageOf } from '../../ground/fault.ts';
import { sleep } from '../../ground/wait.ts';
import type { NodesReport } from './kubernetes-nodes.ts';

/** Where the nodes of the cluster are heard of. */
export interface NodesSource {
  /** Reports until the signal; resolves then. */
  follow(report: (report: NodesReport) => void, signal: AbortSignal): Promise<void>;
}

const PAUSE_MS = 10_000;
/** For lists of thousands of nodes. */
const HEAP_MB = 256;

/**
 * The API server's nodes, followed in a thread: lists of thousands of nodes take their time to be read, and login
 * programs, where a kubeconfig names one, run synchronously. A thread that fails is begun anew.
 */
export class NodesThread implements NodesSource {
  readonly #kubeconfig: string;

  constructor(kubeconfig: string) {
    this.#kubeconfig = kubeconfig;
  }

  async follow(report: (report: NodesReport) => void, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const failure = await this.#run(report, signal);
      if (signal.aborted) return;
      report({ trouble: `The thread that watches the nodes is over: ${failure}` });
      await sleep(PAUSE_MS, signal).catch(() => {}); // the signal's reason
    }
  }

  async #run(report: (report: NodesReport) => void, signal: AbortSignal): Promise<string> {
    const worker = new Worker(new URL('./nodes-worker.ts', import.meta.url), {
      name: 'nodes',
      execArgv: [],
      workerData: { kubeconfig: this.#kubeconfig },
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    const end = (): void => void worker.terminate();
    signal.addEventListener('abort', end, { once: true });
    let failure = 'it ended by itself';
    worker.on('message', report);
    worker.on('error', (error) => (failure = messageOf(error)));
    const exited = new Promise((resolve) => worker.once('exit', resolve));
    if (signal.aborted) end();
    await exited;
    signal.removeEventListener('abort', end);
    return failure;
  }
}
