import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { pushImage, type ImageBuild } from '../image-builder.ts';
import { ImageStore } from '../image-store.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';
import { startRegistry, type Registry } from '../registry.ts';

const BUILD: ImageBuild = {
  layers: [
    {
      files: [
        { path: './', type: 'directory', mode: 0o755 },
        { path: 'bin/', type: 'directory', mode: 0o755 },
        {
          path: 'bin/tool',
          mode: 0o4755,
          uid: 5,
          content: 'x'.repeat(3000),
          mtimeNs: 1_600_000_000_000_000_007n,
        },
        { path: 'bin/twin', type: 'hardlink', link: 'bin/tool' },
        { path: 'lib', type: 'symlink', link: 'usr/lib' },
        { path: 'usr/lib/', type: 'directory' },
        { path: 'lib/through-the-link', content: 'moved', xattrs: { 'user.a': Buffer.from([0, 1]) } },
        { path: 'null', type: 'char', major: 1, minor: 3 },
        { path: `long/${'n'.repeat(180)}`, content: 'long' },
      ],
    },
    {
      files: [
        { path: 'bin/.wh.twin', content: '' },
        { path: 'big', content: Buffer.alloc(2_500_000, 'b') },
      ],
      compression: 'zstd',
    },
  ],
  config: { Env: ['A=b'], Labels: { note: 'é' } },
};

function labelsOf(configBlob: string): Record<string, string> {
  return (JSON.parse(configBlob) as { config: { Labels: Record<string, string> } }).config.Labels;
}

