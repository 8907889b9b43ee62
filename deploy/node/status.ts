import type { HostFiles } from './host-files.ts';
import { standing, type Standing } from './serving.ts';
import { loadState, type NodeState } from './state.ts';

/** How a node stands: what the installer did, and what answers. */
export interface NodeStatus {
  release?: string;
  previous?: string;
  /** What is under way, or was when the installer was killed. */
  change?: string;
  failed?: { release: string; at: string; reason: string };
  kubelet: string;
  daemon?: Standing;
  /** Paths that are ours, `replaced` those where something else stood. */
  things: { path: string; replaced: boolean }[];
}

/** Looks at a node; changes nothing. */
export async function nodeStatus(files: HostFiles): Promise<NodeStatus> {
  const state = loadState(files);
  const { current, previous, change, failed, kubelet, things } = state;
  return {
    release: current?.release,
    previous: previous?.release,
    change: change === undefined ? undefined : wordsOf(change),
    failed:
      failed === undefined
        ? undefined
        : { release: failed.generation.release, at: failed.at, reason: failed.reason },
    kubelet: kubelet === undefined ? 'not pointed at Berth by the installer' : kubelet.phase,
    daemon:
      current === undefined ? undefined : await standing(files.at(current.socket, true), { network: true }),
    things: things.map(({ path, replaced }) => ({ path, replaced: replaced !== undefined })),
  };
}

function wordsOf(change: NonNullable<NodeState['change']>): string {
  if (change.kind === 'uninstall') return 'uninstallation';
  if (change.kind === 'rollback') return `rollback to ${change.to?.release ?? 'nothing'}`;
  return `${change.from === undefined ? 'installation' : 'upgrade'} to ${change.to.release}`;
}

/** The status for people. */
export function statusText({
  release,
  previous,
  change,
  failed,
  kubelet,
  daemon,
  things,
}: NodeStatus): string {
  const answer =
    daemon === undefined ? [] : [`daemon    ${daemon.complaint === '' ? 'serves' : daemon.complaint}`];
  return [
    `release   ${release ?? 'none'}${previous === undefined ? '' : `, before it ${previous}`}`,
    ...answer,
    `kubelet   ${kubelet}`,
    ...(change === undefined ? [] : [`under way ${change}`]),
    ...(failed === undefined ? [] : [`failed    ${failed.release} at ${failed.at}: ${failed.reason}`]),
    ...things.map(({ path, replaced }) => `ours      ${path}${replaced ? ' (what was there is kept)' : ''}`),
  ].join('\n');
}
