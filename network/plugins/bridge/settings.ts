import { isJsonObject, type JsonObject } from '../../../cni/config-list.ts';
import { CNI_ERROR, PluginError } from '../../../cni/plugin-error.ts';
import type { PluginConfig } from '../../../cni/plugin.ts';

/** The configuration of the plugin bridge, as the reference plugin's documentation names it. */
export interface BridgeSettings {
  bridge: string;
  isGateway: boolean;
  isDefaultGateway: boolean;
  forceAddress: boolean;
  ipMasq: boolean;
  mtu: number | undefined;
  hairpinMode: boolean;
  promiscMode: boolean;
  portIsolation: boolean;
  /** 0: none. */
  vlan: number;
  /** VLANs that pass with their tags. */
  vlanTrunk: number[];
  preserveDefaultVlan: boolean;
  disableContainerInterface: boolean;
}

const MAX_VLAN = 4094;

/** Reads it. Throws PluginError for what the reference plugin refuses, too. */
export function bridgeSettings(config: PluginConfig): BridgeSettings {
  const refuse = (what: string): never => {
    throw new PluginError('bridge', CNI_ERROR.invalidConfig, what);
  };
  const flag = (key: string, byDefault = false): boolean => {
    const value = config[key] ?? byDefault;
    return typeof value === 'boolean' ? value : refuse(`${key} is neither true nor false`);
  };
  const vlan = (value: unknown, key: string): number =>
    typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_VLAN
      ? value
      : refuse(`${key} ${JSON.stringify(value)} is no VLAN from 0 to ${MAX_VLAN}`);
  const bridge = config['bridge'] ?? 'cni0';
  if (typeof bridge !== 'string' || !/^[^/:\s]{1,15}$/.test(bridge))
    return refuse(`bridge ${JSON.stringify(bridge)} is no interface name`);
  const mtu = config['mtu'] ?? 0;
  if (typeof mtu !== 'number' || !Number.isInteger(mtu) || mtu < 0 || mtu > 65_535)
    return refuse(`mtu ${JSON.stringify(mtu)} is no size of packets`);
  for (const key of ['macspoofchk', 'enabledad'])
    if (flag(key))
      return refuse(`${key} is not served here; the reference plugin does, with "berth.exec": true`);
  const isDefaultGateway = flag('isDefaultGateway');
  const settings: BridgeSettings = {
    bridge,
    isDefaultGateway,
    isGateway: isDefaultGateway || flag('isGateway'),
    forceAddress: flag('forceAddress'),
    ipMasq: flag('ipMasq'),
    mtu: mtu === 0 ? undefined : mtu,
    hairpinMode: flag('hairpinMode'),
    promiscMode: flag('promiscMode'),
    portIsolation: flag('portIsolation'),
    vlan: vlan(config['vlan'] ?? 0, 'vlan'),
    vlanTrunk: trunk(config['vlanTrunk'] ?? [], vlan, refuse),
    preserveDefaultVlan: flag('preserveDefaultVlan', true),
    disableContainerInterface: flag('disableContainerInterface'),
  };
  if (settings.hairpinMode && settings.promiscMode)
    return refuse('cannot set hairpin mode and promiscuous mode at the same time');
  if (settings.vlan !== 0 && settings.vlanTrunk.length > 0)
    return refuse('vlan and vlanTrunk exclude each other');
  if (settings.disableContainerInterface && config['ipam'] !== undefined)
    return refuse('IPAM cannot serve an interface that is disabled (disableContainerInterface)');
  return settings;
}

function trunk(
  value: unknown,
  vlan: (value: unknown, key: string) => number,
  refuse: (what: string) => never,
): number[] {
  if (!Array.isArray(value)) return refuse('vlanTrunk is no list');
  const found = value.flatMap((entry: unknown): number[] => {
    const { id, minID, maxID } = isJsonObject(entry) ? entry : ({} as JsonObject);
    const single = id === undefined ? [] : [vlan(id, 'vlanTrunk.id')];
    if (minID === undefined && maxID === undefined)
      return single.length > 0 ? single : refuse('vlanTrunk has an entry without id, minID and maxID');
    const [from, to] = [vlan(minID, 'vlanTrunk.minID'), vlan(maxID, 'vlanTrunk.maxID')];
    if (from > to) return refuse('vlanTrunk: minID is larger than maxID');
    return [...single, ...Array.from({ length: to - from + 1 }, (_, index) => from + index)];
  });
  return [...new Set(found)].sort((a, b) => a - b);
}
