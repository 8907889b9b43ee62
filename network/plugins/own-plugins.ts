import type { Plugin } from '../../cni/plugin.ts';
import type { ExitWatcher } from '../../native/exits.ts';
import { Iptables } from '../iptables.ts';
import { bandwidth } from './bandwidth.ts';
import { Bridge } from './bridge/bridge.ts';
import { Firewall } from './firewall.ts';
import { hostLocal } from './host-local/host-local.ts';
import { loopback } from './loopback.ts';
import { PodChains } from './pod-chains.ts';
import { Portmap } from './portmap.ts';
import { Ptp } from './ptp.ts';
import { tuning } from './tuning.ts';

export interface OwnPluginOptions {
  exits: ExitWatcher;
}

/** The types of `ownPlugins`. */
export const OWN_TYPES = [
  'bandwidth',
  'bridge',
  'firewall',
  'host-local',
  'loopback',
  'portmap',
  'ptp',
  'tuning',
] as const;

/** Every CNI plugin that Berth brings: the daemon calls them as functions, `berth cni install` as executables. */
export function ownPlugins({ exits }: OwnPluginOptions): Plugin[] {
  const chains = new PodChains([new Iptables(exits, 4), new Iptables(exits, 6)]);
  const options = { chains };
  return [
    bandwidth,
    new Bridge(options),
    new Firewall(options),
    hostLocal,
    loopback,
    new Portmap(options),
    new Ptp(options),
    tuning,
  ];
}
