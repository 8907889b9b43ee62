import { Fault } from '../ground/fault.ts';

/** Takes away what may be gone already: `not-found` is success, any other failure stays one. */
export async function goneIsDone(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof Fault && error.kind === 'not-found')) throw error;
  }
}
