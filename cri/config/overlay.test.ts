import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { overlayConfig } from './overlay.ts';
import { defaultConfig } from './schema.ts';

describe('the configuration of the overlay', () => {
  it('is none by default', () => {
    assert.equal(overlayConfig(defaultConfig()), undefined);
  });

  it('needs a kubeconfig, and has a default for all else', () => {
    const config = defaultConfig();
    config.network.overlay = 'vxlan';
    assert.throws(() => overlayConfig(config), /network\.kubeconfig is empty; name a kubeconfig/);
    config.network.kubeconfig = '/etc/berth/kubeconfig';
    assert.deepEqual(overlayConfig(config), {
      kubeconfig: '/etc/berth/kubeconfig',
      node: hostname().toLowerCase(),
      link: { name: 'berth.vxlan', vni: 1, port: 8472 },
    });
    config.network.node_name = 'Node-7';
    assert.equal(overlayConfig(config)?.node, 'node-7');
  });
});
