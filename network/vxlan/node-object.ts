import { isJsonObject } from '../../ground/json.ts';
import { addressFamily } from '../pod-range.ts';
import type { ClusterNode } from './cluster-node.ts';

/**
 * What matters of a Node object (core/v1): its name, addresses of the type InternalIP, `spec.podCIDRs` (in old
 * clusters `spec.podCIDR`). Undefined when it is no Node. What is malformed in it is left out.
 */
export function clusterNodeOf(object: unknown): ClusterNode | undefined {
  if (!isJsonObject(object)) return undefined;
  const { metadata, spec, status } = object;
  if (!isJsonObject(metadata) || typeof metadata['name'] !== 'string') return undefined;
  const given = isJsonObject(status) ? status['addresses'] : undefined;
  const addresses = (Array.isArray(given) ? (given as unknown[]) : [])
    .filter(isJsonObject)
    .filter(({ type }) => type === 'InternalIP')
    .map(({ address }) => address)
    .filter((address): address is string => typeof address === 'string')
    .filter((address) => addressFamily(address) !== undefined);
  return { name: metadata['name'], addresses, podCidrs: isJsonObject(spec) ? podCidrsOf(spec) : [] };
}

function podCidrsOf({ podCIDRs, podCIDR }: Record<string, unknown>): string[] {
  const several = Array.isArray(podCIDRs) ? (podCIDRs as unknown[]) : [];
  return (several.length > 0 ? several : [podCIDR]).filter(
    (cidr): cidr is string => typeof cidr === 'string' && cidr !== '',
  );
}
