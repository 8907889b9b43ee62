import { parentPort } from 'node:worker_threads';
import { Fault, messageOf } from '../ground/fault.ts';
import { READY, type SandboxAnswer, type SandboxOrder } from './sandbox-order.ts';
import { SandboxThread } from './sandbox-thread.ts';

/** Entry of the thread of `InprocessSandboxMaker`: one request after the other, each with one answer. */
const port = parentPort!;
let thread: SandboxThread;
port.postMessage(
  answer(READY, () => {
    thread = new SandboxThread();
    return 0;
  }),
);
port.on('message', ({ number, request }: SandboxOrder) => {
  port.postMessage(answer(number, () => thread.make(request)));
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
