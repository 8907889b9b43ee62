import type { FaultKind } from '../ground/fault.ts';
import type { SandboxRequest } from './sandbox-maker.ts';

/** What `InprocessSandboxMaker` and its thread say to each other. */
export interface SandboxOrder {
  number: number;
  request: SandboxRequest;
}

/** Ends the thread, after the orders before it. */
export const CLOSE = 'close';

/**
 * One for each order, in order; the first, with number 0, says that the thread is ready. Before its answer an order may
 * have the news that the network namespace is pinned.
 */
export type SandboxAnswer =
  | { number: number; pinned: true }
  | { number: number; pid: number }
  | {
      number: number;
      fault: { kind: FaultKind; what: string; hint: string | undefined; cause: string | undefined };
    };

/** The number of the answer that says that the thread is ready. */
export const READY = 0;
