import { flushCompileCache } from 'node:module';
import { parentPort } from 'node:worker_threads';
import { Fault, messageOf } from '../ground/fault.ts';
import { CLOSE, READY, type SandboxAnswer, type SandboxOrder } from './sandbox-order.ts';
import { SandboxThread } from './sandbox-thread.ts';

// This thread's own part of the compile cache: it may never come to an orderly end.
flushCompileCache();

const QUIET_MS = 20;

/** Entry of the thread of `InprocessSandboxMaker`: one request after the other, each with one answer. */
const port = parentPort!;
let thread: SandboxThread | undefined;
port.postMessage(
  answer(READY, () => {
    thread = new SandboxThread();
    return 0;
  }),
);
/** Runs when no order has come for a while: a burst of pods must not wait for the preparation of the next one. */
const quiet = setTimeout(() => {
  try {
    thread?.prepareNext();
  } catch {
    // At a limit of the kernel: the next order will meet it too, and tells its caller.
  }
}, QUIET_MS);
port.on('message', (order: SandboxOrder | typeof CLOSE) => {
  if (order !== CLOSE) {
    const { number, request } = order;
    const pinned = (): void => port.postMessage({ number, pinned: true } satisfies SandboxAnswer);
    port.postMessage(answer(number, () => thread!.make(request, pinned)));
    quiet.refresh();
  } else {
    clearTimeout(quiet);
    thread?.close();
    port.close();
  }
});

function answer(number: number, work: () => number): SandboxAnswer {
  try {
    return { number, pid: work() };
  } catch (error) {
    const fault = error instanceof Fault ? error : new Fault('internal', messageOf(error));
    const { kind, what, hint, cause } = fault;
    return { number, fault: { kind, what, hint, cause: cause === undefined ? undefined : messageOf(cause) } };
  }
}
