/** The longest event-loop stall that the daemon's metrics page knows of, in milliseconds (prom-client's gauge of
 * the delay histogram, reset at each scrape). */
export function longestStallMs(page: string): number {
  const found = /^\S*nodejs_eventloop_lag_max_seconds(?:\{\S*\})? (\S+)$/m.exec(page);
  if (found === null) throw new Error('The metrics page has no nodejs_eventloop_lag_max_seconds');
  return Number(found[1]) * 1000;
}
