import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuiltImage, LayerBuild } from '../image-builder.ts';
import { ImageLibrary } from '../image-library.ts';
import { TestNode } from '../node.ts';
import {
  BUSYBOX,
  containerConfig,
  createContainer,
  podConfig,
  runSandbox,
  type ContainerConfig,
  type PodConfig,
  waitForExit,
} from '../pods.ts';
import { assertRefused, type Refusal } from '../refusal.ts';
import { useNode } from '../use-node.ts';

describe('bad input', () => {
  const suite = useNode();

  describe('for a sandbox', () => {
    const refuses = (what: string, refusal: Refusal, changes: PodConfig, handler = ''): void => {
      it(`refuses ${what}`, async () => {
        const { node } = suite;
        await assertRefused(node, refusal, () => runSandbox(node, podConfig(node, 'bad', changes), handler));
      });
    };
    const invalid = (says: RegExp): Refusal => ({ code: 'INVALID_ARGUMENT', says });
    refuses('an unknown handler', invalid(/no runtime handler "gvisor"/), {}, 'gvisor');
    refuses('no metadata', invalid(/metadata/), { metadata: null });
    refuses('an empty name', invalid(/name/), { metadata: { name: '', uid: 'u', namespace: 'n' } });
    refuses('a log directory that is no absolute path', invalid(/absolute/), { logDirectory: 'logs' });
    refuses('a sysctl of the whole node', invalid(/vm\.swappiness/), {
      linux: { sysctls: { 'vm.swappiness': '1' } },
    });
    refuses('a cgroup parent that leaves the tree', invalid(/cgroup parent/), {
      linux: { cgroupParent: '/../escape' },
    });
    refuses('a user namespace without a root', invalid(/does not map the \w+ id 0/), {
      linux: {
        securityContext: {
          namespaceOptions: {
            network: 0,
            pid: 1,
            ipc: 0,
            usernsOptions: {
              mode: 0,
              uids: [{ hostId: 65536, containerId: 1, length: 65536 }],
              gids: [{ hostId: 65536, containerId: 1, length: 65536 }],
            },
          },
        },
      },
    });

    it('refuses a request without configuration', async () => {
      await assertRefused(suite.node, invalid(/config/), () => suite.node.client.call('RunPodSandbox', {}));
    });

    it('refuses a name that is taken', async () => {
      const { node } = suite;
      const pod = podConfig(node, 'taken');
      await runSandbox(node, pod);
      await assertRefused(node, { code: 'ALREADY_EXISTS', says: /taken/ }, () => runSandbox(node, pod));
    });

    it('says of an unknown one that it is not found, and that removing it is done', async () => {
      const { client } = suite.node;
      for (const podSandboxId of ['f'.repeat(64), 'nonsense'])
        await assertRefused(suite.node, { code: 'NOT_FOUND', says: /./ }, () =>
          client.call('PodSandboxStatus', { podSandboxId }),
        );
      await client.call('StopPodSandbox', { podSandboxId: 'f'.repeat(64) });
      await client.call('RemovePodSandbox', { podSandboxId: 'f'.repeat(64) });
    });
  });

  describe('for a container', () => {
    const refuses = (what: string, refusal: Refusal, changes: ContainerConfig): void => {
      it(`refuses ${what}`, async () => {
        const { node } = suite;
        const pod = podConfig(node, 'good');
        const sandbox = await runSandbox(node, pod);
        const config = containerConfig('bad', ['sleep', '1000'], changes);
        await assertRefused(node, refusal, async () => {
          await node.client.call('CreateContainer', { podSandboxId: sandbox, config, sandboxConfig: pod });
        });
        assert.deepEqual((await node.client.call('ListContainers', {})).containers, []);
      });
    };
    const invalid = (says: RegExp): Refusal => ({ code: 'INVALID_ARGUMENT', says });
    const env = (key: string, value: string): ContainerConfig => ({
      envs: [{ key, value: Buffer.from(value) }],
    });
    const security = (context: object): ContainerConfig => ({
      linux: { securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 }, ...context } },
    });
    refuses(
      'a missing image',
      { code: 'NOT_FOUND', says: /not on this node/ },
      { image: { image: 'docker.io/library/absent:1' } },
    );
    refuses(
      'a malformed image reference',
      { code: 'NOT_FOUND', says: /not on this node/ },
      { image: { image: 'UPPER CASE' } },
    );
    refuses('no metadata', invalid(/metadata/), { metadata: null });
    refuses('a log path outside of the log directory', invalid(/log/i), { logPath: '../../elsewhere.log' });
    refuses('an absolute log path', invalid(/log/i), { logPath: '/elsewhere.log' });
    refuses('a NUL in the value of a variable', invalid(/NUL/), env('A', 'b\0c'));
    refuses('a NUL in the name of a variable', invalid(/./), env('A\0B', 'c'));
    refuses('an equals sign in the name of a variable', invalid(/./), env('A=B', 'c'));
    refuses('a NUL in a word of the command', invalid(/NUL/), { command: ['echo', 'a\0b'] });
    refuses('a mount whose source can neither be found nor made', invalid(/\/proc\/absent/), {
      mounts: [{ containerPath: '/x', hostPath: '/proc/absent/source' }],
    });
    refuses('a mount at a relative path', invalid(/absolute/), {
      mounts: [{ containerPath: 'x', hostPath: '/tmp' }],
    });
    refuses('an unknown signal', invalid(/[Ss]ignal/), { stopSignal: 4711 });
    refuses(
      'an unknown capability',
      invalid(/CAP_FLY|FLY/),
      security({ capabilities: { addCapabilities: ['FLY'] } }),
    );
    refuses('an unknown user', invalid(/nosuchuser/), security({ runAsUsername: 'nosuchuser' }));
    refuses('a group without a user', invalid(/group/i), security({ runAsGroup: { value: 5 } }));
    refuses(
      'a missing seccomp profile',
      invalid(/seccomp/i),
      security({ seccomp: { profileType: 2, localhostRef: '/absent.json' } }),
    );
    for (const handler of ['crun', 'runc'])
      for (const command of ['/no/such/program', 'nosuchprogram'])
        it(`refuses ${command}, which is not in the image, with ${handler}`, async () => {
          const { node } = suite;
          const pod = podConfig(node, 'good');
          const sandbox = await runSandbox(node, pod, handler);
          const refusal = invalid(new RegExp(`no program "${command}"`));
          const config = containerConfig('bad', [command]);
          await assertRefused(node, refusal, () => createContainer(sandbox, node, config, pod));
        });

    it('refuses a sandbox that is not there', async () => {
      const { node } = suite;
      const pod = podConfig(node, 'absent');
      await assertRefused(node, { code: 'NOT_FOUND', says: /sandbox/ }, () =>
        createContainer('f'.repeat(64), node, containerConfig('x', ['true']), pod),
      );
    });

    it('refuses a sandbox that was stopped', async () => {
      const { node } = suite;
      const pod = podConfig(node, 'stopped');
      const sandbox = await runSandbox(node, pod);
      await node.client.call('StopPodSandbox', { podSandboxId: sandbox });
      await assertRefused(node, { code: 'FAILED_PRECONDITION', says: /not ready/ }, () =>
        createContainer(sandbox, node, containerConfig('x', ['true']), pod),
      );
    });

    it('refuses a name that is taken', async () => {
      const { node } = suite;
      const pod = podConfig(node, 'twice');
      const sandbox = await runSandbox(node, pod);
      await createContainer(sandbox, node, containerConfig('x', ['true']), pod);
      await assertRefused(node, { code: 'ALREADY_EXISTS', says: /taken/ }, () =>
        createContainer(sandbox, node, containerConfig('x', ['true']), pod),
      );
    });

    it('refuses to start one that is over, or to run a command in it', async () => {
      const { node } = suite;
      const pod = podConfig(node, 'over');
      const sandbox = await runSandbox(node, pod);
      const containerId = await createContainer(sandbox, node, containerConfig('x', ['true']), pod);
      await assertRefused(node, { code: 'FAILED_PRECONDITION', says: /./ }, () =>
        node.client.call('ExecSync', { containerId, cmd: ['true'] }),
      );
      await node.client.call('StopContainer', { containerId });
      await assertRefused(node, { code: 'FAILED_PRECONDITION', says: /only a created container/ }, () =>
        node.client.call('StartContainer', { containerId }),
      );
      await assertRefused(node, { code: 'FAILED_PRECONDITION', says: /./ }, () =>
        node.client.call('ExecSync', { containerId, cmd: ['true'] }),
      );
    });

    it('says of an unknown one that it is not found, and that stopping and removing it is done', async () => {
      const { node } = suite;
      const containerId = 'e'.repeat(64);
      for (const rpc of ['ContainerStatus', 'StartContainer', 'ReopenContainerLog'] as const)
        await assertRefused(node, { code: 'NOT_FOUND', says: /container/ }, () =>
          node.client.call(rpc, { containerId }),
        );
      await assertRefused(node, { code: 'NOT_FOUND', says: /container/ }, () =>
        node.client.call('ExecSync', { containerId, cmd: ['true'] }),
      );
      await node.client.call('StopContainer', { containerId });
      await node.client.call('RemoveContainer', { containerId });
    });

    it('resolves no user in an image whose /etc/passwd has 1 GiB', async function () {
      this.timeout(180_000);
      const { node, library } = suite;
      const passwd = { path: 'etc/passwd', content: Buffer.alloc(2 ** 30, '#') };
      await library.push('giant:1', { layers: [{ files: [passwd], compression: 'zstd' }] });
      const image = { image: `${ImageLibrary.address}/giant:1` };
      await node.client.call('PullImage', { image });
      const pod = podConfig(node, 'giant');
      const sandbox = await runSandbox(node, pod);
      const config = containerConfig('x', ['true'], { image, ...security({ runAsUsername: 'alice' }) });
      await assertRefused(node, invalid(/passwd/), () => createContainer(sandbox, node, config, pod));
      const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8'))?.[1];
      assert.ok(Number(peak) < 400 << 10, `the daemon's memory grew to ${peak} kB`);
      await node.client.call('RemoveImage', { image });
    });
  });

  describe('for an image', () => {
    const refusesPull = (what: string, refusal: Refusal, image: string): void => {
      it(`refuses ${what}`, async () => {
        await assertRefused(suite.node, refusal, () =>
          suite.node.client.call('PullImage', { image: { image } }),
        );
      });
    };
    const address = ImageLibrary.address;
    refusesPull('a malformed reference', { code: 'INVALID_ARGUMENT', says: /reference/ }, 'UPPER/Case:???');
    refusesPull('an empty reference', { code: 'INVALID_ARGUMENT', says: /./ }, '');
    refusesPull(
      'a digest that is none',
      { code: 'INVALID_ARGUMENT', says: /./ },
      `${address}/busybox@sha256:12`,
    );
    refusesPull(
      'an image that the registry does not have',
      { code: 'NOT_FOUND', says: /registry/ },
      `${address}/absent:1`,
    );
    refusesPull(
      'a registry that is not there',
      { code: 'UNKNOWN', says: /^RegistryUnavailable/ },
      '127.0.0.1:9/x:1',
    );

    it('refuses a layer whose content is not what its digest says', async () => {
      const { node, library } = suite;
      const built = await library.push('damaged:1', {
        layers: [{ files: [{ path: 'a', content: 'true content' }], compression: 'none' }],
      });
      library.damage(layersOf(built)[0]!.digest);
      await assertRefused(node, { code: 'DATA_LOSS', says: /digest/ }, () => pull(node, 'damaged:1'));
    });

    it('refuses a configuration whose content is not what its digest says', async () => {
      const { node, library } = suite;
      const built = await library.push('damaged:2', {
        layers: [{ files: [{ path: 'b', content: 'x' }] }],
        config: { Env: ['A=1'] },
      });
      library.damage(built.imageIds[0]!);
      await assertRefused(node, { code: 'DATA_LOSS', says: /digest/ }, () => pull(node, 'damaged:2'));
    });

    const outside = '/tmp/berth-outside';
    const refusesLayer = (what: string, files: LayerBuild['files']): void => {
      it(`refuses a layer with ${what}`, async () => {
        const { node, library } = suite;
        const reference = `layer-${what.replace(/\W+/g, '-')}:1`;
        await library.push(reference, { layers: [{ files }] });
        await assertRefused(node, { code: 'INVALID_ARGUMENT', says: /./ }, () => pull(node, reference));
        assert.ok(!existsSync(outside), 'a file was written outside of the image');
      });
    };
    const up = `${'../'.repeat(12)}${outside.slice(1)}`;
    refusesLayer('a path that climbs out', [{ path: up, content: 'x' }]);
    refusesLayer('a hard link that climbs out', [
      { path: 'x', type: 'hardlink', link: `${'../'.repeat(12)}etc/hostname` },
    ]);
    refusesLayer('a file below a file', [
      { path: 'a', content: 'x' },
      { path: 'a/b', content: 'x' },
    ]);

    it('keeps a file that is reached through an absolute link inside of the image', async () => {
      const { node, library } = suite;
      const files: LayerBuild['files'] = [
        { path: 'out', type: 'symlink', link: '/tmp' },
        { path: 'out/berth-outside', content: 'x' },
      ];
      await library.push('through-link:1', { layers: [{ files }] });
      await pull(node, 'through-link:1').catch(() => {}); // refused or kept inside: both are sound
      assert.ok(!existsSync(outside), 'a file was written outside of the image');
      await node.client.call('RemoveImage', { image: { image: `${address}/through-link:1` } });
    });

    it('refuses an image for another platform and names those that there are', async () => {
      const { node, library } = suite;
      const platforms = [
        { architecture: 's390x', os: 'linux' },
        { architecture: 'riscv64', os: 'linux' },
      ];
      await library.push('foreign:1', { layers: [{ files: [{ path: 'x', content: 'x' }] }], platforms });
      await assertRefused(node, { code: 'NOT_FOUND', says: /s390x/ }, () => pull(node, 'foreign:1'));
    });

    it('says of an unknown one nothing, and that removing it is done', async () => {
      const { client } = suite.node;
      assert.equal(
        (await client.call('ImageStatus', { image: { image: 'docker.io/library/absent:1' } })).image,
        null,
      );
      await client.call('RemoveImage', { image: { image: 'docker.io/library/absent:1' } });
    });

    it('keeps the layers of an image that a container uses', async () => {
      const { node, library } = suite;
      await library.push('used:1');
      const image = { image: `${address}/used:1` };
      await node.client.call('PullImage', { image });
      const pod = podConfig(node, 'uses');
      const sandbox = await runSandbox(node, pod);
      const containerId = await createContainer(
        sandbox,
        node,
        containerConfig('x', ['ls', '/bin'], { image }),
        pod,
      );
      await node.client.call('RemoveImage', { image });
      await node.client.call('StartContainer', { containerId });
      assert.equal((await waitForExit(node, containerId)).exitCode, 0);
      // The library's busybox is the same image: it went with all of its names.
      await node.client.call('PullImage', { image: { image: BUSYBOX } });
    });

    function pull(node: TestNode, reference: string): Promise<unknown> {
      return node.client.call('PullImage', { image: { image: `${address}/${reference}` } });
    }
    function layersOf({ blobs, imageIds }: BuiltImage): BuiltImage['blobs'] {
      return blobs.filter(({ digest }) => !imageIds.includes(digest));
    }
  });
});

