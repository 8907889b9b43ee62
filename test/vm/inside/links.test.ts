import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { containerConfig, createContainer, runSandbox, sandboxStatusOf, shell } from '../../pods.ts';
import { ServiceNode, sh } from './service-node.ts';

const BRIDGE = 'lane-br0';

/** A network of the bridge plugin whose pods are in one VLAN. */
function vlanNetwork(): object {
  return {
    cniVersion: '1.0.0',
    name: 'vlan',
    plugins: [
      {
        type: 'bridge',
        bridge: BRIDGE,
        vlan: 100,
        ipam: { type: 'host-local', ranges: [[{ subnet: '10.91.0.0/24' }]] },
      },
    ],
  };
}

describe('links that this kernel has', () => {
  let node: ServiceNode;
  const netDirectory = '/etc/cni/lane.d';
  before(async () => {
    mkdirSync(netDirectory, { recursive: true });
    writeFileSync(`${netDirectory}/10-vlan.conflist`, JSON.stringify(vlanNetwork()));
    node = await ServiceNode.start('systemd', { network: { conf_dir: netDirectory, pod_cidr: '' } });
  });
  afterEach(() => node.clear());
  after(async () => {
    await node.stop();
    rmSync(netDirectory, { recursive: true });
    await sh(`ip link del ${BRIDGE} 2>/dev/null || true`);
  });

  async function start(name: string): Promise<{ sandbox: string; container: string; address: string }> {
    const pod = await node.pod(name);
    const sandbox = await runSandbox(node, pod);
    const container = await createContainer(sandbox, node, containerConfig('main', ['sleep', '1000']), pod);
    await node.client.call('StartContainer', { containerId: container });
    return { sandbox, container, address: (await sandboxStatusOf(node, sandbox)).network!.ip };
  }

  it('a bridge filters VLANs: pods of one reach each other, their ports are in it', async () => {
    const [one, two] = [await start('one'), await start('two')];
    assert.match(await sh(`ip -d link show ${BRIDGE}`), /vlan_filtering 1/);
    const ports = JSON.parse(await sh('bridge -j vlan show')) as {
      ifname: string;
      vlans: { vlan: number; flags?: string[] }[];
    }[];
    const ours = ports.filter(({ vlans }) =>
      vlans.some(
        ({ vlan, flags = [] }) => vlan === 100 && flags.includes('PVID') && flags.includes('Egress Untagged'),
      ),
    );
    assert.equal(ours.length, 2, JSON.stringify(ports));
    assert.match(await shell(node, one.container, `ping -c 2 -W 5 ${two.address}`), / 0% packet loss/);
    await sh(
      `bridge vlan del dev ${ours[1]!.ifname} vid 100 && bridge vlan add dev ${ours[1]!.ifname} vid 101 pvid untagged`,
    );
    await assert.rejects(shell(node, one.container, `ping -c 1 -W 2 ${two.address}`));
  });
});
