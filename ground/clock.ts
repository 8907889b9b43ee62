/** The time, as the house reads it: a fake in tests can stand still. */
export interface Clock {
  /** Nanoseconds since the epoch (wall clock), never the same value twice in a process. */
  nowNs(): bigint;
}

let last = 0n;
export const systemClock: Clock = {
  nowNs() {
    const now = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
    last = now > last ? now : last + 1n;
    return last;
  },
};
