import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { PullProgress } from '../../image/images.ts';
import { tarArchive, type NewEntry } from '../../image/tar/writer.ts';
import { lgetxattr } from '../../native/xattr.ts';
import { busyboxImage, pushBuilt, pushImage, type Compression, type ImageBuild } from '../image-builder.ts';
import { ImageStore } from '../image-store.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';
import { startRegistry, type Registry } from '../registry.ts';

describeInOwnNamespaces('images from a registry', import.meta.url, () => {
  const store = ImageStore.use();
  let registry: Registry;
  before(async () => (registry = await startRegistry()));
  after(() => registry.stop());
  const name = (reference: string): string => `${registry.address}/${reference}`;

  const layers: NewEntry[][] = [
    [
      { path: './', type: 'directory', mode: 0o751, mtimeNs: 1_000_000_000n },
      { path: 'etc/', type: 'directory', mode: 0o2750, uid: 10, gid: 20 },
      {
        path: 'etc/keep',
        content: 'keep',
        mode: 0o4755,
        uid: 1000,
        gid: 1001,
        mtimeNs: 1_600_000_000_123_456_789n,
      },
      { path: 'etc/gone', content: 'gone' },
      { path: 'etc/twin', type: 'hardlink', link: 'etc/keep' },
      { path: 'var/', type: 'directory' },
      { path: 'var/old', content: 'old' },
      { path: 'dev/', type: 'directory' },
      { path: 'dev/null', type: 'char', major: 1, minor: 3, mode: 0o666 },
      { path: 'capable', mode: 0o755, content: 'x', xattrs: { 'user.note': Buffer.from([0, 255, 1]) } },
    ],
    [
      { path: 'etc/.wh.gone' },
      { path: 'etc/new', content: 'new' },
      { path: 'var/', type: 'directory' },
      { path: 'var/.wh..wh..opq' },
      { path: 'var/fresh', content: 'fresh' },
    ],
    [{ path: 'link', type: 'symlink', link: '/etc/keep' }],
  ];

  for (const mediaTypes of ['oci', 'docker'] as const) {
    for (const compression of ['gzip', 'zstd', 'none'] as Compression[]) {
      it(`pulls ${mediaTypes} with ${compression} layers, and the tree is right`, async () => {
        const reference = `tree-${mediaTypes}-${compression}:1`;
        const config = {
          Env: ['A=b'],
          Entrypoint: ['/e'],
          User: 'u:g',
          Volumes: { '/v': {} },
          StopSignal: 'SIGUSR1',
        };
        const built = await pushImage(registry.address, reference, {
          layers: layers.map((files) => ({ files, compression })),
          config,
          mediaTypes,
        });
        const seen: PullProgress[] = [];
        const image = await store.images.pull(name(reference), {
          progress: (progress) => seen.push(progress),
        });
        assert.equal(image.id, built.imageIds[0]);
        assert.deepEqual(image.repoTags, [name(reference)]);
        assert.deepEqual(image.repoDigests, [`${name(reference).replace(/:1$/, '')}@${built.top.digest}`]);
        assert.deepEqual(image.config, {
          user: 'u:g',
          env: ['A=b'],
          entrypoint: ['/e'],
          cmd: [],
          workingDir: '',
          volumes: ['/v'],
          labels: {},
          stopSignal: 'SIGUSR1',
        });
        assert.equal(image.layers.length, 3);
        const last = seen.at(-1)!;
        assert.deepEqual([last.layersDone, last.layersTotal, last.bytesDone], [3, 3, last.bytesTotal]);
        await store.mounted(image.layers, (target) => {
          const stat = (path: string): fs.BigIntStats => fs.lstatSync(join(target, path), { bigint: true });
          const names = fs.readdirSync(target).toSorted();
          assert.deepEqual(names, ['capable', 'dev', 'etc', 'link', 'var']);
          assert.equal(stat('').mode & 0o7777n, 0o751n);
          assert.deepEqual(fs.readdirSync(join(target, 'etc')).toSorted(), ['keep', 'new', 'twin']);
          assert.deepEqual(fs.readdirSync(join(target, 'var')), ['fresh']);
          // The second layer has no entry for etc: its attributes are those of the first.
          assert.deepEqual(
            [stat('etc').mode & 0o7777n, stat('etc').uid, stat('etc').gid],
            [0o2750n, 10n, 20n],
          );
          const keep = stat('etc/keep');
          assert.deepEqual([keep.mode & 0o7777n, keep.uid, keep.gid], [0o4755n, 1000n, 1001n]);
          assert.equal(keep.mtimeNs, 1_600_000_000_123_456_789n);
          assert.deepEqual([keep.ino, keep.nlink], [stat('etc/twin').ino, 2n]);
          assert.deepEqual([stat('dev/null').rdev, stat('dev/null').mode], [0x103n, 0o020666n]);
          assert.equal(fs.readlinkSync(join(target, 'link')), '/etc/keep');
          assert.deepEqual(lgetxattr(join(target, 'capable'), 'user.note'), Buffer.from([0, 255, 1]));
        });
      });
    }
  }

  it('runs busybox from an image', async () => {
    await pushImage(registry.address, 'busybox:1', busyboxImage());
    const image = await store.images.pull(name('busybox:1'), {});
    await store.mounted(image.layers, (target) => {
      const said = execFileSync('chroot', [target, 'sh', '-c', 'id -un alice; stat -c %a /tmp'], {
        encoding: 'utf8',
      });
      assert.equal(said, 'alice\n1777\n');
    });
  });

  it('chooses the platform from an index', async () => {
    const platforms = [
      { architecture: 'arm64', os: 'linux', variant: 'v8' },
      { architecture: 'amd64', os: 'windows' },
      { architecture: 'amd64', os: 'linux' },
    ];
    for (const mediaTypes of ['oci', 'docker'] as const) {
      const build: ImageBuild = { layers: [{ files: [] }], platforms, mediaTypes };
      const built = await pushImage(registry.address, `multi-${mediaTypes}:1`, build);
      const image = await store.images.pull(name(`multi-${mediaTypes}:1`), {});
      assert.equal(image.id, built.imageIds[2]);
      assert.deepEqual(image.config.env, ['PLATFORM=linux/amd64/']);
      assert.ok(image.repoDigests.includes(`${name(`multi-${mediaTypes}`)}@${built.top.digest}`));
    }
    await pushImage(registry.address, 'arm:1', { layers: [], platforms: platforms.slice(0, 2) });
    await store.refuses(
      store.images.pull(name('arm:1'), {}),
      'not-found',
      /linux\/amd64.*linux\/arm64\/v8, windows\/amd64/,
    );
    await pushImage(registry.address, 'arm-only:1', { layers: [], platforms: platforms.slice(0, 1) });
    await store.refuses(store.images.pull(name('arm-only:1'), {}), 'not-found', /built for linux\/arm64/);
  });

  it('says what is missing', async () => {
    await store.refuses(
      store.images.pull(name('nothing:1'), {}),
      'not-found',
      /image 127.*nothing:1: resolve: /,
    );
    await store.refuses(
      store.images.pull('127.0.0.1:1/x', {}),
      'unavailable',
      /RegistryUnavailable.*ECONNREFUSED/,
    );
    await store.refuses(store.images.pull('Upper', {}), 'invalid', /"Upper"/);
  });

  it('knows one image under many names, and moves tags', async () => {
    const first = await pushImage(registry.address, 'names:1', {
      layers: [{ files: [{ path: 'a', content: '1' }] }],
    });
    await pushBuilt(registry.address, 'names:2', first);
    await pushBuilt(registry.address, 'other:1', first);
    for (const reference of ['names:1', 'names:2', 'other:1']) await store.images.pull(name(reference), {});
    const id = first.imageIds[0]!;
    assert.equal(store.images.list().length, 1);
    assert.deepEqual(store.images.find(id)!.repoTags, ['names:1', 'names:2', 'other:1'].map(name));
    assert.equal(store.images.find(id)!.repoDigests.length, 2);
    for (const word of [
      id,
      id.slice(7),
      id.slice(7, 17),
      name('names:2'),
      `${name('names')}@${first.top.digest}`,
    ]) {
      assert.equal(store.images.find(word)?.id, id, word);
    }
    assert.equal((await store.images.pull(`${name('names')}:9@${first.top.digest}`, {})).id, id);

    const second = await pushImage(registry.address, 'names:1', {
      layers: [{ files: [{ path: 'a', content: '2' }] }],
    });
    const moved = await store.images.pull(name('names:1'), {});
    assert.equal(moved.id, second.imageIds[0]);
    assert.deepEqual(store.images.find(id)!.repoTags, ['names:2', 'other:1'].map(name));
    await store.reopen();
    assert.deepEqual(
      store.images
        .list()
        .map((image) => image.id)
        .toSorted(),
      [id, moved.id].toSorted(),
    );
    await store.images.remove(name('names:2'));
    assert.equal(store.images.find(name('other:1')), undefined);
    await Promise.all([
      store.images.remove(moved.id),
      store.images.remove(moved.id),
      store.images.remove('never:there'),
    ]);
    assert.deepEqual(store.images.list(), []);
    await store.layersGone();
    const nothing = { mountpoint: store.root, usedBytes: 0, inodesUsed: 0 };
    assert.deepEqual(await store.images.usage(), { images: nothing, containers: nothing });
  });

  it('keeps the layers that snapshots and holders need', async () => {
    await pushImage(registry.address, 'kept:1', { layers: [{ files: [{ path: 'a', content: '1' }] }] });
    const image = await store.images.pull(name('kept:1'), {});
    store.images.snapshots.prepare('c1', image.layers);
    store.images.hold(image.id, 'c2');
    await store.images.remove(image.id);
    await wait(50);
    assert.equal(store.onDisk().layers, 1);
    store.images.release('c2');
    await wait(50);
    assert.equal(store.onDisk().layers, 1);
    await store.reopen();
    assert.deepEqual(store.images.snapshots.list(), ['c1']);
    store.images.snapshots.remove('c1');
    store.images.snapshots.remove('c1');
    await store.layersGone();
    assert.deepEqual(fs.readdirSync(store.path('snapshots')), []);
  });

  it('shares layers between images, wherever they stand', async () => {
    const base = { files: [{ path: 'base', content: 'b' }] };
    const more = { files: [{ path: 'more', content: 'm' }] };
    await pushImage(registry.address, 'share:1', { layers: [base, more, base] });
    await pushImage(registry.address, 'share:2', { layers: [more, base] });
    const [one, two] = await Promise.all([
      store.images.pull(name('share:1'), {}),
      store.images.pull(name('share:2'), {}),
    ]);
    assert.deepEqual(store.onDisk(), { layers: 2, ingest: 0 });
    for (const { layers: chain } of [one, two]) {
      await store.mounted(chain, (target) =>
        assert.deepEqual(fs.readdirSync(target).toSorted(), ['base', 'more']),
      );
    }
  });

  it('mounts without any layer, and again after a crash', async () => {
    await store.mounted([], (target) => {
      fs.writeFileSync(join(target, 'x'), 'y'.repeat(10_000));
      // A crash of the node leaves the kernel's mark of a volatile mount behind.
      assert.deepEqual(fs.readdirSync(store.path('snapshots', 'c1', 'work', 'work', 'incompat')), [
        'volatile',
      ]);
    });
    store.images.snapshots.prepare('c2', []);
    fs.mkdirSync(store.path('snapshots', 'c2', 'work', 'work', 'incompat', 'volatile'), { recursive: true });
    fs.mkdirSync(store.path('mnt'));
    store.images.snapshots.mount('c2', store.path('mnt'));
    fs.writeFileSync(store.path('mnt/x'), 'y'.repeat(10_000));
    const { usedBytes, inodesUsed } = await store.images.snapshots.usage('c2');
    assert.deepEqual([usedBytes >= 10_000 && usedBytes < 30_000, inodesUsed], [true, 2]);
    const { images, containers } = await store.images.usage();
    assert.deepEqual([images.usedBytes, containers.usedBytes], [0, usedBytes]);
    await store.images.snapshots.unmount(store.path('mnt'));
    await store.images.snapshots.unmount(store.path('mnt'));
  });

  it('imports archives', async () => {
    const { address } = registry;
    await pushImage(address, 'archive:1', busyboxImage());
    const copy = (target: string): void =>
      void execFileSync(
        'skopeo',
        ['copy', '-q', '--src-tls-verify=false', `docker://${address}/archive:1`, target],
        { cwd: store.root },
      );
    copy('docker-archive:docker.tar:example.com/a/docker:1');
    copy('oci-archive:oci.tar:example.com/a/oci:1');
    execFileSync('gzip', ['-k', 'docker.tar'], { cwd: store.root });
    execFileSync('zstd', ['-q', 'oci.tar'], { cwd: store.root });
    for (const [file, tag] of [
      ['docker.tar', 'docker'],
      ['docker.tar.gz', 'docker'],
      ['oci.tar', 'oci'],
      ['oci.tar.zst', 'oci'],
    ]) {
      const [image, ...more] = await store.images.load(store.path(file!), {});
      assert.deepEqual(more, []);
      assert.deepEqual(image!.repoTags, [`example.com/a/${tag}:1`]);
      await store.mounted(image!.layers, (target) => assert.ok(fs.existsSync(join(target, 'bin/busybox'))));
      await store.images.remove(image!.id);
      await store.layersGone();
    }
    const [named] = await store.images.load(store.path('docker.tar'), { name: 'mine:2' });
    assert.deepEqual(named!.repoTags, ['docker.io/library/mine:2']);
    fs.writeFileSync(store.path('no-image.tar'), tarArchive([{ path: 'x', content: 'y' }]));
    await store.refuses(store.images.load(store.path('no-image.tar'), {}), 'invalid', /no image archive/);
    fs.writeFileSync(store.path('no.tar'), 'x'.repeat(2000));
    await store.refuses(store.images.load(store.path('no.tar'), {}), 'invalid', /no tar/);
    await store.refuses(store.images.load(store.path('absent.tar'), {}), 'not-found', /absent\.tar/);
  });
});
