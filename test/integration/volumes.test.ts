import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { busyboxImage, type ImageBuild } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import {
  containerConfig,
  createContainer,
  podConfig,
  runPod,
  runSandbox,
  shell,
  statusOf,
  type ContainerConfig,
  type RunningPod,
} from '../pods.ts';
import { assertRefused } from '../refusal.ts';
import { useNode } from '../use-node.ts';

const VOLUME = `${ImageLibrary.address}/volume:1`;
const FLAT = `${ImageLibrary.address}/flat:1`;
const DECLARES = `${ImageLibrary.address}/declares:1`;

/** Two layers, with links that try to lead out of the image. */
const VOLUME_IMAGE: ImageBuild = {
  layers: [
    {
      files: [
        { path: 'dir/file', content: 'below\n' },
        { path: 'dir/covered', content: 'below\n' },
        { path: 'absolute', type: 'symlink', link: '/dir' },
        { path: 'out', type: 'symlink', link: '../../../../../../etc' },
        { path: 'passwd', type: 'symlink', link: '/etc/passwd' },
      ],
    },
    { files: [{ path: 'dir/covered', content: 'above\n' }] },
  ],
};

const DECLARING_IMAGE: ImageBuild = {
  layers: [
    ...busyboxImage().layers,
    {
      files: [
        { path: 'data/', type: 'directory', mode: 0o750, uid: 1000, gid: 1001 },
        { path: 'data/seed', content: 'seed\n', mode: 0o640, uid: 1000, gid: 1001 },
        { path: 'data/link', type: 'symlink', link: 'seed' },
        { path: 'elsewhere', type: 'symlink', link: '/../../data' },
      ],
    },
  ],
  config: { ...busyboxImage().config, Volumes: { '/data': {}, '/var/new': {}, '/elsewhere': {} } },
};

