import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { buildImage, type BuiltImage, type ImageBuild } from '../image-builder.ts';
import { ImageStore, until } from '../image-store.ts';
import { describeInOwnNamespaces } from '../own-namespaces.ts';
import { startScriptedRegistry, type ScriptedRegistry } from '../scripted-registry.ts';

const NAMES = ['a', 'b', 'c'] as const;
type Name = (typeof NAMES)[number];

const layer = (word: string): ImageBuild['layers'][number] => ({
  files: [{ path: word, content: word.repeat(3000) }],
});

describeInOwnNamespaces('garbage of images', import.meta.url, () => {
  const store = ImageStore.use();
  let built: Record<Name, BuiltImage>;
  let registry: ScriptedRegistry;
  beforeEach(async () => {
    const image = (name: Name): BuiltImage => buildImage({ layers: [layer('base'), layer(name)] });
    built = { a: image('a'), b: image('b'), c: image('c') };
    registry = await startScriptedRegistry(
      Object.fromEntries(NAMES.map((name) => [`${name}:1`, built[name]])),
    );
  });
  afterEach(() => registry.stop());
  const reference = (name: Name): string => `${registry.address}/${name}:1`;
  const pull = (name: Name): ReturnType<typeof store.images.pull> => store.images.pull(reference(name), {});
  /** Longer than a collection takes to come. */
  const collected = (): Promise<void> => wait(20);
  const isWhole = async (verified: number): Promise<void> =>
    assert.deepEqual(await store.images.check({ repair: false }), {
      verified,
      unverifiable: 0,
      findings: [],
    });

  /** Blobs of this digest wait; `come` resolves when one is asked for. */
  function hold(digest: string): { come: Promise<void>; release: () => void } {
    const come = Promise.withResolvers<void>();
    const open = Promise.withResolvers<void>();
    const blob = Object.values(built)
      .flatMap(({ blobs }) => blobs)
      .find((one) => one.digest === digest)!;
    registry.script = (request, response) => {
      if (!request.url!.endsWith(`/blobs/${digest}`)) return false;
      come.resolve();
      void open.promise.then(() =>
        response.writeHead(200, { 'content-length': blob.bytes.length }).end(blob.bytes),
      );
      return true;
    };
    return { come: come.promise, release: open.resolve };
  }
  const layerDigest = (name: Name, at: number): string => {
    const { layers } = JSON.parse(built[name].top.bytes.toString()) as { layers: { digest: string }[] };
    return layers[at]!.digest;
  };

  it('is not what a running pull has found here', async () => {
    const a = await pull('a');
    const { come, release } = hold(layerDigest('b', 1));
    const pulling = pull('b');
    await come;
    const [base, own] = store.images.inspect(a.id).layers.map(({ directory }) => directory);
    await store.images.remove(a.id);
    await until('the layer of the other image to go', () => !existsSync(own!));
    assert.ok(existsSync(base!));
    release();
    assert.equal((await pulling).layers[0], a.layers[0]);
    await isWhole(2);
    assert.equal(registry.requests.filter((line) => line.endsWith(layerDigest('a', 0))).length, 1);
  });

  it('is not what a running pull has unpacked', async () => {
    const { come, release } = hold(layerDigest('b', 1));
    const pulling = pull('b');
    await come;
    await until('the other layer to be there', () => store.onDisk().layers === 1);
    // What makes room asks for a collection.
    store.images.snapshots.prepare('short', []);
    store.images.snapshots.remove('short');
    await collected();
    assert.equal(store.onDisk().layers, 1);
    release();
    await pulling;
    await isWhole(2);
    // Of a pull that fails the layers stay for its retry, and go when room is made.
    registry.script = (request, response) => {
      if (!request.url!.endsWith(layerDigest('c', 1))) return false;
      response.writeHead(404).end();
      return true;
    };
    await assert.rejects(pull('c'));
    await store.images.remove((await pull('b')).id);
    await store.layersGone();
  });

  it('is not what a container or a volume made of an image stands on', async () => {
    const { snapshots } = store.images;
    const [a, b, c] = [await pull('a'), await pull('b'), await pull('c')];
    const own = [a, b, c].map(({ id }) => store.images.inspect(id).layers[1]!.directory);
    const base = store.images.inspect(a.id).layers[0]!.directory;
    const there = (): boolean[] => [base, ...own].map((path) => existsSync(path));
    snapshots.prepare('container', a.layers);
    snapshots.prepareView('volume', b.layers);
    store.images.hold(c.id, 'about to be created');
    for (const { id } of [a, b, c]) await store.images.remove(id);
    await collected();
    assert.deepEqual(there(), [true, true, true, true]);
    // A restart forgets nobody but those who hold without a record: the room above says again what it holds.
    await store.reopen();
    store.images.snapshots.remove('volume');
    await until('the layer of the volume to go', () => !existsSync(own[1]!));
    assert.deepEqual(there().slice(0, 2), [true, true]);
    store.images.snapshots.remove('container');
    await store.layersGone();
  });

  it('never takes a layer from pulls that race with removals', async () => {
    registry.script = (request, response, nth) => {
      if (!request.url!.includes('/blobs/')) return false;
      const blobs = Object.values(built).flatMap(({ blobs: all }) => all);
      const blob = blobs.find(({ digest }) => request.url!.endsWith(digest))!;
      // Delays that differ from request to request, and are the same in each run.
      setTimeout(
        () => response.writeHead(200, { 'content-length': blob.bytes.length }).end(blob.bytes),
        (nth * 7 + request.url!.length * 3) % 23,
      );
      return true;
    };
    const life = async (name: Name, turn: number): Promise<void> => {
      for (let i = 0; i < 25; i++) {
        const image = await pull(name);
        const id = `${name}${i}`;
        store.images.snapshots.prepare(id, image.layers);
        await store.images.remove(image.id);
        await wait((i * turn) % 5);
        // Its image is gone, its layers have to be there: overlayfs would refuse it.
        const target = store.path(`mnt-${name}`);
        mkdirSync(target, { recursive: true });
        store.images.snapshots.mount(id, target);
        assert.ok(existsSync(`${target}/${name}`) && existsSync(`${target}/base`));
        await store.images.snapshots.unmount(target);
        if (i % 4 === 0) {
          assert.equal((await pull(name)).id, image.id);
          const { layers } = store.images.inspect(image.id);
          for (const { directory } of layers) assert.ok(existsSync(directory), directory);
          await store.images.remove(image.id);
        }
        store.images.snapshots.remove(id);
      }
    };
    await Promise.all(NAMES.map((name, turn) => life(name, turn + 2)));
    const images = await Promise.all(NAMES.map((name) => pull(name)));
    await isWhole(4);
    for (const [i, { layers }] of images.entries())
      await store.mounted(layers, (target) => assert.ok(existsSync(`${target}/${NAMES[i]}`)));
    for (const { id } of images) await store.images.remove(id);
    await store.layersGone();
  });
});
