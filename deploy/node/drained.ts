/** What the API server says of a Node, as far as it counts here. */
export interface NodeView {
  name: string;
  unschedulable: boolean;
  annotations: Record<string, string>;
  /** `containerd://1.7.2` */
  runtimeVersion: string;
}

/** The same of a Pod. */
export interface PodView {
  namespace: string;
  name: string;
  phase: string;
  annotations: Record<string, string>;
  /** Kinds of its owners. */
  owners: string[];
}

const SHOWN = 5;

/**
 * What keeps a node from being drained, as `kubectl drain --ignore-daemonsets` understands it; empty when it is.
 * Pods of DaemonSets, mirrors of static pods and pods that have ended do not count.
 */
export function hindrances(node: NodeView, pods: PodView[]): string[] {
  const staying = pods
    .filter(({ phase }) => phase !== 'Succeeded' && phase !== 'Failed')
    .filter(({ owners }) => !owners.includes('DaemonSet'))
    .filter(({ annotations }) => !('kubernetes.io/config.mirror' in annotations))
    .map(({ namespace, name }) => `${namespace}/${name}`)
    .sort();
  const more = staying.length > SHOWN ? ` and ${staying.length - SHOWN} more` : '';
  return [
    ...(node.unschedulable ? [] : [`the node takes new pods (kubectl cordon ${node.name})`]),
    ...(staying.length === 0
      ? []
      : [`${staying.length} pods are on it: ${staying.slice(0, SHOWN).join(', ')}${more}`]),
  ];
}
