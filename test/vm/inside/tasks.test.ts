import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runPod, shell, type ContainerConfig } from '../../pods.ts';
import { ServiceNode, sh } from './service-node.ts';

describe('tasks of containers whose cgroups are scopes of systemd', () => {
  let node: ServiceNode;
  before(async () => {
    node = await ServiceNode.start('systemd');
  });
  afterEach(() => node.clear());
  after(() => node.stop());

  async function start(handler: string, linux: ContainerConfig['linux'] = {}): Promise<string> {
    const pod = await node.pod('tasks');
    const { container } = await runPod(node, 'tasks', ['sleep', '1000'], {
      handler,
      pod,
      container: { linux },
    });
    return container;
  }

  /** The least limit of all cgroups above a container, the pod's slice included. */
  async function limit(container: string): Promise<number> {
    let least = Infinity;
    for (let at = await node.cgroup(container); at !== '/sys/fs/cgroup'; at = dirname(at)) {
      const file = join(at, 'pids.max');
      const value = existsSync(file) ? readFileSync(file, 'utf8').trim() : 'max';
      if (value !== 'max') least = Math.min(least, Number(value));
    }
    return least;
  }

  for (const handler of ['crun', 'runc']) {
    it(`have no limit with ${handler} when none is asked for`, async () => {
      const container = await start(handler);
      const scope = `berth-${container}.scope`;
      assert.equal((await sh(`systemctl show -P TasksMax ${scope}`)).trim(), 'infinity');
      assert.equal(await limit(container), Infinity);
      await sh('systemctl daemon-reload');
      assert.equal(await limit(container), Infinity);
      assert.equal(await shell(node, container, 'echo lives'), 'lives\n');
    });

    it(`have the limit with ${handler} that is asked for, and the one that comes later`, async () => {
      const container = await start(handler, { resources: { unified: { 'pids.max': '77' } } });
      assert.equal(await limit(container), 77);
      await sh('systemctl daemon-reload');
      assert.equal(await limit(container), 77);
      await node.client.call('UpdateContainerResources', {
        containerId: container,
        linux: { unified: { 'pids.max': '99' } },
      });
      assert.equal(await limit(container), 99);
      await sh('systemctl daemon-reload');
      assert.equal(await limit(container), 99);
    });
  }
});
