import { Worker } from 'node:worker_threads';
import { Fault, messageOf } from '../ground/fault.ts';
import { waitOrAbort } from '../ground/wait.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { removePin } from '../native/namespaces.ts';
import { killProcess, processAlive, processStartTime } from '../native/pidfd.ts';
import { SIG } from '../native/signals.ts';
import { PAUSE_NAME } from './pause/name.ts';
import { nodeHierarchy } from './cgroup/hierarchy.ts';
import { killNamed } from './process-scan.ts';
import { CLOSE, READY, type SandboxAnswer, type SandboxOrder } from './sandbox-order.ts';
import type { MadeSandbox, SandboxMaker, SandboxRequest } from './sandbox-maker.ts';
import { checkSysctls } from './sysctls.ts';

/** SIGKILL works at once, but a PID namespace is over only when the last of its processes has left the kernel. */
const END_TIMEOUT_MS = 10_000;
const PAUSES: ReadonlySet<string> = new Set([PAUSE_NAME]);

interface Thread {
  worker: Worker;
  /** Rejects when this node cannot make sandboxes this way. */
  ready: Promise<unknown>;
  exited: Promise<void>;
}

/**
 * Makes sandboxes without an OCI runtime: a thread of this process unshares, starts pause and comes back (see
 * `SandboxThread`), one sandbox after the other in about a millisecond each.
 */
export class InprocessSandboxMaker implements SandboxMaker {
  readonly entersCgroup = nodeHierarchy().version === 1;
  readonly #exits: ExitWatcher;
  #thread: Thread | undefined;
  readonly #waiting = new Map<number, PromiseWithResolvers<number> & { pinned?: () => void }>();
  #lastNumber = READY;
  /** Set once the thread is over: by `close()`, or by a fault of its own. */
  #over: Fault | undefined;

  /** Its thread starts by `start`, or when it is first asked for a sandbox. */
  constructor({ exits }: { exits: ExitWatcher }) {
    this.#exits = exits;
  }

  /**
   * Resolves when the thread is up, which takes some 50 ms. Rejects with Fault when this node cannot make sandboxes this
   * way, and says why; so does every `make` then.
   */
  async start(): Promise<void> {
    await this.#running().ready;
  }

  /**
   * Makes the namespaces, the pin and pause. When it throws nothing is left of them. An abort that comes while the
   * thread is at work is honoured when it has finished: the sandbox is then destroyed.
   */
  async make(request: SandboxRequest, signal?: AbortSignal, pinned?: () => void): Promise<MadeSandbox> {
    signal?.throwIfAborted();
    checkSysctls(request.sysctls, request.namespaces);
    const { net } = request.namespaces;
    if (net !== (request.netnsPin !== undefined))
      throw new Fault('internal', 'A network namespace of its own and a pin for it go together');
    const { worker } = this.#running();
    if (this.#over !== undefined) throw this.#over;
    const number = ++this.#lastNumber;
    const answer = this.#expect(number, pinned);
    worker.ref();
    worker.postMessage({ number, request } satisfies SandboxOrder);
    const pid = await answer;
    // In the same turn as the news of the child, so that nobody else reaps it.
    void this.#exits.watch(pid);
    const startTime = processStartTime(pid);
    if (startTime === undefined) {
      await this.destroy(request, undefined);
      throw new Fault('internal', 'The pause process ended at once');
    }
    const made = { pid, startTime };
    if (signal?.aborted === true) {
      await this.destroy(request, made);
      throw signal.reason;
    }
    return made;
  }

  /**
   * Ends pause, waits until it is gone, and removes the pin. Without `made` it looks for a pause of that id in all
   * of /proc. Throws Fault `deadline` when pause does not go.
   */
  async destroy(request: SandboxRequest, made: MadeSandbox | undefined): Promise<void> {
    if (made === undefined) await killNamed(request.id, PAUSES, this.#exits);
    else if (killProcess(made.pid, made.startTime, SIG.SIGKILL)) await this.#gone(made);
    if (request.netnsPin !== undefined) removePin(request.netnsPin);
  }

  alive(made: MadeSandbox): boolean {
    return processAlive(made.pid, made.startTime);
  }

  async exited(made: MadeSandbox): Promise<void> {
    // A zombie too: the watch settles at once, and the child is reaped by then.
    if (processStartTime(made.pid) !== made.startTime) return;
    const over = this.#exits.watch(made.pid);
    // The watch is bound to a process now: if it is another one, that of `made` is gone.
    if (processStartTime(made.pid) === made.startTime) await over;
  }

  /** Ends the thread, after what was asked of it before. Sandboxes live on. */
  async close(): Promise<void> {
    this.#over ??= new Fault('unavailable', 'The sandbox maker is closed');
    if (this.#thread === undefined) return;
    const { worker, exited } = this.#thread;
    worker.ref();
    worker.postMessage(CLOSE);
    await exited;
  }

  /** Throws the Fault with which it was closed before it began. */
  #running(): Thread {
    if (this.#thread !== undefined) return this.#thread;
    if (this.#over !== undefined) throw this.#over;
    const worker = new Worker(new URL('./sandbox-maker-worker.ts', import.meta.url), {
      name: 'sandboxes',
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 2 },
    });
    worker.on('message', (answer: SandboxAnswer) => this.#settle(answer));
    worker.on('error', (error) => this.#end(`The thread that makes sandboxes failed: ${messageOf(error)}`));
    const exited = new Promise<void>((resolve) => {
      worker.once('exit', () => {
        this.#end('The thread that makes sandboxes is over');
        resolve();
      });
    });
    const ready = this.#expect(READY);
    ready.catch((error: Fault) => (this.#over ??= error));
    return (this.#thread = { worker, ready, exited });
  }

  async #gone(made: MadeSandbox): Promise<void> {
    try {
      await waitOrAbort(this.exited(made), AbortSignal.timeout(END_TIMEOUT_MS));
    } catch (error) {
      if (!(error instanceof Error) || error.name !== 'TimeoutError') throw error;
      throw new Fault('deadline', `Pause (pid ${made.pid}) was killed and does not end`, {
        hint: 'a process of its PID namespace may hang in the kernel',
      });
    }
  }

  #expect(number: number, pinned?: () => void): Promise<number> {
    const waiting = { ...Promise.withResolvers<number>(), pinned };
    this.#waiting.set(number, waiting);
    return waiting.promise;
  }

  #settle(answer: SandboxAnswer): void {
    const waiting = this.#waiting.get(answer.number);
    if ('pinned' in answer) return waiting?.pinned?.();
    this.#waiting.delete(answer.number);
    if (this.#waiting.size === 0) this.#thread?.worker.unref();
    if ('pid' in answer) waiting?.resolve(answer.pid);
    else {
      const { kind, what, hint, cause } = answer.fault;
      waiting?.reject(
        new Fault(kind, what, { hint, cause: cause === undefined ? undefined : new Error(cause) }),
      );
    }
  }

  #end(what: string): void {
    this.#over ??= new Fault('internal', what);
    for (const waiting of this.#waiting.values()) waiting.reject(this.#over);
    this.#waiting.clear();
  }
}
