import { hash } from 'node:crypto';
import { addressFamily, parsePodRanges, type PodRange } from '../pod-range.ts';

/** A node of the cluster as its pods' network needs it. */
export interface ClusterNode {
  name: string;
  /** Where other nodes reach it. */
  address: string;
  /** The ranges of its pods' addresses, at most one of each family. */
  podCidrs: string[];
}

/** What leads to the pods of one node. */
export interface PeerPlan {
  name: string;
  address: string;
  /** The hardware address of its end of the VXLAN. */
  mac: string;
  ranges: PodRange[];
}

/**
 * The hardware address of a node's end of the VXLAN. It follows from the node's address, so that no node has to tell
 * it to the others.
 */
export function vxlanMac(address: string): string {
  const bytes = Buffer.from(hash('sha256', `berth vxlan ${address}`, 'hex').slice(0, 12), 'hex');
  bytes[0] = (bytes[0]! & 0xfc) | 2;
  return bytes.toString('hex').replace(/(..)(?=.)/g, '$1:');
}

/**
 * The peers that can be reached: nodes other than this one with a usable address of the underlay's family and ranges
 * that nobody before them (by name) has. `refused` says why others cannot.
 */
export function planPeers(
  own: string,
  local: string,
  nodes: readonly ClusterNode[],
): { peers: PeerPlan[]; refused: { name: string; why: string }[] } {
  const peers: PeerPlan[] = [];
  const refused: { name: string; why: string }[] = [];
  const taken = new Map<string, string>();
  for (const cidr of nodes.find(({ name }) => name === own)?.podCidrs ?? []) taken.set(cidr, own);
  for (const { name, address, podCidrs } of nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (name === own || podCidrs.length === 0) continue;
    try {
      if (addressFamily(address) !== addressFamily(local))
        throw new Error(`its address ${JSON.stringify(address)} is not of the family of ${local}`);
      const ranges = parsePodRanges(podCidrs.join(','));
      const twin = ranges.find(({ cidr }) => taken.has(cidr));
      if (twin !== undefined)
        throw new Error(`its range ${twin.cidr} is that of node ${taken.get(twin.cidr)}`);
      for (const { cidr } of ranges) taken.set(cidr, name);
      peers.push({ name, address, mac: vxlanMac(address), ranges });
    } catch (error) {
      refused.push({ name, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { peers, refused };
}
