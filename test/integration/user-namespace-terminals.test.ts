import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { textOf } from '../remote-command.ts';
import {
  containerConfig,
  createContainer,
  eventually,
  podConfig,
  readLog,
  runSandbox,
  statusOf,
  type ContainerConfig,
  type PodConfig,
} from '../pods.ts';
import { useStreams } from '../use-streams.ts';

const USERNS = {
  mode: 0,
  uids: [{ containerId: 0, hostId: 300_000, length: 65_536 }],
  gids: [{ containerId: 0, hostId: 400_000, length: 65_536 }],
};
const NAMESPACES = { network: 0, pid: 1, ipc: 0, usernsOptions: USERNS };

describe('pods with a user namespace', () => {
  const suite = useStreams({
    config: {
      runtime: {
        handlers: { 'crun-oci': { path: 'crun', exec: 'oci' }, 'runc-oci': { path: 'runc', exec: 'oci' } },
      },
    },
  });

  async function makeIn(
    handler: string,
    command: string[],
    changes: ContainerConfig,
    security: object = {},
  ): Promise<string> {
    const { node } = suite;
    const context = { namespaceOptions: NAMESPACES, ...security };
    const pod: PodConfig = podConfig(node, 'terminals');
    pod.linux = { ...pod.linux, securityContext: { namespaceOptions: NAMESPACES } };
    const sandbox = await runSandbox(node, pod, handler);
    const config = containerConfig('main', command, { ...changes, linux: { securityContext: context } });
    return createContainer(sandbox, node, config, pod);
  }

  for (const handler of ['crun', 'runc', 'crun-oci', 'runc-oci'])
    for (const user of [0, 1000])
      it(`give their containers and commands terminals that user ${user} may use, with ${handler}`, async () => {
        const { node, streams } = suite;
        const script =
          'tty; stat -c "%u" $(tty); echo opened > $(tty); read line; echo "got $line"; sleep 1000';
        const terminal = { tty: true, stdin: true };
        const as = { runAsUser: { value: BigInt(user) }, runAsGroup: { value: BigInt(user) } };
        const container = await makeIn(handler, ['sh', '-c', script], terminal, as);
        await node.client.call('StartContainer', { containerId: container });
        const attached = await streams.attach(container, { tty: true, stdin: true });
        attached.resize(77, 33);
        const { logPath } = await statusOf(node, container);
        const logged = (words: string): Promise<string> =>
          eventually(`it says ${words}`, 10_000, () => {
            const text = readLog(logPath)
              .map(({ content }) => content.replace('\r', ''))
              .join('\n');
            return text.includes(words) ? text : undefined;
          });
        await logged('opened');
        attached.stdin!.write('typed\n');
        const log = await logged('got typed');
        assert.match(log, new RegExp(`^/dev/(console|pts/0)\n${user}\nopened\n`));

        const command = await streams.exec(
          container,
          ['sh', '-c', `${script.replace('; sleep 1000', '')}; stty size`],
          terminal,
        );
        command.resize(123, 45);
        const text = textOf(command.stdout!);
        await sleep(300);
        command.stdin!.write('more\n');
        const output = (await text).replaceAll('\r', '');
        assert.match(output, new RegExp(`^/dev/pts/\\d+\n${user}\nopened\n`));
        assert.match(output, /got more\n45 123\n$/);
        assert.equal(await command.exitCode(), 0);
        const { uid, gid } = statSync('/dev/null');
        assert.deepEqual([uid, gid], [0, 0], "the node's null device is the node's");
      });

  it('refuse users whom their range does not have', async () => {
    for (const handler of ['crun', 'runc']) {
      const beyond = { runAsUser: { value: 70_000n } };
      await assert.rejects(makeIn(handler, ['true'], {}, beyond), /INVALID.*user id 70000/);
      const group = { runAsUser: { value: 1n }, runAsGroup: { value: 70_001n } };
      await assert.rejects(makeIn(handler, ['true'], {}, group), /INVALID.*group id 70001/);
      const more = { supplementalGroups: [5n, 70_002n] };
      await assert.rejects(makeIn(handler, ['true'], {}, more), /INVALID.*group id 70002/);
    }
  });
});
