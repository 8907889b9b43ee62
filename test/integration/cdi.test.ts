import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

const directory = mkdtempSync('/tmp/berth-cdi-');
const log = join(directory, 'hooks.log');
const hook = (hookName: string): object => ({
  hookName,
  path: '/bin/sh',
  args: ['sh', '-c', `cat > /dev/null; echo ${hookName} $WORD >> ${log}`],
  env: ['WORD=said', 'PATH=/bin:/usr/bin'],
  timeout: 10,
});

for (const handler of ['crun', 'runc'])
  describe(`CDI devices with ${handler}`, () => {
    // The second directory is the node's own: /run is a file system of the test.
    const suite = useNode({ config: { runtime: { cdi_dirs: [join(directory, 'cdi'), '/var/run/cdi'] } } });
    const start = (changes: ContainerConfig): Promise<RunningPod> =>
      runPod(suite.node, 'cdi', ['sleep', '1000'], { container: changes, handler });

    before(async () => {
      mkdirSync(join(directory, 'cdi'), { recursive: true });
      mkdirSync(join(directory, 'lib'), { recursive: true });
      writeFileSync(join(directory, 'lib/driver'), 'driver\n');
      writeFileSync(
        join(directory, 'cdi/vendor.json'),
        JSON.stringify({
          cdiVersion: '0.7.0',
          kind: 'vendor.com/thing',
          containerEdits: { env: ['COMMON=yes'], additionalGids: [4711] },
          devices: [
            {
              name: 'one',
              containerEdits: {
                env: ['DEVICE=one', 'KUBERNETES_SERVICE_HOST=replaced'],
                deviceNodes: [{ path: '/dev/thing', hostPath: '/dev/fuse', permissions: 'r' }],
                mounts: [
                  {
                    hostPath: join(directory, 'lib'),
                    containerPath: '/opt/lib',
                    options: ['ro', 'bind', 'nosuid'],
                  },
                ],
              },
            },
            {
              name: 'two',
              containerEdits: { deviceNodes: [{ path: '/dev/full', type: 'c', major: 1, minor: 7 }] },
            },
            { name: 'gone', containerEdits: { deviceNodes: [{ path: '/dev/no-such-device' }] } },
            {
              name: 'hooked',
              containerEdits: { hooks: ['createRuntime', 'poststart', 'poststop'].map(hook) },
            },
          ],
        }),
      );
      const yaml = `
cdiVersion: 0.5.0
kind: vendor.com/yaml
devices:
  - name: "0"
    containerEdits: {env: [FROM=yaml]}
`;
      await suite.node.exec(['sh', '-c', `mkdir -p /run/cdi; printf '%s' '${yaml}' > /run/cdi/y.yaml`]);
    });
    after(() => handler === 'runc' && rmSync(directory, { recursive: true, force: true }));

    it('bring variables, device nodes, mounts and groups', async () => {
      const { container } = await start({ CDIDevices: [{ name: 'vendor.com/thing=one' }] });
      const { node } = suite;
      assert.equal(
        await shell(node, container, 'echo $COMMON $DEVICE $KUBERNETES_SERVICE_HOST'),
        'yes one replaced\n',
      );
      await shell(node, container, 'true < /dev/thing');
      await shell(node, container, '! sh -c ": > /dev/thing" 2> /dev/null');
      assert.equal(
        await shell(node, container, 'cat /opt/lib/driver; ! touch /opt/lib/x 2>/dev/null'),
        'driver\n',
      );
      assert.match(await shell(node, container, 'id -G'), /\b4711\b/);
    });

    it('are found by annotations and in YAML, of the node’s own directory too', async () => {
      const { container } = await start({
        CDIDevices: [{ name: 'vendor.com/yaml=0' }],
        annotations: { 'cdi.k8s.io/plugin': 'vendor.com/thing=two,vendor.com/yaml=0' },
      });
      assert.equal(await shell(suite.node, container, 'echo $COMMON $FROM'), 'yes yaml\n');
      await shell(suite.node, container, 'test -c /dev/full');
    });

    it('have their hooks run at creation, start and end', async () => {
      rmSync(log, { force: true });
      const { container } = await start({ CDIDevices: [{ name: 'vendor.com/thing=hooked' }] });
      const said = (): string => (existsSync(log) ? readFileSync(log, 'utf8') : '');
      assert.equal(said(), 'createRuntime said\npoststart said\n');
      await suite.node.client.call('StopContainer', { containerId: container, timeout: 0n });
      await suite.node.client.call('RemoveContainer', { containerId: container });
      assert.equal(said(), 'createRuntime said\npoststart said\npoststop said\n');
    });

    it('that are not there are refused, and nothing is left', async () => {
      const refused = async (name: string, says: RegExp): Promise<void> => {
        const pod = podConfig(suite.node, 'cdi');
        const sandbox = await runSandbox(suite.node, pod, handler);
        const config = containerConfig('main', ['true'], { CDIDevices: [{ name }], logPath: '' });
        await assertRefused(suite.node, { code: 'INVALID_ARGUMENT', says }, () =>
          createContainer(sandbox, suite.node, config, pod),
        );
      };
      await refused('vendor.com/thing=three', /no such CDI devices: vendor\.com\/thing=three.*known are/);
      await refused('vendor.com/thing=gone', /\/dev\/no-such-device/);
      await refused('nonsense', /not the full name/);
    });
  });
