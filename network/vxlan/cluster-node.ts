import { hash } from 'node:crypto';
import { messageOf } from '../../ground/fault.ts';
import { addressFamily, addressNumber, parsePodRanges, type PodRange } from '../pod-range.ts';

/** A node of the cluster as its pods' network needs it. Plain data. */
export interface ClusterNode {
  name: string;
  /** Where other nodes reach it, in the order of its Node object. */
  addresses: string[];
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
 * The hardware address of a node's end of the VXLAN. It follows from the node's name, so that no node has to tell it
 * to the others, and a node that comes back with another address keeps it.
 */
export function vxlanMac(node: string): string {
  const bytes = Buffer.from(hash('sha256', `berth vxlan ${node}`, 'hex').slice(0, 12), 'hex');
  bytes[0] = (bytes[0]! & 0xfc) | 2;
  return bytes.toString('hex').replace(/(..)(?=.)/g, '$1:');
}

/**
 * The peers that can be reached: nodes other than `own` with an address of the family of `local` and ranges that
 * overlap with nobody's before them (by name, this node first), and hold no node's address. `refused` says why others
 * cannot. Nodes without a range are neither: they will get one.
 */
export function planPeers(
  own: string,
  local: string,
  nodes: readonly ClusterNode[],
): { peers: PeerPlan[]; refused: { name: string; why: string }[] } {
  const peers: PeerPlan[] = [];
  const refused: { name: string; why: string }[] = [];
  const taken = new TakenRanges();
  for (const range of parsePodRanges((nodes.find(({ name }) => name === own)?.podCidrs ?? []).join(',')))
    taken.add(range, own);
  const family = addressFamily(local);
  for (const { name, addresses, podCidrs } of nodes.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (name === own || podCidrs.length === 0) continue;
    try {
      const address = addresses.find((one) => addressFamily(one) === family);
      if (address === undefined)
        throw new Error(
          `none of its addresses (${addresses.join(', ') || 'none'}) is of the family of ${local}`,
        );
      if (address === local) throw new Error(`its address ${address} is that of this node`);
      const ranges = parsePodRanges(podCidrs.join(','));
      for (const range of ranges) {
        const twin = taken.overlapping(range);
        if (twin !== undefined) throw new Error(`its range ${range.cidr} overlaps with that of node ${twin}`);
        // What is sent to that address in the VXLAN would be led into the VXLAN again.
        const inside = [local, address].find((one) => holds(range, one));
        if (inside !== undefined) throw new Error(`its range ${range.cidr} holds the node address ${inside}`);
      }
      for (const range of ranges) taken.add(range, name);
      peers.push({ name, address, mac: vxlanMac(name), ranges });
    } catch (error) {
      refused.push({ name, why: messageOf(error) });
    }
  }
  return { peers, refused };
}

function holds(range: PodRange, address: string): boolean {
  if (addressFamily(address) !== range.family) return false;
  const hostBits = BigInt((range.family === 4 ? 32 : 128) - range.prefix);
  return addressNumber(address) >> hostBits === range.first >> hostBits;
}

/** Which node has which range. Ranges are disjoint or one holds the other, so that prefixes are enough to look up. */
class TakenRanges {
  readonly #owners = new Map<string, string>();
  /** Every range that holds a taken one, with the owner of one of those. */
  readonly #above = new Map<string, string>();
  readonly #prefixes = { 4: new Set<number>(), 6: new Set<number>() };

  add(range: PodRange, owner: string): void {
    this.#owners.set(key(range, range.prefix), owner);
    this.#prefixes[range.family].add(range.prefix);
    for (let prefix = range.prefix - 1; prefix >= 0; prefix--) {
      const above = key(range, prefix);
      // All that are above that one are there already.
      if (this.#above.has(above)) break;
      this.#above.set(above, owner);
    }
  }

  overlapping(range: PodRange): string | undefined {
    const within = this.#above.get(key(range, range.prefix));
    if (within !== undefined) return within;
    for (const prefix of this.#prefixes[range.family])
      if (prefix <= range.prefix) {
        const owner = this.#owners.get(key(range, prefix));
        if (owner !== undefined) return owner;
      }
    return undefined;
  }
}

function key(range: PodRange, prefix: number): string {
  const bits = range.family === 4 ? 32 : 128;
  return `${range.family} ${prefix} ${range.first >> BigInt(bits - prefix)}`;
}
