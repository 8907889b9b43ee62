import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerConfig, createContainer, runSandbox, shell, type ContainerConfig } from '../../../pods.ts';
import { ServiceNode, sh } from '../service-node.ts';

type Security = NonNullable<NonNullable<ContainerConfig['linux']>['securityContext']>;

const NAMESPACES = { network: 0, pid: 1, ipc: 0 };
const VOLUME = '/srv/lane-volume';
/** What Debian's policy has for containers, with the pod's own two categories. */
const PROCESS = /^system_u:system_r:container_t:(s0:c\d+,c\d+)$/;
const FILE = /^system_u:object_r:container_file_t:(s0:c\d+,c\d+)$/;

describe('SELinux, on a node that says what it would refuse', () => {
  let node: ServiceNode;
  before(async () => {
    assert.ok(existsSync('/sys/fs/selinux/enforce'), 'the kernel has SELinux on');
    node = await ServiceNode.start('systemd');
  });
  afterEach(() => node.clear());
  after(() => node.stop());

  async function start(
    handler: string,
    security: Security,
    {
      mounts = [],
      sandboxSecurity = {},
    }: { mounts?: ContainerConfig['mounts']; sandboxSecurity?: Security } = {},
  ): Promise<string> {
    const pod = await node.pod('labelled', {
      linux: { securityContext: { namespaceOptions: NAMESPACES, ...sandboxSecurity } },
    });
    const sandbox = await runSandbox(node, pod, handler);
    const linux = { securityContext: { namespaceOptions: NAMESPACES, ...security } };
    const config = containerConfig('main', ['sleep', '1000'], { linux, mounts });
    const container = await createContainer(sandbox, node, config, pod);
    await node.client.call('StartContainer', { containerId: container });
    return container;
  }

  /** Labels as the kernel has them: of the first process, and of paths as it sees them. */
  async function labelsOf(container: string, paths: string[]): Promise<{ process: string; files: string[] }> {
    const { info } = await node.client.call('ContainerStatus', { containerId: container, verbose: true });
    const pid = JSON.parse(info['pid']!) as number;
    const process = readFileSync(`/proc/${pid}/attr/current`, 'utf8').replace(/\0?\n?$/, '');
    const seen = paths.map((path) => join(`/proc/${pid}/root`, path)).join(' ');
    return { process, files: (await sh(`stat -c %C ${seen}`)).trim().split('\n') };
  }

  for (const handler of ['crun', 'runc']) {
    it(`labels processes, commands, root and files of a container of ${handler}, with categories that no other pod has`, async () => {
      const first = await start(handler, {});
      const own = ['/', '/bin/busybox', '/dev/shm'];
      // All containers of the pod read these, also one with a level of its own.
      const shared = ['/etc/hosts', '/etc/resolv.conf', '/etc/hostname'];
      const { process, files } = await labelsOf(first, [...own, ...shared]);
      const level = PROCESS.exec(process)?.[1];
      assert.ok(level, process);
      assert.deepEqual(files, [
        ...own.map(() => `system_u:object_r:container_file_t:${level}`),
        ...shared.map(() => 'system_u:object_r:container_file_t:s0'),
      ]);
      assert.equal((await shell(node, first, 'cat /proc/self/attr/current')).replace(/\0?\n?$/, ''), process);
      const second = await labelsOf(await start(handler, {}), ['/']);
      assert.match(second.process, PROCESS);
      assert.notEqual(second.process, process);
    });

    it(`takes the caller's words, a level alone too, with ${handler}`, async () => {
      const all = { user: 'system_u', role: 'system_r', type: 'spc_t', level: 's0:c7,c8' };
      const { process, files } = await labelsOf(await start(handler, { selinuxOptions: all }), ['/']);
      assert.equal(process, 'system_u:system_r:spc_t:s0:c7,c8');
      assert.deepEqual(files, ['system_u:object_r:container_file_t:s0:c7,c8']);
      const level = { selinuxOptions: { level: 's0:c1,c2' } };
      const alone = await labelsOf(await start(handler, level), ['/']);
      assert.equal(alone.process, 'system_u:system_r:container_t:s0:c1,c2');
      const pods = await labelsOf(await start(handler, {}, { sandboxSecurity: level }), ['/']);
      assert.equal(pods.process, 'system_u:system_r:container_t:s0:c1,c2');
    });
  }

  it('labels a volume that asks for it, with all below it, and no other', async () => {
    for (const name of ['asked', 'not']) {
      mkdirSync(join(VOLUME, name, 'deep'), { recursive: true });
      writeFileSync(join(VOLUME, name, 'deep/file'), '');
    }
    try {
      const container = await start(
        'crun',
        {},
        {
          mounts: [
            { containerPath: '/asked', hostPath: join(VOLUME, 'asked'), selinuxRelabel: true },
            { containerPath: '/not', hostPath: join(VOLUME, 'not') },
          ],
        },
      );
      const { process, files } = await labelsOf(container, ['/asked', '/asked/deep/file', '/not/deep/file']);
      const level = PROCESS.exec(process)![1];
      assert.deepEqual(
        files.slice(0, 2).map((file) => FILE.exec(file)?.[1]),
        [level, level],
      );
      assert.doesNotMatch(files[2]!, FILE);
    } finally {
      rmSync(VOLUME, { recursive: true });
    }
  });

  it('confines no privileged container, and pause as a pod', async () => {
    const privileged = { privileged: true };
    const container = await start('crun', privileged, { sandboxSecurity: privileged });
    const { process } = await labelsOf(container, ['/']);
    assert.doesNotMatch(process, /container_t/);
  });

  it('refuses a label that the policy does not know', async () => {
    const selinuxOptions = { type: 'no_such_type_t' };
    const says = /policy does not know the label system_u:system_r:no_such_type_t:s0/;
    await assert.rejects(start('crun', { selinuxOptions }), { code: 'FAILED_PRECONDITION', message: says });
    await assert.rejects(start('runc', { selinuxOptions }), { code: 'FAILED_PRECONDITION', message: says });
  });
});
