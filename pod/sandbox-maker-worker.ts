import { parentPort } from 'node:worker_threads';
import { Fault, messageOf } from '../ground/fault.ts';
import { CLOSE, READY, type SandboxAnswer, type SandboxOrder } from './sandbox-order.ts';
import { SandboxThread } from './sandbox-thread.ts';

/** Entry of the thread of `InprocessSandboxMaker`: one request after the other, each with one answer. */
const port = parentPort!;
let thread: SandboxThread | undefined;
port.postMessage(
  answer(READY, () => {
    thread = new SandboxThread();
    return 0;
  }),
);
port.on('message', (order: SandboxOrder | typeof CLOSE) => {
  if (order !== CLOSE) port.postMessage(answer(order.number, () => thread!.make(order.request)));
  else {
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
