import type { Plugin } from '../../cni/plugin.ts';
import { bandwidth } from './bandwidth.ts';
import { Bridge } from './bridge/bridge.ts';
import { Firewall } from './firewall.ts';
import { hostLocal } from './host-local/host-local.ts';
import { loopback } from './loopback.ts';
import type { PodFirewall } from './pod-firewall.ts';
import { Portmap } from './portmap.ts';
import { Ptp } from './ptp.ts';
import { tuning } from './tuning.ts';

export interface OwnPluginOptions {
  /** Who writes the node's packet filter. */
  firewall: PodFirewall;
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
export function ownPlugins(options: OwnPluginOptions): Plugin[] {
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
