import assert from 'node:assert/strict';
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImageLibrary } from '../image-library.ts';
import {
  containerConfig,
  createContainer,
  podConfig,
  runSandbox,
  shell,
  waitForExit,
  type ContainerConfig,
  type PodConfig,
} from '../pods.ts';
import { assertRefused } from '../refusal.ts';
import { useNode } from '../use-node.ts';

const UIDS = { containerId: 0, hostId: 300_000, length: 65_536 };
const GIDS = { containerId: 0, hostId: 400_000, length: 65_536 };
const MAPPED = { uidMappings: [UIDS], gidMappings: [GIDS] };
const OPTIONS = { network: 0, pid: 1, ipc: 0, usernsOptions: { mode: 0, uids: [UIDS], gids: [GIDS] } };

describe('volumes with mapped ids', () => {
  const suite = useNode();
  let volume: string;
  let count = 0;

  beforeEach(() => {
    volume = join(suite.node.directory, `volume-${++count}`);
    mkdirSync(join(volume, 'deep'), { recursive: true });
    writeFileSync(join(volume, 'note'), 'read me');
    writeFileSync(join(volume, 'of-1000'), '');
    chownSync(join(volume, 'of-1000'), 1000, 1001);
  });

  async function sandboxOf(
    namespaceOptions: object,
    handler = '',
  ): Promise<{ sandbox: string; pod: PodConfig }> {
    const pod = podConfig(suite.node, 'volumes');
    pod.linux = { ...pod.linux, securityContext: { namespaceOptions } };
    return { sandbox: await runSandbox(suite.node, pod, handler), pod };
  }

  async function run(
    mounts: NonNullable<ContainerConfig['mounts']>,
    { handler = '', namespaceOptions = OPTIONS }: { handler?: string; namespaceOptions?: object } = {},
  ): Promise<string> {
    const { sandbox, pod } = await sandboxOf(namespaceOptions, handler);
    const linux = { securityContext: { namespaceOptions } };
    const config = containerConfig('main', ['sleep', '1000'], { mounts, linux });
    const container = await createContainer(sandbox, suite.node, config, pod);
    await suite.node.client.call('StartContainer', { containerId: container });
    return container;
  }

  for (const handler of ['crun', 'runc'])
    it(`show the files of the node as the pod's, both ways, with ${handler}`, async () => {
      const { node } = suite;
      const container = await run(
        [
          { containerPath: '/plain', hostPath: volume },
          { containerPath: '/data', hostPath: volume, ...MAPPED },
          { containerPath: '/one-file', hostPath: join(volume, 'note'), readonly: true, ...MAPPED },
          { containerPath: '/made', hostPath: join(volume, 'made'), ...MAPPED },
        ],
        { handler },
      );
      const see = (line: string): Promise<string> => shell(node, container, line);
      const owners = await see(
        'stat -c "%n %u:%g" /plain/note /data/note /data/of-1000 /one-file /data/deep /made',
      );
      assert.deepEqual(owners.trim().split('\n'), [
        '/plain/note 65534:65534',
        '/data/note 0:0',
        '/data/of-1000 1000:1001',
        '/one-file 0:0',
        '/data/deep 0:0',
        '/made 0:0',
      ]);
      assert.equal(
        await see('cat /one-file; echo x 2>/dev/null > /one-file || echo " refused"'),
        'read me refused\n',
      );
      await see('touch /data/new /made/new; chown 7:8 /data/new; chown 9:9 /data/note');
      const owner = (name: string): number[] => {
        const { uid, gid } = statSync(join(volume, name));
        return [uid, gid];
      };
      assert.deepEqual(
        [owner('new'), owner('note'), owner('made/new')],
        [
          [7, 8],
          [9, 9],
          [0, 0],
        ],
      );
      assert.match(await see('grep " /data " /proc/self/mountinfo'), /idmapped/);
      assert.match(await see('touch /plain/no 2>&1 || true'), /Permission denied/);
      const mounts = await node.exec(['cat', '/proc/self/mountinfo']);
      assert.ok(!mounts.includes('/mapped/'), 'nothing of them stays on the node');
    });

  it('may have other ids than the pod, also in a pod without a user namespace', async () => {
    const other = [{ containerId: 0, hostId: 500_000, length: 1000 }];
    const container = await run(
      [{ containerPath: '/data', hostPath: volume, uidMappings: other, gidMappings: other }],
      {
        namespaceOptions: { network: 0, pid: 1, ipc: 0 },
      },
    );
    assert.equal(
      await shell(suite.node, container, 'stat -c "%u:%g" /data/note /data/of-1000'),
      '500000:500000\n65534:65534\n',
    );
  });

  for (const handler of ['crun', 'runc'])
    it(`have the submounts of their source, with ${handler}`, async () => {
      const { node } = suite;
      await node.exec(['mount', '-t', 'tmpfs', '-o', 'uid=300000,gid=400000', 'below', join(volume, 'deep')]);
      try {
        const container = await run([{ containerPath: '/data', hostPath: volume, ...MAPPED }], { handler });
        await shell(node, container, 'touch /data/deep/x');
        assert.equal(await node.exec(['stat', '-c', '%u:%g', join(volume, 'deep/x')]), '300000:400000\n');
      } finally {
        await node.exec(['umount', '-l', join(volume, 'deep')]);
      }
    });

  it('are refused where that cannot be', async () => {
    const { node } = suite;
    const { sandbox, pod } = await sandboxOf(OPTIONS);
    const create = (mount: NonNullable<ContainerConfig['mounts']>[number]): Promise<string> =>
      createContainer(
        sandbox,
        node,
        containerConfig('main', ['true'], {
          mounts: [mount],
          linux: { securityContext: { namespaceOptions: OPTIONS } },
        }),
        pod,
      );
    // The node's own /var/lib is an overlay, which the kernel does not show with mapped ids.
    const overlay = '/var/lib/on-an-overlay';
    await node.exec(['mkdir', overlay]);
    await assertRefused(
      node,
      { code: 'FAILED_PRECONDITION', says: /file system of \/var\/lib\/on-an-overlay cannot/ },
      () => create({ containerPath: '/data', hostPath: overlay, ...MAPPED }),
    );
    await node.exec(['rmdir', overlay]);
    await assertRefused(node, { code: 'INVALID_ARGUMENT', says: /of users or of groups, and not both/ }, () =>
      create({ containerPath: '/data', hostPath: volume, uidMappings: [UIDS] }),
    );
    const outside = [{ containerId: 0, hostId: 100, length: 2 ** 32 - 1 }];
    await assertRefused(node, { code: 'FAILED_PRECONDITION', says: /cannot be mapped here/ }, () =>
      create({ containerPath: '/data', hostPath: volume, uidMappings: outside, gidMappings: outside }),
    );
  });

  it('of images, and those that images declare, belong to the pod', async () => {
    const { node, library } = suite;
    const files = [
      { path: 'held/', type: 'directory' as const, uid: 5, gid: 6, mode: 0o750 },
      { path: 'held/file', content: 'in it', uid: 7, gid: 8 },
    ];
    await library.push('data:1', { layers: [{ files }] });
    const data = `${ImageLibrary.address}/data:1`;
    await node.client.call('PullImage', { image: { image: data } });
    await suite.retake();
    const container = await run([
      { containerPath: '/image', image: { image: data }, readonly: true, ...MAPPED },
    ]);
    assert.equal(
      await shell(node, container, 'stat -c "%u:%g" /image/held /image/held/file; cat /image/held/file'),
      '5:6\n7:8\nin it',
    );
  });

  for (const stage of ['snapshot', 'spec', 'create', 'commit'])
    it(`leave nothing when the daemon dies at ${stage}`, async () => {
      const { node } = suite;
      const { sandbox, pod } = await sandboxOf(OPTIONS);
      const config = containerConfig('main', ['cat', '/data/note'], {
        mounts: [{ containerPath: '/data', hostPath: volume, ...MAPPED }],
        linux: { securityContext: { namespaceOptions: OPTIONS } },
      });
      await node.restart({ BERTH_CRASH_AT: `CreateContainer:${stage}` });
      await assert.rejects(createContainer(sandbox, node, config, pod), { code: 'UNAVAILABLE' });
      await node.ended();
      await node.start();
      const container = await createContainer(sandbox, node, config, pod);
      await node.client.call('StartContainer', { containerId: container });
      assert.equal((await waitForExit(node, container)).exitCode, 0);
      assert.equal(readFileSync(join(volume, 'note'), 'utf8'), 'read me');
    });
});
