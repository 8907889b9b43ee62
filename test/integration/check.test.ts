import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckReport } from '../../cri/check.ts';
import { BUSYBOX, removeAllPods, runPod } from '../pods.ts';
import { useNode } from '../use-node.ts';

describe('berth check', () => {
  const suite = useNode();
  const check = async (...flags: string[]): Promise<CheckReport> =>
    JSON.parse(await suite.node.berth('check', '--json', ...flags)) as CheckReport;
  /** What it writes when it finds something, and ends with an error. */
  const complaints = async (): Promise<string> => {
    const { node } = suite;
    await assert.rejects(node.berth('check'), /things are not as they should be/);
    const berth = join(import.meta.dirname, '../../bin/berth');
    return node.exec(['sh', '-c', `${berth} check --config ${node.configFile} 2>&1 || true`]);
  };

  it('has nothing to say of a node in order, with the daemon and without', async () => {
    const { node } = suite;
    await runPod(node, 'fine', ['sleep', '1000']);
    const store = { verified: 1, unverifiable: 0, findings: [] };
    assert.deepEqual(await check(), { live: true, pods: [], store });
    await node.stop();
    assert.deepEqual(await check(), { live: false, pods: [], store });
    assert.match(await node.berth('check'), /No daemon runs. 1 layers are whole.\nNothing is wrong./);
    await node.start();
  });

  it('says what died, and what no record names', async () => {
    const { node } = suite;
    const pod = await runPod(node, 'dead', ['sleep', '1000']);
    const { info } = await node.client.call('ContainerStatus', { containerId: pod.container, verbose: true });
    await node.kill9();
    process.kill(Number(info['pid']), 'SIGKILL');
    const orphan = 'e'.repeat(64);
    mkdirSync(join(node.state, 'containers', orphan));
    const said = await complaints();
    assert.match(said, new RegExp(`orphan +\\S+/containers/${orphan} +no record names it`));
    assert.match(
      said,
      new RegExp(`container +${pod.container} +it is running, and its process \\d+ is gone`),
    );
    assert.match(said, /2 things are not as they should be; the next start/);
    await node.start();
    const { pods } = await check();
    assert.deepEqual(pods, []);
    await removeAllPods(node);
  });

  it('repairs the store of a stopped daemon', async () => {
    const { node } = suite;
    const { images } = await node.client.call('ListImages', {});
    const details = JSON.parse(await node.berth('image', 'inspect', BUSYBOX)) as {
      layers: { directory: string }[];
    };
    await node.stop();
    writeFileSync(join(details.layers[0]!.directory, 'etc/passwd'), 'root::0:0::/:/bin/sh\n');
    assert.match(await complaints(), /layer .*etc\/passwd.* has 21 bytes instead of/);
    const said = await node.berth('check', '--repair');
    assert.match(said, /layer .* repaired\n.*image .* repaired\nPull the images again/s);
    await node.start();
    assert.deepEqual((await node.client.call('ListImages', {})).images, []);
    const { imageRef } = await node.client.call('PullImage', { image: { image: BUSYBOX } });
    assert.equal(imageRef, images[0]!.id);
    assert.deepEqual((await check()).store.findings, []);
    await suite.retake();
  });

  it('saves and loads by the command line', async () => {
    const { node } = suite;
    const file = join(node.directory, 'saved.tar');
    await node.berth('image', 'save', file, BUSYBOX, '--compress', 'zstd');
    await assert.rejects(node.berth('image', 'save', file, 'absent:1'), /absent:1/);
    await node.client.call('RemoveImage', { image: { image: BUSYBOX } });
    assert.match(await node.berth('image', 'load', file), /busybox:1/);
    await runPod(node, 'loaded', ['sleep', '1000']);
    await removeAllPods(node);
    await suite.retake();
  });
});
