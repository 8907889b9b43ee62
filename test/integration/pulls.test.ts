import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImageLibrary } from '../image-library.ts';
import { busyboxImage } from '../image-builder.ts';
import { BUSYBOX, podConfig, removePod, runPod, runSandbox, sandboxStatusOf, statusOf } from '../pods.ts';
import { htpasswdLine, startRegistry, type Registry } from '../registry.ts';
import { RpcError } from '../../cri/client.ts';
import { useNode } from '../use-node.ts';

const PASSWORD = 's3cret-password';
const GUARDED_PORT = 5001;

describe('pulls of a node', () => {
  const suite = useNode({ config: { log: { level: 'debug' } } });
  let guarded: Registry;

  before(async () => {
    const { node, library } = suite;
    const htpasswd = join(node.directory, 'htpasswd');
    writeFileSync(htpasswd, htpasswdLine('user', PASSWORD));
    guarded = await startRegistry({
      store: library.store,
      port: GUARDED_PORT,
      htpasswd,
      inside: (argv) => node.space.inside(argv),
    });
  });
  after(() => guarded.stop());

  const name = (reference: string): string => `${ImageLibrary.address}/${reference}`;

  it('give one identity everywhere, also after a restart', async () => {
    const { node, library } = suite;
    const built = await library.push('identity:1', { ...busyboxImage(), config: { Labels: { own: '1' } } });
    const id = built.imageIds[0]!;
    const spec = { image: name('identity:1') };
    const digest = `${name('identity')}@${built.top.digest}`;
    assert.equal((await node.client.call('PullImage', { image: spec })).imageRef, id);
    assert.equal((await node.client.call('PullImage', { image: { image: digest } })).imageRef, id);
    const { sandbox, container } = await runPod(node, 'identity', ['sleep', '1000'], {
      container: { image: spec },
    });
    const check = async (): Promise<void> => {
      for (const word of [spec.image, digest, id, id.slice(7), id.slice(7, 20)]) {
        const { image } = await node.client.call('ImageStatus', { image: { image: word } });
        assert.deepEqual(
          [image?.id, image?.repoTags, image?.repoDigests],
          [id, [spec.image], [digest]],
          word,
        );
      }
      const { images } = await node.client.call('ListImages', {});
      assert.ok(images.some((image) => image.id === id && image.repoDigests.includes(digest)));
      const status = await statusOf(node, container);
      assert.equal(status.imageId, id);
      const { containers } = await node.client.call('ListContainers', { filter: { podSandboxId: sandbox } });
      assert.equal(containers[0]?.imageId, id);
    };
    await check();
    await node.restart();
    await check();
    await node.kill9();
    await node.start();
    await check();
    await node.client.call('RemoveImage', { image: { image: digest } });
    const gone = await node.client.call('ImageStatus', { image: { image: spec.image } });
    assert.equal(gone.image, null);
  });

  it('tell no credentials: not in log, records, metrics, status or errors', async () => {
    const { node } = suite;
    const image = { image: `127.0.0.1:${GUARDED_PORT}/busybox:1` };
    const auth = (password: string): Record<string, string> => ({ username: 'user', password });
    const tokens = { identityToken: 's3cret-identity', registryToken: 's3cret-token' };
    const refused = async (credentials: Record<string, string>): Promise<void> =>
      assert.rejects(
        node.client.call('PullImage', { image, auth: credentials }),
        (error) => error instanceof RpcError && !/s3cret/.test(error.message),
      );
    await refused(auth('s3cret-wrong'));
    await refused(tokens);
    await refused({ auth: Buffer.from('s3cret').toString('base64') });
    await node.client.call('PullImage', { image, auth: auth(PASSWORD) });
    await node.client.call('RemoveImage', { image });
    const encoded = Buffer.from(`user:${PASSWORD}`).toString('base64');
    writeFileSync(
      join(node.directory, 'auth.json'),
      JSON.stringify({ auths: { [`127.0.0.1:${GUARDED_PORT}`]: { auth: encoded } } }),
    );
    await node.berth('image', 'pull', image.image);
    const metrics = await node.exec(['busybox', 'wget', '-qO-', 'http://127.0.0.1:9464/metrics']);
    const { json } = await node.client.call('Census', {});
    const { info } = await node.client.call('Status', { verbose: true });
    const { info: about } = await node.client.call('ImageStatus', { image, verbose: true });
    const texts = [node.log, metrics, json, JSON.stringify(info), JSON.stringify(about)];
    assert.match(node.log, /"rpc":"PullImage","request".*\[redacted\]/);
    for (const root of [node.root, node.state])
      for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
        if (path.includes('/layers/') || !statSync(join(root, path), { throwIfNoEntry: false })?.isFile())
          continue;
        texts.push(readFileSync(join(root, path), 'latin1'));
      }
    assert.ok(texts.some((text) => text.startsWith('SQLite format 3')));
    for (const text of texts) {
      assert.doesNotMatch(text, /s3cret/);
      assert.ok(!text.includes(encoded) && !text.includes(encoded.slice(8, -4)));
    }
    await node.client.call('RemoveImage', { image });
  });

  it('are not needed for a pod without containers, also when every image is gone', async () => {
    const { node } = suite;
    const { images } = await node.client.call('ListImages', {});
    await Promise.all(
      images
        .flatMap(({ id }) => [id, id])
        .map((image) => node.client.call('RemoveImage', { image: { image } })),
    );
    assert.deepEqual((await node.client.call('ListImages', {})).images, []);
    const sandbox = await runSandbox(node, podConfig(node, 'offline'));
    assert.equal((await sandboxStatusOf(node, sandbox)).state, 0);
    await removePod(node, sandbox);
    await node.client.call('PullImage', { image: { image: BUSYBOX } });
    await suite.retake();
  });

  it('are followed by berth image pull, berth status and the metrics', async () => {
    const { node, library } = suite;
    const layers = [1, 2, 3].map((i) => ({
      files: [{ path: `noise-${i}`, content: randomBytes(40_000_000) }],
      compression: 'gzip' as const,
    }));
    const built = await library.push('large:1', { layers });
    const image = { image: name('large:1') };
    let running = true;
    const pulled = node.client.call('PullImage', { image }).finally(() => (running = false));
    const seen: { bytesDone: number; layers: { state: string; bytesDone: number }[] }[] = [];
    let told = '';
    let page = '';
    while (running) {
      const census = JSON.parse((await node.client.call('Census', {})).json) as {
        pulls: { image: string; progress?: (typeof seen)[number] }[];
      };
      const [pull] = census.pulls;
      if (pull?.progress === undefined || pull.progress.bytesDone === 0) continue;
      assert.equal(pull.image, image.image);
      seen.push(pull.progress);
      if (told === '') {
        [told, page] = await Promise.all([
          node.berth('status'),
          node.exec(['busybox', 'wget', '-qO-', 'http://127.0.0.1:9464/metrics']),
        ]);
      }
    }
    assert.equal((await pulled).imageRef, built.imageIds[0]);
    assert.ok(seen.length > 0);
    assert.ok(seen.every(({ layers: all }) => all.length === 3));
    assert.ok(seen.every((one, i) => i === 0 || one.bytesDone >= seen[i - 1]!.bytesDone));
    assert.match(
      told,
      /^Pulls\n {2}IMAGE +STAGE +LAYERS +BYTES +SINCE\n {2}127\.0\.0\.1:5000\/large:1 +(fetch|unpack)/m,
    );
    assert.match(page, /^berth_image_pull_done_bytes\{image="127\.0\.0\.1:5000\/large:1"\} [1-9]/m);
    assert.match(page, /^berth_image_pulls_running 1$/m);
    assert.doesNotMatch(await node.berth('status'), /Pulls/);
    await node.client.call('RemoveImage', { image });

    const out = await node.exec([
      'sh',
      '-c',
      `${node.berthCommand('image', 'pull', image.image).join(' ')} 2>&1`,
    ]);
    const lines = out.trim().split('\n');
    assert.equal(lines.at(-1), built.imageIds[0]);
    for (const { digest } of built.blobs.slice(1)) {
      const about = lines.filter((line) => line.startsWith(digest.slice(7, 19)));
      assert.match(about.at(-1) ?? '', /done +40\.0 MB$/, out);
    }
    await node.client.call('RemoveImage', { image });
    const terminal = `script -qec '${node.berthCommand('image', 'pull', image.image).join(' ')}' /dev/null`;
    assert.match(await node.exec(['sh', '-c', terminal]), /▕█+▏ +40\.0 MB \/ 40\.0 MB[^\n]*\n3 of 3 layers/);
    await node.client.call('RemoveImage', { image });
    await assert.rejects(node.berth('image', 'pull', name('absent:1')), /does not have/);
  });
});

describe('pulls of a node with verifiers', () => {
  const directory = mkdtempSync('/tmp/berth-verifiers-');
  const suite = useNode({ image: false, config: { image: { verifier_dir: directory } } });
  after(() => rmSync(directory, { recursive: true }));

  it('that are refused say so in the word that the kubelet knows', async () => {
    const { node, library } = suite;
    await library.push('busybox:1');
    const image = { image: `${ImageLibrary.address}/busybox:1` };
    const verifier = join(directory, 'policy');
    writeFileSync(verifier, '#!/bin/sh\necho nobody signed it; exit 1\n', { mode: 0o755 });
    await assert.rejects(
      node.client.call('PullImage', { image }),
      (error) =>
        error instanceof RpcError &&
        error.code === 'UNKNOWN' &&
        /^SignatureValidationFailed: .*policy refuses .*nobody signed it/.test(error.details),
    );
    assert.deepEqual((await node.client.call('ListImages', {})).images, []);
    writeFileSync(verifier, '#!/bin/sh\n');
    await node.client.call('PullImage', { image });
    // The image stays, so that the store has what a store has.
    await suite.retake();
  });
});