for (const handler of ['crun', 'runc'])
  describe(`volumes with ${handler}`, () => {
    const suite = useNode();
    type Mounts = NonNullable<ContainerConfig['mounts']>;
    const start = (mounts: Mounts): Promise<RunningPod> =>
      runPod(suite.node, 'volumes', ['sleep', '1000'], { container: { mounts }, handler });
    const refused = async (
      mounts: Mounts,
      says: RegExp,
      code: 'UNKNOWN' | 'INVALID_ARGUMENT' = 'UNKNOWN',
    ) => {
      const pod = podConfig(suite.node, 'volumes');
      const sandbox = await runSandbox(suite.node, pod, handler);
      const config = containerConfig('main', ['sleep', '1000'], { mounts, logPath: '' });
      await assertRefused(suite.node, { code, says }, () =>
        createContainer(sandbox, suite.node, config, pod),
      );
    };
    const pull = (image: string): Promise<unknown> =>
      suite.node.client.call('PullImage', { image: { image } });

    before(async () => {
      await suite.library.push('volume:1', VOLUME_IMAGE);
      await suite.library.push('flat:1', { layers: VOLUME_IMAGE.layers.slice(0, 1) });
      await suite.library.push('declares:1', DECLARING_IMAGE);
      for (const image of [VOLUME, FLAT, DECLARES]) await pull(image);
      await suite.retake();
    });

    it('made of an image show its layers and cannot be written', async () => {
      const { container } = await start([
        { containerPath: '/two', image: { image: VOLUME } },
        { containerPath: '/one', image: { image: FLAT }, readonly: true, recursiveReadOnly: true },
      ]);
      const { node } = suite;
      assert.equal(await shell(node, container, 'cat /two/dir/covered /one/dir/covered'), 'above\nbelow\n');
      await shell(node, container, '! touch /two/x; ! touch /one/x; ! rm /one/dir/file');
      const { mounts } = await statusOf(node, container);
      const { image } = await node.client.call('ImageStatus', { image: { image: VOLUME } });
      assert.equal(mounts[0]?.image?.image, VOLUME);
      assert.equal(mounts[0]?.image?.imageRef, image?.repoDigests[0]);
    });

    it('made of an image can be a path in it, and links do not lead out', async () => {
      const part = (containerPath: string, imageSubPath: string): Mounts[number] => ({
        containerPath,
        image: { image: VOLUME },
        imageSubPath,
      });
      const { container } = await start([
        part('/a', 'dir'),
        part('/b', 'absolute/'),
        part('/c', 'dir/covered'),
        part('/d', './absolute//file'),
      ]);
      assert.equal(
        await shell(suite.node, container, 'cat /a/covered /b/covered /c /d'),
        'above\nabove\nabove\nbelow\n',
      );
      for (const path of ['absent', 'out', 'out/passwd', 'passwd', 'dir/file/x'])
        await refused([part('/x', path)], /^ImageVolumeMountFailed.*does not exist/);
      await refused([part('/x', '../dir')], /outside/, 'INVALID_ARGUMENT');
    });

    it('made of an image are refused when the image is not there', async () => {
      await refused(
        [{ containerPath: '/x', image: { image: `${ImageLibrary.address}/absent:1` } }],
        /^ImageVolumeMountFailed.*not on this node/,
      );
    });

    it('made of an image outlive its removal and a crash of the daemon', async () => {
      const { node } = suite;
      const { container, sandbox } = await start([{ containerPath: '/x', image: { image: VOLUME } }]);
      await node.client.call('RemoveImage', { image: { image: VOLUME } });
      await node.kill9();
      await node.start();
      assert.equal(await shell(node, container, 'cat /x/dir/covered'), 'above\n');
      await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
      await node.client.call('RemovePodSandbox', { podSandboxId: sandbox });
      await pull(VOLUME);
      await suite.retake();
    });

    for (const stage of ['snapshot', 'spec', 'create', 'commit'])
      it(`leave nothing when the daemon dies at ${stage}`, async () => {
        const { node } = suite;
        await node.stop();
        await node.start({ BERTH_CRASH_AT: `CreateContainer:${stage}` });
        await suite.retake();
        const pod = podConfig(node, 'volumes');
        const sandbox = await runSandbox(node, pod, handler);
        const image = { image: DECLARES };
        const mounts = [{ containerPath: '/x', image: { image: VOLUME } }];
        const config = containerConfig('main', ['sleep', '1000'], { image, mounts });
        await assert.rejects(createContainer(sandbox, node, config, pod));
        await node.ended();
        await node.start();
      });

    it('that an image declares start with its content, owner and mode, and go with the container', async () => {
      const { node } = suite;
      const { container } = await runPod(node, 'volumes', ['sleep', '1000'], {
        handler,
        container: {
          image: { image: DECLARES },
          linux: { securityContext: { readonlyRootfs: true, namespaceOptions: { pid: 1 } } },
        },
      });
      assert.equal(
        await shell(node, container, 'stat -c "%u %g %a %n" /data /data/seed; cat /data/link'),
        '1000 1001 750 /data\n1000 1001 640 /data/seed\nseed\n',
      );
      await shell(node, container, 'echo more > /data/more; echo x > /var/new/x; ! touch /var/x');
      assert.equal(await shell(node, container, 'grep -c " /data " /proc/self/mountinfo'), '1\n');
      const before = await node.exec(['find', `${node.root}/images/snapshots`, '-name', 'more']);
      assert.match(before, /volumes\/\d+\/more/);
      await node.client.call('RemoveContainer', { containerId: container });
    });

    it('that an image declares give way to what the caller mounts there', async () => {
      const { node } = suite;
      const { container } = await runPod(node, 'volumes', ['sleep', '1000'], {
        handler,
        container: {
          image: { image: DECLARES },
          mounts: [{ containerPath: '/data/', image: { image: VOLUME }, imageSubPath: 'dir' }],
        },
      });
      assert.match(await shell(node, container, 'cat /data/covered; ls /data'), /^above\ncovered\nfile\n$/);
    });

    describe('and mounts in an image whose directories are links that lead out', () => {
      const HOSTILE = `${ImageLibrary.address}/hostile:1`;
      const outside = '/tmp/berth-outside';
      const up = '../'.repeat(12);
      const link = (path: string, to: string) => ({ path, type: 'symlink', link: to }) as const;
      const mounted = (containerPath: string): Mounts[number] => ({
        containerPath,
        image: { image: VOLUME },
        imageSubPath: 'dir',
      });
      const run = (containerPath: string): Promise<RunningPod> =>
        runPod(suite.node, 'hostile', ['sleep', '1000'], {
          handler,
          container: { image: { image: HOSTILE }, mounts: [mounted(containerPath)] },
        });

      before(async () => {
        const { layers, config } = busyboxImage();
        const files = layers[0]!.files.filter(({ path }) => !path.startsWith('etc'));
        const links = [
          link('etc', '/tmp'),
          link('up', `${up}tmp`),
          link('far', `${up}tmp/berth-outside`),
          link('self', '/proc/self/root/tmp'),
          link('passwd', '/etc/shadow'),
        ];
        const build = { layers: [{ files: [...files, ...links] }], config };
        await suite.library.push('hostile:1', {
          ...build,
          config: { ...config, Volumes: { '/up/own': {} } },
        });
        await pull(HOSTILE);
        await suite.retake();
      });

      it('stay inside of it, the files of the pod too', async () => {
        const { container } = await run('/up/berth-outside');
        const { node } = suite;
        assert.equal(await shell(node, container, 'cat /tmp/berth-outside/covered'), 'above\n');
        assert.match(await shell(node, container, 'cat /tmp/resolv.conf /tmp/hostname'), /nameserver/);
        await shell(node, container, 'touch /tmp/own/x');
        assert.ok(!existsSync(outside) && !existsSync('/tmp/own'), 'something was made on the node');
      });

      for (const target of ['/far', '/far/deep', '/self/x', '/passwd'])
        it(`stay inside of it or are refused: ${target}`, async () => {
          const before = existsSync('/tmp/x') || existsSync('/tmp/deep');
          // crun refuses what runc makes inside of the root.
          const { container } = (await run(target).catch(() => undefined)) ?? {};
          if (container !== undefined)
            assert.match(await shell(suite.node, container, 'cat /proc/self/mountinfo'), / ro,nosuid,nodev/);
          assert.ok(!existsSync(outside), 'something was made on the node');
          assert.equal(existsSync('/tmp/x') || existsSync('/tmp/deep'), before);
        });
    });
  });