describe('bad configuration', () => {
  let node: TestNode;
  before(async () => {
    node = await TestNode.make();
  });
  after(() => node?.destroy());

  const refuses = (what: string, text: string, says: RegExp): void => {
    it(`does not start with ${what}, and says why`, async () => {
      const sound = readFileSync(node.configFile);
      writeFileSync(node.configFile, text.replace('$NODE', node.directory));
      await assert.rejects(node.start(), says);
      writeFileSync(node.configFile, sound);
      assert.deepEqual(readdirSync(node.root), [], 'nothing was made');
    });
  };
  refuses('an unknown key', 'rooot = "/x"\n', /rooot[^]*root/);
  refuses('an unknown key in a table', '[network]\npod_cdir = "10.0.0.0/8"\n', /pod_cdir[^]*pod_cidr/);
  refuses('a value of the wrong type', 'root = 5\n', /root/);
  refuses('text that is no TOML', 'root = \n', /line 1|1:/);
  refuses('a range that is none', 'root = "$NODE/root"\n[network]\npod_cidr = "10.88.0.0/99"\n', /pod_cidr/);

  it('does not start without its configuration file, and says which one it wants', async () => {
    await assert.rejects(
      node.exec([join(import.meta.dirname, '../../bin/berth'), 'serve', '--config', '/absent.toml']),
      /\/absent\.toml/,
    );
  });
});
