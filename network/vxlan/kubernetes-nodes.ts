import type { Api } from '../../kubernetes/api.ts';
import { Following, type WatchTimes } from '../../kubernetes/following.ts';
import type { ClusterNode } from './cluster-node.ts';
import { clusterNodeOf } from './node-object.ts';

/** What the watcher has to tell: the nodes as they are now, or how it stands with the API server. */
export type NodesReport =
  | { nodes: ClusterNode[] }
  /** Empty: the server answers. */
  | { trouble: string };

/** Follows the nodes of a cluster until the signal. `report` is called when something has changed, and must not throw. */
export async function followNodes(
  api: Api,
  report: (report: NodesReport) => void,
  signal: AbortSignal,
  times?: Partial<WatchTimes>,
): Promise<void> {
  const following = new Following<ClusterNode>({
    api,
    path: '/api/v1/nodes',
    read(object) {
      const value = clusterNodeOf(object);
      return value && { name: value.name, value };
    },
    report: (told) => report('items' in told ? { nodes: told.items } : told),
    right: 'the user of [network] kubeconfig needs the right to list and watch all nodes',
    times,
  });
  await following.run(signal);
}
