import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { containerConfig, createContainer, eventually, runSandbox, shell } from '../../pods.ts';
import { ServiceNode, sh } from './service-node.ts';

const MIB = 2 ** 20;

for (const { type, device, make, option } of [
  {
    type: 'ext4',
    device: '/dev/vdd',
    make: 'mkfs.ext4 -q -F -O project,quota -E quotatype=prjquota',
    option: 'prjquota',
  },
  { type: 'xfs', device: '/dev/vde', make: 'mkfs.xfs -q -f', option: 'pquota' },
])
  describe(`a bound on what a container writes, on ${type}`, () => {
    const place = `/mnt/lane-${type}`;
    let node: ServiceNode;
    before(async () => {
      mkdirSync(place, { recursive: true });
      await sh(`${make} ${device} && mount -t ${type} -o ${option} ${device} ${place}`);
      node = await ServiceNode.start('systemd', {
        root: `${place}/berth`,
        image: { writable_layer_limit: 8 * MIB },
      });
    });
    afterEach(() => node.clear());
    after(async () => {
      await node.stop();
      await sh(`umount ${place}`);
    });

    async function start(name: string): Promise<string> {
      const pod = await node.pod(name);
      const sandbox = await runSandbox(node, pod);
      const config = containerConfig('main', ['sleep', '1000']);
      const containerId = await createContainer(sandbox, node, config, pod);
      await node.client.call('StartContainer', { containerId });
      return containerId;
    }
    const write = (id: string, file: string, mib: number): Promise<string> =>
      shell(node, id, `dd if=/dev/zero of=${file} bs=1M count=${mib} 2>&1 && sync || true`);

    it('is met by the one who writes, not by its neighbour, and counted', async () => {
      const [greedy, modest] = [await start('greedy'), await start('modest')];
      assert.match(await write(greedy, '/big', 20), /No space left on device|Disk quota exceeded/);
      assert.doesNotMatch(await write(modest, '/small', 6), /No space|quota/);
      const used = await eventually('the usage is told', 60_000, async () => {
        const { stats } = await node.client.call('ContainerStats', { containerId: modest });
        return stats!.writableLayer?.usedBytes?.value;
      });
      assert.ok(used >= BigInt(6 * MIB) && used < BigInt(7 * MIB), `${used}`);
      await shell(node, greedy, 'rm /big; sync');
      assert.doesNotMatch(await write(greedy, '/again', 6), /No space|quota/);
    });
  });
