import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from '../ground/fault.ts';
import { ExitWatcher } from '../native/exits.ts';
import { inNetns } from '../native/namespaces.ts';
import { planPodCgroup, removePodCgroup } from './cgroup/pod-cgroup.ts';
import { InprocessSandboxMaker } from './sandbox-maker-inprocess.ts';
import type { SandboxRequest } from './sandbox-maker.ts';

describe('what a maker of sandboxes tells before pause has started', () => {
  let directory: string;
  let exits: ExitWatcher;
  let maker: InprocessSandboxMaker;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sandboxes-'));
    exits = await ExitWatcher.start();
    maker = new InprocessSandboxMaker({ exits });
  });
  after(async () => {
    await maker.close();
    await exits.close();
    rmSync(directory, { recursive: true });
  });

  function request(sysctls: Record<string, string>): SandboxRequest & { netnsPin: string } {
    return {
      id: `test-pinned-${process.pid}`,
      hostname: 'pod-one',
      namespaces: { net: true, ipc: true, pid: true },
      sysctls,
      cgroupParent: '/berth-test',
      netnsPin: join(directory, 'pin'),
    };
  }

  it('is that the network namespace is complete; the cgroup is made and pause born in it', async () => {
    const cgroup = planPodCgroup(`/berth-maker-test-${process.pid}`);
    const wanted = { ...request({ 'net.ipv4.ip_forward': '1' }), cgroup };
    const order: string[] = [];
    const sandbox = await maker.make(wanted, undefined, () => {
      const forward = (): string => readFileSync('/proc/sys/net/ipv4/ip_forward', 'latin1');
      order.push(`pinned, forwarding ${inNetns(wanted.netnsPin, forward).trim()}`);
    });
    order.push('made');
    try {
      assert.deepEqual(order, ['pinned, forwarding 1', 'made']);
      assert.ok(cgroup.made.length > 0 && cgroup.made.every((path) => existsSync(path)));
      if (maker.entersCgroup)
        for (const path of cgroup.join)
          assert.equal(readFileSync(join(path, 'cgroup.procs'), 'latin1'), `${sandbox.pid}\n`);
    } finally {
      await maker.destroy(wanted, sandbox);
      await removePodCgroup(cgroup);
    }
  });

  it('is nothing when there is no such namespace', async () => {
    let told = 0;
    const tell = (): void => void told++;
    await assert.rejects(maker.make(request({ 'net.ipv4.no_such': '1' }), undefined, tell), Fault);
    const { netnsPin: _none, ...wanted } = request({});
    wanted.namespaces = { ...wanted.namespaces, net: false };
    const sandbox = await maker.make(wanted, undefined, tell);
    await maker.destroy(wanted, sandbox);
    assert.equal(told, 0);
  });
});
