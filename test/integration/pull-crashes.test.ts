import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { RpcError } from '../../cri/client.ts';
import { STAGES } from '../../ground/stages.ts';
import { ImageLibrary } from '../image-library.ts';
import { eventually, runPod, shell, removePod } from '../pods.ts';
import { useNode } from '../use-node.ts';

describe('a daemon that dies while it pulls', () => {
  const suite = useNode();

  for (const stage of STAGES.PullImage) {
    it(`at ${stage} leaves nothing half done, and the retry gets the whole image`, async () => {
      const { node, library } = suite;
      const noise = randomBytes(2_000_000);
      const built = await library.push(`crash-${stage}:1`, {
        layers: [
          { files: [{ path: `${stage}-noise`, content: noise }] },
          { files: [{ path: 'last', content: 'last' }] },
        ],
      });
      const image = { image: `${ImageLibrary.address}/crash-${stage}:1` };
      await node.restart({ BERTH_CRASH_AT: `PullImage:${stage}` });
      await assert.rejects(node.client.call('PullImage', { image }), RpcError);
      await node.ended();
      await node.start();
      const root = join(node.root, 'images');
      assert.deepEqual(readdirSync(join(root, 'ingest')), []);
      assert.equal((await node.client.call('ImageStatus', { image })).image, null);
      assert.equal((await node.client.call('PullImage', { image })).imageRef, built.imageIds[0]);
      const whole = readdirSync(join(root, 'layers')).filter((name) =>
        existsSync(join(root, 'layers', name, `${stage}-noise`)),
      );
      assert.equal(whole.length, 1);
      const { sandbox, container } = await runPod(node, `after-${stage}`, ['sleep', '1000']);
      assert.equal(await shell(node, container, 'echo works'), 'works\n');
      await removePod(node, sandbox);
      await node.client.call('RemoveImage', { image });
      await eventually(
        'the layers are gone',
        20_000,
        () => readdirSync(join(root, 'layers')).length === 1 || undefined,
      );
    });
  }
});
