import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runPod, shell, statusOf } from '../../pods.ts';
import { ServiceNode } from './service-node.ts';

describe('CheckpointContainer where criu works', () => {
  let node: ServiceNode;
  let directory: string;
  before(async () => {
    directory = mkdtempSync('/var/tmp/berth-checkpoint-');
    node = await ServiceNode.start('systemd');
  });
  afterEach(() => node.clear());
  after(async () => {
    await node.stop();
    rmSync(directory, { recursive: true });
  });

  it('writes the archive that the peers write, and the container runs on', async () => {
    const pod = await node.pod('checkpointed');
    const count = 'i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 1; done';
    const { container } = await runPod(node, 'checkpointed', ['sh', '-c', count], { handler: 'runc', pod });
    const location = join(directory, 'archive.tar');
    await node.client.call('CheckpointContainer', { containerId: container, location, timeout: 300n });
    assert.equal(statSync(location).mode & 0o777, 0o600);
    const names = execFileSync('tar', ['-tf', location], { encoding: 'utf8' }).split('\n');
    for (const name of [
      'config.dump',
      'spec.dump',
      'rootfs-diff.tar',
      'dump.log',
      'checkpoint/inventory.img',
    ])
      assert.ok(names.includes(`./${name}`), name);
    execFileSync('tar', ['-C', directory, '-xf', location, './config.dump', './rootfs-diff.tar']);
    const config = JSON.parse(readFileSync(join(directory, 'config.dump'), 'utf8')) as { id: string };
    assert.equal(config.id, container);
    const changed = execFileSync('tar', ['-tf', join(directory, 'rootfs-diff.tar')], { encoding: 'utf8' });
    assert.match(changed, /^\.\/tmp\/n$/m);
    assert.equal((await statusOf(node, container)).state, 1);
    assert.match(
      await shell(node, container, 'a=$(cat /tmp/n); sleep 3; [ $(cat /tmp/n) -gt $a ] && echo lives'),
      /lives/,
    );
  });
});
