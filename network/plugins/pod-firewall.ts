import type { PluginCallInput } from '../../cni/plugin.ts';
import type { HostPort } from '../pod-network.ts';

/** What plugins want of the node's packet filter for a pod. Addresses are with prefix length, of either family. */
export type PodWish =
  | { kind: 'masquerade'; ips: string[] }
  | { kind: 'forward'; ips: string[]; adminChain: string }
  | { kind: 'host-ports'; ips: string[]; settings: HostPortSettings };

export interface HostPortSettings {
  ports: HostPort[];
  /** Connections from the pod's own network and from the node's loopback are masqueraded. */
  snat: boolean;
  /** iptables only: the chain that marks what is to be masqueraded; one of another program when it is named. */
  markChain: string;
  markBit: number;
  /** More matches in iptables' words, by family. */
  conditions: Record<4 | 6, string>;
}

/** Whose rules they are. */
export interface PodSubject {
  network: string;
  containerId: string;
}

/** Writes what plugins want, in whichever way the node's packet filter is written. */
export interface PodFirewall {
  readonly kind: 'iptables' | 'nftables';
  /**
   * Has the wish written by `settle`. `then` runs when it stands. Throws PluginError when it cannot be expressed.
   * A wish that comes twice stands once.
   */
  put(pod: PodSubject, wish: PodWish, then?: () => Promise<void>): void;
  /** Writes what all plugins of a list have put for the pod, in one transaction for each family. */
  settle(containerId: string, signal?: AbortSignal): Promise<void>;
  /** Takes away what is there of the wish. Without addresses all of its kind goes that bears the pod's name. */
  remove(pod: PodSubject, wish: PodWish, signal?: AbortSignal): Promise<void>;
  /** Whether all of it is there. */
  has(pod: PodSubject, wish: PodWish, signal?: AbortSignal): Promise<boolean>;
}

/** Whose rules a call of a plugin is about. */
export function subjectOf({
  config,
  containerId,
}: Pick<PluginCallInput, 'config' | 'containerId'>): PodSubject {
  return { network: config.name, containerId };
}

/** The wish to be masqueraded, from what IPAM gave. */
export function masqueradeOf(ips: readonly { address: string }[]): PodWish {
  return { kind: 'masquerade', ips: ips.map(({ address }) => address) };
}
