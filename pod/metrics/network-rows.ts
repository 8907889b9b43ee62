import type { InterfaceCounters } from '../stats/interfaces.ts';
import { counter, type MetricRow } from './metric.ts';

/** The links of a pod. */
export type NetworkFacts = readonly InterfaceCounters[];

function perLink(
  way: 'receive' | 'transmit',
  what: string,
  help: string,
  pick: (link: InterfaceCounters) => bigint,
): MetricRow<NetworkFacts> {
  return counter(
    `container_network_${way}_${what}_total`,
    help,
    (links) => links.map((link) => ({ labels: [link.name], value: pick(link) })),
    ['interface'],
  );
}

/** The metrics of a pod's network, with cAdvisor's names. */
export const NETWORK_ROWS: readonly MetricRow<NetworkFacts>[] = [
  perLink('receive', 'bytes', 'Bytes received.', (link) => link.rxBytes),
  perLink('receive', 'packets', 'Packets received.', (link) => link.rxPackets),
  perLink('receive', 'packets_dropped', 'Packets dropped while receiving.', (link) => link.rxDropped),
  perLink('receive', 'errors', 'Errors while receiving.', (link) => link.rxErrors),
  perLink('transmit', 'bytes', 'Bytes sent.', (link) => link.txBytes),
  perLink('transmit', 'packets', 'Packets sent.', (link) => link.txPackets),
  perLink('transmit', 'packets_dropped', 'Packets dropped while sending.', (link) => link.txDropped),
  perLink('transmit', 'errors', 'Errors while sending.', (link) => link.txErrors),
];