describeInOwnNamespaces('saving images', import.meta.url, () => {
  const store = ImageStore.use();
  let registry: Registry;
  before(async () => (registry = await startRegistry()));
  after(() => registry.stop());
  const name = (reference: string): string => `${registry.address}/${reference}`;

  const look = (layers: string[]): Promise<void> =>
    store.mounted(layers, (target) => {
      assert.deepEqual(fs.readdirSync(join(target, 'bin')), ['tool']);
      const { mode, uid, mtimeNs } = fs.statSync(join(target, 'bin/tool'), { bigint: true });
      assert.deepEqual([mode & 0o7777n, uid, mtimeNs], [0o4755n, 5n, 1_600_000_000_000_000_007n]);
      assert.equal(fs.readFileSync(join(target, 'usr/lib/through-the-link'), 'utf8'), 'moved');
      assert.equal(fs.statSync(join(target, 'big')).size, 2_500_000);
    });

  for (const format of ['oci', 'docker'] as const) {
    for (const compression of ['none', 'gzip', 'zstd'] as const) {
      it(`writes ${format} archives with ${compression}, which tar lists, skopeo copies and load reads`, async () => {
        await pushImage(registry.address, 'saved:1', BUILD);
        const image = await store.images.pull(name('saved:1'), {});
        const file = store.path('saved.tar');
        await store.images.save([name('saved:1')], file, { format, compression });
        const listed = execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).trim().split('\n');
        assert.ok(listed.includes('manifest.json'), listed.join());
        assert.equal(listed.includes('oci-layout'), format === 'oci');
        assert.deepEqual(
          fs.readdirSync(store.root).filter((entry) => entry.startsWith('saved')),
          ['saved.tar'],
        );

        // Skopeo of Debian 12 reads no docker archive that is compressed with gzip as a whole.
        const program = { none: 'cat', gzip: 'zcat', zstd: 'zstdcat' }[
          format === 'docker' ? compression : 'none'
        ];
        fs.writeFileSync(store.path('plain.tar'), execFileSync(program, [file], { maxBuffer: 1 << 28 }));
        const source = `${format}-archive:${store.path('plain.tar')}`;
        const config = execFileSync('skopeo', ['inspect', '--config', '--raw', source]);
        assert.equal(labelsOf(config.toString())['note'], 'é');
        execFileSync('skopeo', ['copy', '-q', source, `oci:${store.path('layout')}:copied:1`]);

        for (const archive of [file, store.path('layout')]) {
          await store.images.remove(name('saved:1'));
          await store.layersGone();
          const [loaded, ...more] = await store.images.load(archive, { name: name('saved:1') });
          assert.deepEqual(more, []);
          // Skopeo writes the configuration of a docker archive in words of its own.
          if (format === 'oci' || archive === file)
            assert.equal(loaded!.id, image.id, 'the image is the same one');
          assert.deepEqual(loaded!.layers, image.layers);
          assert.deepEqual(loaded!.repoTags, [name('saved:1')]);
          await look(loaded!.layers);
        }
      });
    }
  }

  it('writes several images with all of their names, each blob once', async () => {
    await pushImage(registry.address, 'one:1', BUILD);
    await pushImage(registry.address, 'two:1', { ...BUILD, config: { Env: ['two=2'] } });
    const one = await store.images.pull(name('one:1'), {});
    const two = await store.images.pull(name('two:1'), {});
    const file = store.path('both.tar');
    await store.images.save([one.id, name('two:1'), name('one:1')], file, {});
    const listed = execFileSync('tar', ['-tf', file], { encoding: 'utf8' }).trim().split('\n');
    assert.equal(new Set(listed).size, listed.length);
    // Two layers, two configurations, two manifests.
    assert.equal(listed.filter((path) => path.startsWith('blobs/')).length, 6);
    await store.images.remove(one.id);
    await store.images.remove(two.id);
    const loaded = await store.images.load(file, {});
    const names = loaded.map(({ repoTags }) => repoTags.join()).toSorted();
    assert.deepEqual(names, [name('one:1'), name('two:1')]);
    assert.deepEqual(loaded.map(({ id }) => id).toSorted(), [one.id, two.id].toSorted());
  });

  it('says what cannot be saved, and leaves nothing behind', async () => {
    await pushImage(registry.address, 'twice:1', {
      layers: [
        {
          files: [
            { path: 'a', content: '1' },
            { path: 'a', content: '2' },
          ],
        },
      ],
    });
    await store.images.pull(name('twice:1'), {});
    const file = store.path('no.tar');
    await store.refuses(
      store.images.save([name('twice:1')], file, {}),
      'precondition',
      /cannot be made again/,
    );
    await store.refuses(store.images.save(['absent:1'], file, {}), 'not-found', /absent:1/);
    await pushImage(registry.address, 'saved:1', BUILD);
    const image = await store.images.pull(name('saved:1'), {});
    await store.refuses(
      store.images.save([image.id], store.path('absent/no.tar'), {}),
      'invalid',
      /absent\/no\.tar cannot be written.*ENOENT/,
    );
    fs.writeFileSync(join(store.images.inspect(image.id).layers[1]!.directory, 'big'), 'c'.repeat(2_500_000));
    await store.refuses(store.images.save([image.id], file, {}), 'data-loss', /expected sha256/);
    const left = AbortSignal.abort(new Error('the caller left'));
    await assert.rejects(store.images.save([image.id], file, { signal: left }), /the caller left/);
    assert.deepEqual(
      fs.readdirSync(store.root).filter((entry) => entry.startsWith('no')),
      [],
    );
  });

  it('tells all about an image', async () => {
    const built = await pushImage(registry.address, 'told:1', BUILD);
    const image = await store.images.pull(name('told:1'), {});
    const details = store.images.inspect(name('told:1'));
    assert.equal(details.image.id, image.id);
    assert.equal(details.manifest, built.top.bytes.toString());
    assert.equal(labelsOf(details.configBlob)['note'], 'é');
    assert.deepEqual(
      details.layers.map(({ diffId }) => diffId),
      (JSON.parse(details.configBlob) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids,
    );
    assert.ok(details.layers.every(({ bytes, directory }) => bytes > 0 && fs.existsSync(directory)));
  });
});
