import { ipBytes } from '../../native/netlink-attributes.ts';
import { DATA_TYPE, type SetElement, type SetPlan, type TableRef } from '../../native/nftables-messages.ts';
import {
  address,
  connection,
  CT_BITS,
  destinationPort,
  dnat,
  type Expression,
  forThisNode,
  lookup,
  meta,
  originalPort,
} from '../../native/nftables-expressions.ts';
import type { HostPort } from '../pod-network.ts';
import { isAnyAddress } from '../rule-text.ts';

/**
 * Host ports as elements of maps: a packet costs one look, however many pods there are.
 *
 *     ports      protocol . port            -> pod's address . port
 *     ports-at   address . protocol . port  -> pod's address . port
 *     hairpin    protocol . original port . pod's address . port    connections whose answers must pass the node
 */

const PROTOCOLS = { tcp: 6, udp: 17, sctp: 132 } as const;
/** Bits that each part of a joined type has. */
const TYPE_BITS = 6;

/** An element and the set that it belongs to. */
export interface Placed {
  set: string;
  element: SetElement;
}

function joined(...types: number[]): number {
  return types.reduce((all, type) => (all << TYPE_BITS) | type, 0);
}

/** The maps for host ports of a family. `hairpin` is a set, or a map of verdicts. */
export function hostPortSets(family: 4 | 6, hairpin: 'set' | 'verdict'): SetPlan[] {
  const address = family === 4 ? DATA_TYPE.ip : DATA_TYPE.ip6;
  const length = family === 4 ? 4 : 16;
  const data = { type: joined(address, DATA_TYPE.port), length: length + 4 };
  const { protocol, port } = DATA_TYPE;
  return [
    { name: 'ports', keyType: joined(protocol, port), keyLength: 8, data },
    { name: 'ports-at', keyType: joined(address, protocol, port), keyLength: length + 8, data },
    {
      name: 'hairpin',
      keyType: joined(protocol, port, address, port),
      keyLength: length + 12,
      data: hairpin === 'set' ? undefined : 'verdict',
    },
  ];
}

/** Rules that lead packets to the pods by the maps `ports-at` and `ports`. */
export function dnatRules(family: 4 | 6): Expression[][] {
  const words = family === 4 ? 1 : 4;
  return [
    [
      ...forThisNode(),
      address(0, family, 'destination'),
      meta(words, 'l4proto'),
      destinationPort(words + 1),
      lookup('ports-at', 8),
      dnat(family, 8),
    ],
    [...forThisNode(), meta(0, 'l4proto'), destinationPort(1), lookup('ports', 8), dnat(family, 8)],
  ];
}

/** Goes on for connections that were led by a host port, with the look into `hairpin`. */
export function hairpinMatch(family: 4 | 6, into?: 'verdict'): Expression[] {
  const words = family === 4 ? 1 : 4;
  return [
    ...connection('status', CT_BITS.dnat),
    meta(0, 'l4proto'),
    originalPort(1),
    address(2, family, 'destination'),
    destinationPort(2 + words),
    lookup('hairpin', into),
  ];
}

/** The elements of one pod. `snat`: what `hairpin` leads to, when it is a map. */
export function hostPortElements(
  pod: { address: string; ports: HostPort[]; comment: string },
  snat?: { jump: string },
): Placed[] {
  const { comment } = pod;
  const podAddress = ipBytes(pod.address).bytes;
  const found = pod.ports.flatMap(({ protocol, hostPort, containerPort, hostIp }): Placed[] => {
    const l4 = Buffer.from([PROTOCOLS[protocol], 0, 0, 0]);
    const port = portBytes(hostPort);
    const target = Buffer.concat([podAddress, portBytes(containerPort)]);
    const key = isAnyAddress(hostIp)
      ? Buffer.concat([l4, port])
      : Buffer.concat([ipBytes(hostIp).bytes, l4, port]);
    const hairpin = Buffer.concat([l4, port, target]);
    return [
      { set: isAnyAddress(hostIp) ? 'ports' : 'ports-at', element: { key, data: target, comment } },
      { set: 'hairpin', element: { key: hairpin, data: snat, comment } },
    ];
  });
  // One port by two addresses of the node.
  return [...new Map(found.map((one) => [`${one.set} ${one.element.key.toString('hex')}`, one])).values()];
}

function portBytes(port: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(port);
  return bytes;
}

/** The table of this name in a family. */
export function tableOf(family: 4 | 6, table: string): TableRef {
  return { family: family === 4 ? 2 : 10, table };
}
