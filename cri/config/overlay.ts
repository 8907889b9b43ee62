import { hostname } from 'node:os';
import type { OverlayConfig } from '../../network/open-network.ts';
import { ConfigMistake } from './mistake.ts';
import type { Config } from './schema.ts';

/** What the configuration says of the overlay; undefined when there is none. Throws Fault `invalid` when it lacks something. */
export function overlayConfig({ network }: Config): OverlayConfig | undefined {
  if (network.overlay === 'none') return undefined;
  if (network.kubeconfig === '')
    throw new ConfigMistake('network.overlay is vxlan, and network.kubeconfig is empty', {
      hint: 'name a kubeconfig whose user may list and watch nodes',
    });
  return {
    kubeconfig: network.kubeconfig,
    // As the kubelet makes it.
    node: (network.node_name || hostname()).toLowerCase(),
    link: { name: network.vxlan_link, vni: network.vxlan_id, port: network.vxlan_port },
  };
}
