import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { containerConfig, createContainer, runSandbox, shell, type ContainerConfig } from '../../pods.ts';
import { ServiceNode, sh } from './service-node.ts';

const PROFILE = 'berth-lane-no-writes';
const FILE = `/etc/apparmor.d/${PROFILE}`;
/** Everything but writing below /tmp. */
const TEXT = `profile ${PROFILE} flags=(attach_disconnected) {
  file,
  capability,
  network,
  mount,
  umount,
  signal,
  ptrace,
  pivot_root,
  deny /tmp/** w,
}
`;
const PROFILE_TYPE = { runtimeDefault: 0, unconfined: 1, localhost: 2 };

type Security = NonNullable<NonNullable<ContainerConfig['linux']>['securityContext']>;

describe('AppArmor', () => {
  let node: ServiceNode;
  before(async () => {
    writeFileSync(FILE, TEXT);
    await sh(`apparmor_parser --replace --skip-cache ${FILE}`);
    node = await ServiceNode.start('systemd');
  });
  afterEach(() => node.clear());
  after(async () => {
    await node.stop();
    await sh(`apparmor_parser --remove ${FILE}; rm ${FILE}`);
  });

  async function create(security: Security, handler = ''): Promise<string> {
    const pod = await node.pod('confined');
    const sandbox = await runSandbox(node, pod, handler);
    const namespaceOptions = { network: 0, pid: 1, ipc: 0 };
    const linux = { securityContext: { namespaceOptions, ...security } };
    return createContainer(sandbox, node, containerConfig('main', ['sleep', '1000'], { linux }), pod);
  }

  async function start(security: Security, handler = ''): Promise<string> {
    const containerId = await create(security, handler);
    await node.client.call('StartContainer', { containerId });
    return containerId;
  }

  const label = async (container: string): Promise<string> =>
    (await shell(node, container, 'cat /proc/1/attr/current')).trim();
  const WRITE = 'touch /tmp/x 2>/dev/null && echo written || echo refused';

  for (const handler of ['crun', 'runc']) {
    it(`holds a container of ${handler} and the commands in it to a loaded profile`, async () => {
      const container = await start(
        { apparmor: { profileType: PROFILE_TYPE.localhost, localhostRef: PROFILE } },
        handler,
      );
      assert.equal(await label(container), `${PROFILE} (enforce)`);
      assert.equal(
        (await shell(node, container, 'cat /proc/self/attr/current')).trim(),
        `${PROFILE} (enforce)`,
      );
      assert.equal(await shell(node, container, WRITE), 'refused\n');
      assert.equal(await shell(node, container, 'touch /x && echo written'), 'written\n');
    });

    it(`is told to a container of ${handler} in the older field, too`, async () => {
      const container = await start({ apparmorProfile: `localhost/${PROFILE}` }, handler);
      assert.equal(await label(container), `${PROFILE} (enforce)`);
    });
  }

  it('leaves an unconfined and a privileged container alone', async () => {
    for (const security of [
      { apparmor: { profileType: PROFILE_TYPE.unconfined } },
      { apparmorProfile: 'unconfined' },
      { privileged: true, apparmor: { profileType: PROFILE_TYPE.localhost, localhostRef: PROFILE } },
    ] satisfies Security[]) {
      const pod = await node.pod('free', {
        linux: {
          securityContext: {
            privileged: 'privileged' in security,
            namespaceOptions: { network: 0, pid: 1, ipc: 0 },
          },
        },
      });
      const sandbox = await runSandbox(node, pod);
      const linux = { securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 }, ...security } };
      const id = await createContainer(
        sandbox,
        node,
        containerConfig('main', ['sleep', '1000'], { linux }),
        pod,
      );
      await node.client.call('StartContainer', { containerId: id });
      assert.equal(await label(id), 'unconfined');
      assert.equal(await shell(node, id, WRITE), 'written\n');
    }
  });

  it('refuses a profile that is not loaded, in either field, and says its name', async () => {
    for (const security of [
      { apparmor: { profileType: PROFILE_TYPE.localhost, localhostRef: 'nobody-loaded-this' } },
      { apparmorProfile: 'localhost/nobody-loaded-this' },
    ] satisfies Security[])
      await assert.rejects(create(security), {
        code: 'FAILED_PRECONDITION',
        message: /nobody-loaded-this.*not loaded/,
      });
  });
});
