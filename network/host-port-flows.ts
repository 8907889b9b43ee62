import { deleteFlows, type Flow, IPPROTO_UDP } from '../native/conntrack.ts';
import { ipBytes } from '../native/netlink-attributes.ts';
import type { PodPorts } from './rule-text.ts';
import { addressFamily } from './pod-range.ts';

/**
 * Makes the kernel forget the UDP flows to these host ports. A client that never pauses keeps its flow alive, and
 * with it the decision where it leads: to nobody before the pod came, to a dead pod after it went.
 */
export async function forgetUdpFlows(claim: PodPorts): Promise<void> {
  const ports = new Set(
    claim.ports.filter(({ protocol }) => protocol === 'udp').map(({ hostPort }) => hostPort),
  );
  if (ports.size === 0) return;
  const addresses = claim.addresses.map((address) => ipBytes(address).bytes);
  const matches = (flow: Flow): boolean =>
    flow.protocol === IPPROTO_UDP &&
    ports.has(flow.destinationPort) &&
    // Not those that another pod of the node's serves on the same port of its own address.
    (flow.replySource.equals(flow.destination) || addresses.some((bytes) => bytes.equals(flow.replySource)));
  for (const family of new Set(claim.addresses.map(addressFamily)))
    if (family !== undefined) await deleteFlows(family, matches);
}
