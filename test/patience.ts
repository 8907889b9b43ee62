/** How many times longer than on an ordinary machine a test may wait: `BERTH_TEST_PATIENCE`, for emulated machines. */
const PATIENCE = Number(process.env.BERTH_TEST_PATIENCE ?? '') || 1;

/** A bound of a wait on this machine, from what is enough on an ordinary one. Both in milliseconds. */
export function patient(ms: number): number {
  return ms * PATIENCE;
}
