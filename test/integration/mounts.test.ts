import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  containerConfig,
  createContainer,
  podConfig,
  runPod,
  runSandbox,
  shell,
  type ContainerConfig,
  type RunningPod,
} from '../pods.ts';
import { assertRefused } from '../refusal.ts';
import { useNode } from '../use-node.ts';

/** `MountPropagation` of the CRI. */
const PROPAGATION = { PRIVATE: 0, HOST_TO_CONTAINER: 1, BIDIRECTIONAL: 2 } as const;

for (const handler of ['crun', 'runc'])
  describe(`mounts with ${handler}`, () => {
    const suite = useNode();
    type Mounts = NonNullable<ContainerConfig['mounts']>;
    const start = (mounts: Mounts): Promise<RunningPod> =>
      runPod(suite.node, 'mounts', ['sleep', '1000'], { container: { mounts }, handler });
    const create = async (mounts: Mounts): Promise<void> => {
      const pod = podConfig(suite.node, 'mounts');
      const sandbox = await runSandbox(suite.node, pod, handler);
      const config = containerConfig('main', ['sleep', '1000'], { mounts });
      await createContainer(sandbox, suite.node, config, pod);
    };
    const place = (name: string): string => join(suite.node.directory, 'sources', name);
    const inNode = (line: string): Promise<string> => suite.node.exec(['sh', '-ec', line]);

    before(() => {
      mkdirSync(place('dir'), { recursive: true });
      writeFileSync(place('dir/file'), 'content\n');
    });

    it('are made of directories and files, for reading or writing', async () => {
      const { container } = await start([
        { containerPath: '/rw', hostPath: place('dir') },
        { containerPath: '/deep/er/ro', hostPath: place('dir'), readonly: true },
        { containerPath: '/etc/one', hostPath: place('dir/file'), readonly: true },
      ]);
      assert.equal(await shell(suite.node, container, 'cat /etc/one'), 'content\n');
      await shell(suite.node, container, 'echo new > /rw/new; ! touch /deep/er/ro/x; ! touch /etc/one');
      assert.equal(readFileSync(place('dir/new'), 'utf8'), 'new\n');
    });

    it('follow a symbolic link on the node', async () => {
      if (!existsSync(place('link'))) symlinkSync('dir', place('link'));
      const { container } = await start([{ containerPath: '/x', hostPath: place('link') }]);
      assert.equal(await shell(suite.node, container, 'cat /x/file'), 'content\n');
    });

    it('make a directory of a source that is missing', async () => {
      const { container } = await start([{ containerPath: '/x', hostPath: place('missing/deep') }]);
      await shell(suite.node, container, 'touch /x/made');
      assert.ok(existsSync(place('missing/deep/made')));
      assert.equal(statSync(place('missing/deep')).mode & 0o7777, 0o755);
    });

    it('accept a relabel, and note that it means nothing on a kernel without SELinux', async () => {
      const { container } = await start([
        { containerPath: '/x', hostPath: place('dir'), selinuxRelabel: true },
      ]);
      assert.equal(await shell(suite.node, container, 'cat /x/file'), 'content\n');
      const request = { containerId: container, verbose: true };
      const { info } = await suite.node.client.call('ContainerStatus', request);
      assert.match(info['notes']!, /relabelling of the mounts at \/x left out/);
    });

    describe('and propagation', () => {
      before(async () => {
        await inNode(`mkdir -p ${place('shared')} ${place('slave')} ${place('private')}
          mount -t tmpfs t ${place('shared')}; mount --make-shared ${place('shared')}
          mount --bind ${place('shared')} ${place('slave')}; mount --make-slave ${place('slave')}
          mount -t tmpfs t ${place('private')}; mount --make-private ${place('private')}
          mkdir ${place('shared')}/in ${place('shared')}/out`);
        await suite.retake();
      });
      after(() => inNode(`umount -R -l ${place('slave')} ${place('shared')} ${place('private')}`));

      it('private: neither side sees the later mounts of the other', async () => {
        const { container } = await start([{ containerPath: '/x', hostPath: place('shared') }]);
        await inNode(`mount -t tmpfs later ${place('shared')}/in`);
        try {
          await shell(suite.node, container, '! grep -q " /x/in " /proc/self/mountinfo');
        } finally {
          await inNode(`umount ${place('shared')}/in`);
        }
      });

      it('host-to-container: the container sees later mounts of the node', async () => {
        const mounts = [
          { containerPath: '/x', hostPath: place('shared'), propagation: PROPAGATION.HOST_TO_CONTAINER },
          { containerPath: '/y', hostPath: place('slave'), propagation: PROPAGATION.HOST_TO_CONTAINER },
        ];
        const { container } = await start(mounts);
        await inNode(`mount -t tmpfs later ${place('shared')}/in`);
        try {
          await shell(suite.node, container, 'grep -q " /x/in " /proc/self/mountinfo');
          await shell(suite.node, container, 'grep -q " /y/in " /proc/self/mountinfo');
        } finally {
          await inNode(`umount ${place('shared')}/in`);
        }
      });

      it('bidirectional: the node sees what the container mounts', async () => {
        const { container } = await runPod(suite.node, 'mounts', ['sleep', '1000'], {
          handler,
          pod: { linux: { securityContext: { privileged: true, namespaceOptions: { pid: 1 } } } },
          container: {
            linux: { securityContext: { privileged: true, namespaceOptions: { pid: 1 } } },
            mounts: [
              { containerPath: '/x', hostPath: place('shared'), propagation: PROPAGATION.BIDIRECTIONAL },
            ],
          },
        });
        await shell(suite.node, container, 'mount -t tmpfs back /x/out');
        try {
          await inNode(`grep -q " ${place('shared')}/out .* back " /proc/self/mountinfo`);
        } finally {
          await inNode(`umount ${place('shared')}/out`);
        }
      });

      it('is refused where the source cannot have it', async () => {
        const refused = async (source: string, propagation: number, says: RegExp): Promise<void> => {
          const mounts = [{ containerPath: '/x', hostPath: place(source), propagation }];
          const pod = podConfig(suite.node, 'mounts');
          const sandbox = await runSandbox(suite.node, pod, handler);
          const config = containerConfig('main', ['sleep', '1000'], { mounts });
          await assertRefused(suite.node, { code: 'FAILED_PRECONDITION', says }, () =>
            createContainer(sandbox, suite.node, { ...config, logPath: '' }, pod),
          );
        };
        await refused('slave', PROPAGATION.BIDIRECTIONAL, /not a shared mount/);
        await refused('private', PROPAGATION.BIDIRECTIONAL, /not a shared mount/);
        await refused('private', PROPAGATION.HOST_TO_CONTAINER, /not a shared or slave mount/);
      });
    });

    describe('that are recursively read-only', () => {
      before(async () => {
        await inNode(`mkdir -p ${place('tree')}; mount -t tmpfs t ${place('tree')}
          mkdir ${place('tree')}/sub; mount -t tmpfs t ${place('tree')}/sub`);
        await suite.retake();
      });
      after(() => inNode(`umount -R ${place('tree')}`));
      const tree = (changes: object): Mounts => [
        { containerPath: '/x', hostPath: place('tree'), readonly: true, ...changes },
      ];

      it('are served exactly when the handler says so', async () => {
        const { runtimeHandlers } = await suite.node.client.call('Status', {});
        const able = runtimeHandlers.find(({ name }) => name === handler)?.features?.recursiveReadOnlyMounts;
        if (able === true) {
          const { container } = await start(tree({ recursiveReadOnly: true }));
          await shell(suite.node, container, '! touch /x/a; ! touch /x/sub/a');
        } else {
          await assert.rejects(create(tree({ recursiveReadOnly: true })), /UNKNOWN.*RROUnsupported/);
        }
      });

      it('differ from those that are read-only at the top', async () => {
        const { container } = await start(tree({}));
        await shell(suite.node, container, '! touch /x/a; touch /x/sub/a');
      });

      it('have to be read-only and private', async () => {
        const both = /INVALID_ARGUMENT.*recursiveReadOnly/;
        await assert.rejects(create(tree({ recursiveReadOnly: true, readonly: false })), both);
        await assert.rejects(create(tree({ recursiveReadOnly: true, propagation: 1 })), both);
      });
    });
  });
