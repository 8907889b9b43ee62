import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  addContainer,
  containerConfig,
  ContainerState,
  createContainer,
  runPod,
  shell,
  statusOf,
} from '../../pods.ts';
import { ServiceNode } from './service-node.ts';

const NAMED = 'berth-test-named';
const PROFILES = '/sys/kernel/security/apparmor/profiles';

function parser(flag: '--replace' | '--remove', text: string): void {
  execFileSync('apparmor_parser', ['--skip-cache', flag], { input: text, stdio: ['pipe', 'ignore', 'pipe'] });
}
const profile = (name: string, more: string): string =>
  `profile ${name} flags=(attach_disconnected) { file, network, capability, deny /forbidden w, ${more} }`;
const NAMED_TEXT = profile(NAMED, 'signal,');
/** Its processes hear no signal, not even SIGKILL. */
const DEAF = 'berth-test-deaf';
const DEAF_TEXT = profile(DEAF, '');

/** All that AppArmor is not: what is denied then, it denied. */
const OPEN = {
  namespaceOptions: { network: 0, pid: 1, ipc: 0 },
  seccomp: { profileType: 1 },
  capabilities: { addCapabilities: ['SYS_ADMIN'] },
  maskedPaths: [],
  readonlyPaths: [],
};

describe('AppArmor', () => {
  let node: ServiceNode;
  before(async () => {
    for (const text of [NAMED_TEXT, DEAF_TEXT]) parser('--replace', text);
    node = await ServiceNode.start('systemd', {
      runtime: {
        handlers: {
          crun: { path: 'crun' },
          runc: { path: 'runc' },
          'crun-oci': { path: 'crun', exec: 'oci' },
        },
      },
    });
  });
  afterEach(() => node.clear());
  after(async () => {
    await node.stop();
    for (const text of [NAMED_TEXT, DEAF_TEXT]) parser('--remove', text);
  });

  async function pidOf(containerId: string): Promise<string> {
    const { info } = await node.client.call('ContainerStatus', { containerId, verbose: true });
    return info['pid']!;
  }
  const labelOf = async (container: string): Promise<string> =>
    readFileSync(`/proc/${await pidOf(container)}/attr/current`, 'utf8').trim();
  const says = (container: string, line: string): Promise<string> =>
    shell(node, container, `(${line}) 2>&1 || true`);
  const context = (more: object): object => ({ linux: { securityContext: { ...OPEN, ...more } } });

  it('does not keep a container alive that may not be signalled', async () => {
    const { container } = await runPod(node, 'deaf', ['sleep', '1000'], {
      pod: await node.pod('deaf'),
      container: context({ apparmor: { profileType: 2, localhostRef: DEAF } }),
    });
    await node.client.call('StopContainer', { containerId: container, timeout: 600 });
    const { state, exitCode } = await statusOf(node, container);
    assert.deepEqual([state, exitCode], [ContainerState.EXITED, 137]);
  });

  for (const handler of ['crun', 'runc', 'crun-oci'])
    it(`confines containers and commands by the default profile, a named one, or none, with ${handler}`, async () => {
      const run = await runPod(node, 'confined', ['sleep', '1000'], {
        handler,
        pod: await node.pod('confined'),
        container: context({}),
      });
      const { container } = run;
      assert.equal(await labelOf(container), 'berth-default (enforce)', 'the kubelet names no profile');
      assert.equal(await says(container, 'cat /proc/self/attr/current'), 'berth-default (enforce)\n');
      const lines = await says(
        container,
        `echo 10 > /proc/sys/vm/swappiness; echo h > /proc/sysrq-trigger; cat /proc/kcore | head -c 1;
         mkdir -p /m; mount -t tmpfs none /m;
         echo 4000 > /proc/sys/kernel/shmmni && cat /proc/sys/kernel/shmmni; echo 1000 > /proc/self/oom_score_adj && echo ok`,
      );
      assert.deepEqual(lines.match(/(?:Permission|permission) denied/g)?.length, 4, lines);
      assert.match(lines, /4000\nok\n$/);

      const named = { profileType: 2, localhostRef: `localhost/${NAMED}` };
      const both = { apparmor: named, apparmorProfile: 'localhost/not-there' };
      const other = await addContainer(node, run, 'named', ['sleep', '1000'], context(both));
      assert.equal(await labelOf(other), `${NAMED} (enforce)`, 'the newer field wins');
      assert.match(await says(other, 'cat /proc/self/attr/current; echo x > /forbidden'), /named.*denied/s);
      const old = { apparmorProfile: `localhost/${NAMED}` };
      const older = await addContainer(node, run, 'older', ['sleep', '1000'], context(old));
      assert.equal(await labelOf(older), `${NAMED} (enforce)`);

      const none = await addContainer(
        node,
        run,
        'none',
        ['sleep', '1000'],
        context({ apparmor: { profileType: 1 } }),
      );
      assert.equal(await labelOf(none), 'unconfined');
      assert.equal(
        await says(none, 'mkdir /m; mount -t tmpfs none /m && cat /proc/self/attr/current'),
        'unconfined\n',
      );

      const lost = context({ apparmor: { profileType: 2, localhostRef: 'localhost/not-there' } });
      await assert.rejects(
        createContainer(run.sandbox, node, containerConfig('lost', ['true'], lost), run.pod),
        /FAILED_PRECONDITION.*"not-there" is not loaded/,
      );
    });

  it('leaves privileged containers alone, and loads its profile again when it was removed', async () => {
    const privileged = { privileged: true, namespaceOptions: OPEN.namespaceOptions };
    const pod = await node.pod('privileged');
    pod.linux = { ...pod.linux, securityContext: privileged };
    const alone = await runPod(node, 'privileged', ['sleep', '1000'], {
      pod,
      container: { linux: { securityContext: { ...privileged, apparmor: { profileType: 0 } } } },
    });
    assert.equal(await labelOf(alone.container), 'unconfined');
    parser('--remove', 'profile berth-default {}');
    assert.doesNotMatch(readFileSync(PROFILES, 'utf8'), /^berth-default /m);
    const asked = context({ apparmor: { profileType: 0 } });
    const { container } = await runPod(node, 'again', ['sleep', '1000'], {
      pod: await node.pod('again'),
      container: asked,
    });
    assert.equal(await labelOf(container), 'berth-default (enforce)');
    const { info } = await node.client.call('Status', { verbose: true });
    const { security } = JSON.parse(info['census']!) as { security: { apparmor: object } };
    assert.deepEqual(security.apparmor, { available: true, defaultProfile: true, reason: '' });
  });
});
