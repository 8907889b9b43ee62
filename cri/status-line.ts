import type { Census } from '../pod/pods.ts';

/** What the daemon does, for one line of `systemctl status`. `cleaning`: what an earlier run left is being removed. */
export function statusLine(
  {
    sandboxes,
    containers,
    debts,
    quarantined,
  }: Pick<Census, 'sandboxes' | 'containers' | 'debts' | 'quarantined'>,
  cleaning: boolean,
): string {
  return [
    `Serving: ${sandboxes.ready} pods ready, ${containers.running} containers running`,
    ...(cleaning ? ['cleaning up after the last run'] : []),
    ...(debts.length > 0 ? [`${debts.length} debts`] : []),
    ...(quarantined.length > 0 ? [`${quarantined.length} records set aside`] : []),
  ].join(', ');
}
