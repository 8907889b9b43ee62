import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Fault, type FaultKind } from '../../ground/fault.ts';
import { SILENT } from '../../ground/log.ts';
import { RecordStore } from '../../ground/records.ts';
import { NO_STAGES } from '../../ground/stages.ts';
import type { Images, PullAuth, PullProgress } from '../../image/images.ts';
import { openImages, type ImagesConfig } from '../../image/open-images.ts';
import { lgetxattr } from '../../native/xattr.ts';
import {
  buildImage,
  busyboxImage,
  pushBuilt,
  pushImage,
  sha256,
  type BuiltImage,
  type Compression,
  type ImageBuild,
} from '../image-builder.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';
import { startRegistry, type Registry } from '../registry.ts';
import { resetAfter, stallAfter, startScriptedRegistry, type Script } from '../scripted-registry.ts';
import { tarArchive, type NewEntry } from '../../image/tar/writer.ts';

const QUICK = { stallTimeout: 300, answerTimeout: 1000, backoff: 10, maxBackoff: 200, tries: 3 };
const AUTH: PullAuth = {
  username: 'user',
  password: 's3cret-password',
  auth: '',
  serverAddress: '',
  identityToken: '',
  registryToken: '',
};

describeInOwnNamespaces('images', import.meta.url, () => {
  let root: string;
  let records: RecordStore;
  let images: Images;
  const open = async (config: Partial<ImagesConfig> = {}): Promise<Images> =>
    openImages({
      root,
      records,
      log: SILENT,
      stages: NO_STAGES,
      config: {
        registryConfigDir: join(root, 'certs.d'),
        maxConcurrentDownloads: 4,
        maxImageBytes: 1e9,
        transfer: QUICK,
        ...config,
      },
    });
  beforeEach(async () => {
    root = fs.mkdtempSync(join(tmpdir(), 'berth-images-'));
    records = new RecordStore(join(root, 'records.db'));
    images = await open();
  });
  afterEach(async () => {
    await images.close();
    records.close();
    fs.rmSync(root, { recursive: true });
  });

  async function reopen(config: Partial<ImagesConfig> = {}): Promise<void> {
    await images.close();
    images = await open(config);
  }

  /** Shows a snapshot of the image to `look`, mounted. */
  async function mounted(layers: string[], look: (target: string) => void): Promise<void> {
    const target = join(root, 'mnt');
    fs.mkdirSync(target);
    images.snapshots.prepare('c1', layers);
    images.snapshots.mount('c1', target);
    try {
      look(target);
    } finally {
      images.snapshots.unmount(target);
      images.snapshots.remove('c1');
      fs.rmdirSync(target);
    }
  }

  /** Directories that stand for layers, and what is half done. */
  const onDisk = (): { layers: number; ingest: number } => ({
    layers: fs.readdirSync(join(root, 'layers')).length,
    ingest: fs.readdirSync(join(root, 'ingest')).length,
  });

  async function refuses(work: Promise<unknown>, kind: FaultKind, pattern: RegExp): Promise<void> {
    await assert.rejects(work, (error) => {
      assert.ok(error instanceof Fault, String(error));
      assert.deepEqual(
        [error.kind, pattern.test(error.message)],
        [kind, true],
        `${error.kind}: ${error.message}`,
      );
      assert.doesNotMatch(error.message, /s3cret|tok-/);
      return true;
    });
    assert.equal(onDisk().ingest, 0);
  }

  async function until(what: string, condition: () => boolean): Promise<void> {
    for (let tries = 0; !condition(); tries++) {
      assert.ok(tries < 300, `${what} did not happen`);
      await wait(10);
    }
  }

  describe('from a real registry', () => {
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
          const image = await images.pull(name(reference), { progress: (progress) => seen.push(progress) });
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
          await mounted(image.layers, (target) => {
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
      const image = await images.pull(name('busybox:1'), {});
      await mounted(image.layers, (target) => {
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
        const image = await images.pull(name(`multi-${mediaTypes}:1`), {});
        assert.equal(image.id, built.imageIds[2]);
        assert.deepEqual(image.config.env, ['PLATFORM=linux/amd64/']);
        assert.ok(image.repoDigests.includes(`${name(`multi-${mediaTypes}`)}@${built.top.digest}`));
      }
      await pushImage(registry.address, 'arm:1', { layers: [], platforms: platforms.slice(0, 2) });
      await refuses(
        images.pull(name('arm:1'), {}),
        'not-found',
        /linux\/amd64.*linux\/arm64\/v8, windows\/amd64/,
      );
      await pushImage(registry.address, 'arm-only:1', { layers: [], platforms: platforms.slice(0, 1) });
      await refuses(images.pull(name('arm-only:1'), {}), 'not-found', /built for linux\/arm64/);
    });

    it('says what is missing', async () => {
      await refuses(images.pull(name('nothing:1'), {}), 'not-found', /image 127.*nothing:1: resolve: /);
      await refuses(images.pull('127.0.0.1:1/x', {}), 'unavailable', /RegistryUnavailable.*ECONNREFUSED/);
      await refuses(images.pull('Upper', {}), 'invalid', /"Upper"/);
    });

    it('knows one image under many names, and moves tags', async () => {
      const first = await pushImage(registry.address, 'names:1', {
        layers: [{ files: [{ path: 'a', content: '1' }] }],
      });
      await pushBuilt(registry.address, 'names:2', first);
      await pushBuilt(registry.address, 'other:1', first);
      for (const reference of ['names:1', 'names:2', 'other:1']) await images.pull(name(reference), {});
      const id = first.imageIds[0]!;
      assert.equal(images.list().length, 1);
      assert.deepEqual(images.find(id)!.repoTags, ['names:1', 'names:2', 'other:1'].map(name));
      assert.equal(images.find(id)!.repoDigests.length, 2);
      for (const word of [
        id,
        id.slice(7),
        id.slice(7, 17),
        name('names:2'),
        `${name('names')}@${first.top.digest}`,
      ]) {
        assert.equal(images.find(word)?.id, id, word);
      }
      assert.equal((await images.pull(`${name('names')}:9@${first.top.digest}`, {})).id, id);

      const second = await pushImage(registry.address, 'names:1', {
        layers: [{ files: [{ path: 'a', content: '2' }] }],
      });
      const moved = await images.pull(name('names:1'), {});
      assert.equal(moved.id, second.imageIds[0]);
      assert.deepEqual(images.find(id)!.repoTags, ['names:2', 'other:1'].map(name));
      await reopen();
      assert.deepEqual(
        images
          .list()
          .map((image) => image.id)
          .toSorted(),
        [id, moved.id].toSorted(),
      );
      await images.remove(name('names:2'));
      assert.equal(images.find(name('other:1')), undefined);
      await Promise.all([images.remove(moved.id), images.remove(moved.id), images.remove('never:there')]);
      assert.deepEqual(images.list(), []);
      await until('layers to go', () => onDisk().layers === 0);
      assert.deepEqual(await images.usage(), { mountpoint: root, usedBytes: 0, inodesUsed: 0 });
    });

    it('keeps the layers that snapshots and holders need', async () => {
      await pushImage(registry.address, 'kept:1', { layers: [{ files: [{ path: 'a', content: '1' }] }] });
      const image = await images.pull(name('kept:1'), {});
      images.snapshots.prepare('c1', image.layers);
      images.hold(image.id, 'c2');
      await images.remove(image.id);
      await wait(50);
      assert.equal(onDisk().layers, 1);
      images.release('c2');
      await wait(50);
      assert.equal(onDisk().layers, 1);
      await reopen();
      assert.deepEqual(images.snapshots.list(), ['c1']);
      images.snapshots.remove('c1');
      images.snapshots.remove('c1');
      await until('layers to go', () => onDisk().layers === 0);
      assert.deepEqual(fs.readdirSync(join(root, 'snapshots')), []);
    });

    it('shares layers between images, wherever they stand', async () => {
      const base = { files: [{ path: 'base', content: 'b' }] };
      const more = { files: [{ path: 'more', content: 'm' }] };
      await pushImage(registry.address, 'share:1', { layers: [base, more, base] });
      await pushImage(registry.address, 'share:2', { layers: [more, base] });
      const [one, two] = await Promise.all([
        images.pull(name('share:1'), {}),
        images.pull(name('share:2'), {}),
      ]);
      assert.deepEqual(onDisk(), { layers: 2, ingest: 0 });
      for (const { layers: chain } of [one, two]) {
        await mounted(chain, (target) =>
          assert.deepEqual(fs.readdirSync(target).toSorted(), ['base', 'more']),
        );
      }
    });

    it('mounts without any layer, and again after a crash', async () => {
      await mounted([], (target) => {
        fs.writeFileSync(join(target, 'x'), 'y'.repeat(10_000));
        // A crash of the node leaves the kernel's mark of a volatile mount behind.
        assert.deepEqual(fs.readdirSync(join(root, 'snapshots/c1/work/work/incompat')), ['volatile']);
      });
      images.snapshots.prepare('c2', []);
      fs.mkdirSync(join(root, 'snapshots/c2/work/work/incompat/volatile'), { recursive: true });
      fs.mkdirSync(join(root, 'mnt'));
      images.snapshots.mount('c2', join(root, 'mnt'));
      fs.writeFileSync(join(root, 'mnt/x'), 'y'.repeat(10_000));
      const { usedBytes, inodesUsed } = await images.snapshots.usage('c2');
      assert.deepEqual([usedBytes >= 10_000 && usedBytes < 30_000, inodesUsed], [true, 2]);
      images.snapshots.unmount(join(root, 'mnt'));
      images.snapshots.unmount(join(root, 'mnt'));
    });

    it('imports archives', async () => {
      const { address } = registry;
      await pushImage(address, 'archive:1', busyboxImage());
      const copy = (target: string): void =>
        void execFileSync(
          'skopeo',
          ['copy', '-q', '--src-tls-verify=false', `docker://${address}/archive:1`, target],
          { cwd: root },
        );
      copy('docker-archive:docker.tar:example.com/a/docker:1');
      copy('oci-archive:oci.tar:example.com/a/oci:1');
      execFileSync('gzip', ['-k', 'docker.tar'], { cwd: root });
      execFileSync('zstd', ['-q', 'oci.tar'], { cwd: root });
      for (const [file, tag] of [
        ['docker.tar', 'docker'],
        ['docker.tar.gz', 'docker'],
        ['oci.tar', 'oci'],
        ['oci.tar.zst', 'oci'],
      ]) {
        const [image, ...more] = await images.load(join(root, file!), {});
        assert.deepEqual(more, []);
        assert.deepEqual(image!.repoTags, [`example.com/a/${tag}:1`]);
        await mounted(image!.layers, (target) => assert.ok(fs.existsSync(join(target, 'bin/busybox'))));
        await images.remove(image!.id);
        await until('layers to go', () => onDisk().layers === 0);
      }
      const [named] = await images.load(join(root, 'docker.tar'), { name: 'mine:2' });
      assert.deepEqual(named!.repoTags, ['docker.io/library/mine:2']);
      fs.writeFileSync(join(root, 'no-image.tar'), tarArchive([{ path: 'x', content: 'y' }]));
      await refuses(images.load(join(root, 'no-image.tar'), {}), 'invalid', /no image archive/);
      fs.writeFileSync(join(root, 'no.tar'), 'x'.repeat(2000));
      await refuses(images.load(join(root, 'no.tar'), {}), 'invalid', /no tar/);
      await refuses(images.load(join(root, 'absent.tar'), {}), 'not-found', /absent\.tar/);
    });
  });

  describe('from a registry that misbehaves', () => {
    const noise = randomBytes(3_000_000);
    const build: ImageBuild = {
      layers: [{ files: [{ path: 'noise', content: noise }], compression: 'none' }],
    };
    const image = buildImage(build);
    const layer = image.blobs[1]!;
    const blobPath = `/v2/x/blobs/${layer.digest}`;
    const isLayer: (url: string | undefined) => boolean = (url) => url === blobPath;

    async function scripted<T>(
      script: Script,
      work: (
        pull: (options?: Parameters<Images['pull']>[1]) => Promise<unknown>,
        requests: string[],
        address: string,
      ) => Promise<T>,
      built: BuiltImage = image,
    ): Promise<T> {
      const registry = await startScriptedRegistry({ 'x:1': built }, script);
      try {
        return await work(
          (options = {}) => images.pull(`${registry.address}/x:1`, options),
          registry.requests,
          registry.address,
        );
      } finally {
        await registry.stop();
      }
    }

    function isWhole(): void {
      const [directory] = fs.readdirSync(join(root, 'layers'));
      const bytes = fs.readFileSync(join(root, 'layers', directory!, 'noise'));
      assert.equal(
        createHash('sha256').update(bytes).digest('hex'),
        createHash('sha256').update(noise).digest('hex'),
      );
    }

    it('goes on where a reset broke a transfer', () =>
      scripted(
        (request, response, nth) =>
          isLayer(request.url) &&
          nth <= 5 &&
          resetAfter(layer, nth === 1 ? 2_000_000 : 150_000, request, response),
        async (pull, requests) => {
          await reopen({ transfer: { ...QUICK, tries: 10 } });
          await pull();
          assert.deepEqual(
            requests.filter((line) => line.includes(blobPath)).slice(1),
            Array(5).fill(`GET ${blobPath} Range`),
          );
          isWhole();
        },
      ));

    it('goes on after a stall', () =>
      scripted(
        (request, response, nth) =>
          isLayer(request.url) && nth === 1 && stallAfter(layer, 1_500_000, request, response),
        async (pull) => {
          await pull();
          isWhole();
        },
      ));

    it('gives up on one that never gets further, in bounded time', () =>
      scripted(
        (request, response) => isLayer(request.url) && stallAfter(layer, 1000, request, response),
        async (pull, requests) => {
          await refuses(pull(), 'unavailable', /fetch: RegistryUnavailable.*no data within 300 ms/);
          assert.equal(requests.filter((line) => line.includes(blobPath)).length, QUICK.tries);
          assert.equal(onDisk().layers, 0);
        },
      ));

    it('does not take a trickle for progress', () =>
      scripted(
        (request, response) => {
          if (!isLayer(request.url)) return false;
          response.writeHead(200, { 'content-length': layer.bytes.length });
          const timer = setInterval(() => response.write('x'), 50);
          response.on('close', () => clearInterval(timer));
          return true;
        },
        async (pull) => {
          await reopen({ transfer: { ...QUICK, floorWindow: 400, floorBytes: 10_000 } });
          await refuses(pull(), 'unavailable', /only \d+ bytes in/);
        },
      ));

    it('takes no content that is not what its digest says', async () => {
      const wrong = Buffer.from(layer.bytes);
      wrong[1_000_000]! ^= 1;
      await scripted(
        (request, response) => isLayer(request.url) && Boolean(response.end(wrong)),
        (pull) => refuses(pull(), 'data-loss', new RegExp(layer.digest)),
      );
      await scripted(
        (request, response) =>
          isLayer(request.url) && Boolean(response.end('<html>no</html>'.repeat(200_000))),
        (pull) => refuses(pull(), 'data-loss', /has 3000000 bytes, expected/),
      );
      const config = image.blobs[0]!;
      await scripted(
        (request, response) =>
          request.url === `/v2/x/blobs/${config.digest}` &&
          Boolean(response.end('x'.repeat(config.bytes.length))),
        (pull) => refuses(pull(), 'data-loss', /image configuration/),
      );
      assert.equal(onDisk().layers, 0);
    });

    it('refuses a layer whose content is not what the configuration says', async () => {
      const other = buildImage({ layers: [{ files: [{ path: 'other', content: 'o' }] }] });
      const manifest = JSON.parse(image.top.bytes.toString()) as { layers: unknown[] };
      manifest.layers = (JSON.parse(other.top.bytes.toString()) as typeof manifest).layers;
      const bytes = Buffer.from(JSON.stringify(manifest));
      const top = { ...image.top, bytes, digest: sha256(bytes) };
      const mixed = { ...image, top, manifests: [top], blobs: [image.blobs[0]!, other.blobs[1]!] };
      await scripted(
        () => false,
        (pull) => refuses(pull(), 'data-loss', /content of a layer/),
        mixed,
      );
    });

    it('refuses documents beyond their bounds, and layers that reach outside', async () => {
      const large = buildImage({ layers: [], config: { Env: ['x'.repeat(9 * 1024 * 1024)] } });
      await scripted(
        () => false,
        (pull) => refuses(pull(), 'invalid', /image configuration has \d+ bytes/),
        large,
      );
      await scripted(
        (_request, response) => Boolean(response.end(' '.repeat(5 * 1024 * 1024))),
        (pull) => refuses(pull(), 'invalid', /manifest is larger|sent more/),
      );
      const hostile = buildImage({ layers: [{ files: [{ path: '../escaped', content: 'x' }] }] });
      await scripted(
        () => false,
        (pull) => refuses(pull(), 'invalid', /"\.\.\/escaped"/),
        hostile,
      );
      assert.ok(!fs.existsSync(join(root, 'ingest/escaped')) && !fs.existsSync(join(root, 'escaped')));
      await reopen({ maxImageBytes: 1_000_000 });
      await scripted(
        () => false,
        (pull) => refuses(pull(), 'exhausted', /more than 1000000 bytes/),
      );
    });

    it('waits as a busy registry asks', () =>
      scripted(
        (request, response, nth) => {
          if (!isLayer(request.url) || nth > 2) return false;
          response.writeHead(nth === 1 ? 429 : 503, nth === 1 ? { 'retry-after': '1' } : {}).end();
          return true;
        },
        async (pull) => {
          await reopen({ transfer: { ...QUICK, maxBackoff: 5000 } });
          const begun = performance.now();
          await pull();
          assert.ok(performance.now() - begun >= 1000);
        },
      ));

    it('downloads once for five who pull at once', () =>
      scripted(
        () => false,
        async (pull, requests, address) => {
          const results = await Promise.all(Array.from({ length: 5 }, () => pull()));
          assert.equal(new Set(results).size, 1);
          assert.equal(requests.filter((line) => line === `GET ${blobPath}`).length, 1);
          assert.equal(requests.filter((line) => line.includes('/manifests/')).length, 1);
          await images.pull(`${address}/x@${image.top.digest}`, {});
          assert.equal(requests.filter((line) => line.includes('/blobs/')).length, 2);
        },
      ));

    it('ends a pull with its last caller, not before', () =>
      scripted(
        (request, response, nth) =>
          isLayer(request.url) && nth === 1 && stallAfter(layer, 2_000_000, request, response),
        async (pull, requests) => {
          await reopen({ transfer: { ...QUICK, stallTimeout: 1000 } });
          const [first, second] = [new AbortController(), new AbortController()];
          const leaving = pull({ signal: first.signal });
          const staying = pull({ signal: second.signal });
          await until('the transfer to stall', () => requests.some((line) => line.includes(blobPath)));
          first.abort();
          await refuses2(leaving, 'cancelled');
          await staying;
          isWhole();
        },
      ));

    it('stops when everybody has left', () =>
      scripted(
        (request, response) => isLayer(request.url) && stallAfter(layer, 2_000_000, request, response),
        async (pull, requests) => {
          const leave = new AbortController();
          const pulls = [pull({ signal: leave.signal }), pull({ signal: leave.signal })];
          await until('the transfer to stall', () => requests.some((line) => line.includes(blobPath)));
          leave.abort();
          for (const each of pulls) await refuses2(each, 'cancelled');
          await until('the directory to go', () => onDisk().ingest === 0);
          assert.equal(onDisk().layers, 0);
        },
      ));

    async function refuses2(work: Promise<unknown>, kind: FaultKind): Promise<void> {
      await assert.rejects(work, (error) => error instanceof Fault && error.kind === kind);
    }

    it('sweeps what a dead daemon left', async () => {
      await images.close();
      for (const path of ['ingest/7/half', 'layers/zz/unrecorded', 'snapshots/lost/fs']) {
        fs.mkdirSync(join(root, path), { recursive: true });
      }
      images = await open();
      assert.deepEqual(onDisk(), { layers: 0, ingest: 0 });
      assert.deepEqual([fs.readdirSync(join(root, 'snapshots')), images.snapshots.list()], [[], []]);
      await until('the trash to be emptied', () => fs.readdirSync(join(root, 'trash')).length === 0);
    });

    describe('with authentication', () => {
      const basic = `Basic ${Buffer.from(`${AUTH.username}:${AUTH.password}`).toString('base64')}`;
      let tokens = 0;
      /** Wants a token that its own /token gives to who shows the password; `lives` requests each. */
      const wantsToken = (lives = Infinity): Script => {
        let current = '';
        let used = 0;
        return (request, response) => {
          const { url, headers } = request;
          if (url!.startsWith('/token')) {
            assert.match(url!, /service=s%26t&scope=repository%3Ax%3Apull/);
            if (headers.authorization !== basic) return Boolean(response.writeHead(401).end());
            used = 0;
            current = `tok-${++tokens}`;
            return Boolean(response.end(JSON.stringify({ token: current })));
          }
          if (headers.authorization === `Bearer ${current}` && used++ < lives) return false;
          const challenge = `Bearer realm="http://${headers.host}/token",service="s&t",scope="repository:x:pull"`;
          return Boolean(response.writeHead(401, { 'www-authenticate': challenge }).end());
        };
      };

      it('gets a token, once', () =>
        scripted(wantsToken(), async (pull, requests) => {
          await pull({ auth: AUTH });
          assert.equal(requests.filter((line) => line.startsWith('GET /token')).length, 1);
        }));

      it('gets another when it expires', () =>
        scripted(wantsToken(1), async (pull) => {
          await pull({ auth: AUTH });
          isWhole();
        }));

      it('is refused with a wrong password, and says nothing of it', () =>
        scripted(wantsToken(), async (pull) => {
          await refuses(
            pull({ auth: { ...AUTH, password: 's3cret-wrong' } }),
            'permission',
            /token server.*refuses/,
          );
          await refuses(pull(), 'permission', /refuses/);
        }));

      it('shows the password to the registry alone', () =>
        scripted(
          (request, response) => {
            if (request.headers.authorization === basic) return false;
            return Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end());
          },
          async (pull) => {
            await pull({ auth: AUTH });
            await images.remove(image.imageIds[0]!);
            await refuses(pull(), 'permission', /refuses access.*401/);
            await refuses(
              pull({ auth: { ...AUTH, serverAddress: 'elsewhere.example' } }),
              'permission',
              /401/,
            );
          },
        ));

      it('does not take credentials along to another host', async () => {
        const seen: (string | undefined)[] = [];
        const storage = await startScriptedRegistry({ 'x:1': image }, (request) => {
          seen.push(request.headers.authorization);
          return false;
        });
        try {
          await scripted(
            (request, response) => {
              if (request.headers.authorization !== basic) {
                return Boolean(response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end());
              }
              if (!isLayer(request.url)) return false;
              const location = `http://${storage.address}${request.url}?signature=s3cret`;
              return Boolean(response.writeHead(307, { location }).end());
            },
            (pull) => pull({ auth: AUTH }),
          );
          assert.deepEqual(seen, [undefined]);
        } finally {
          await storage.stop();
        }
      });
    });

    it('asks mirrors first and goes on to the registry', () =>
      scripted(
        () => false,
        async (_pull, requests, address) => {
          const directory = join(root, 'certs.d/reg.example');
          fs.mkdirSync(directory, { recursive: true });
          const toml = `server = "http://${address}"\n[host."http://127.0.0.1:1"]\n[host."http://${address}/mirror"]\ncapabilities = ["pull"]\n`;
          fs.writeFileSync(join(directory, 'hosts.toml'), toml);
          await images.pull('reg.example/x:1', {});
          assert.equal(requests[0], 'GET /v2/x/manifests/1');
          assert.ok(requests.includes(`GET /mirror${blobPath}?ns=reg.example`));
          assert.deepEqual(images.list()[0]!.repoTags, ['reg.example/x:1']);
        },
      ));
  });
});
