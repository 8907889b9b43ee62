import assert from 'node:assert/strict';
import type { CgroupHierarchy } from '../cgroup/hierarchy.ts';
import type { OciProcess } from '../spec/oci-spec.ts';
import { candidates, entryCalls } from './entry.ts';

const PROCESS: OciProcess = {
  terminal: false,
  user: { uid: 0, gid: 0 },
  args: ['true'],
  env: [],
  cwd: '/',
  capabilities: {
    bounding: ['CAP_CHOWN'],
    effective: ['CAP_CHOWN'],
    permitted: ['CAP_CHOWN'],
    inheritable: [],
    ambient: [],
  },
  noNewPrivileges: false,
  oomScoreAdj: 0,
};

describe('the entry of a command', () => {
  it('looks for a command as execvp does', () => {
    const env = ['A=b', 'PATH=/not:/this', 'PATH=/a::/b'];
    assert.deepEqual(candidates('x', env), ['/a/x', './x', '/b/x']);
    assert.deepEqual(candidates('./x', env), ['./x']);
    assert.deepEqual(candidates('/y/x', env), ['/y/x']);
    assert.deepEqual(candidates('', env), []);
    assert.ok(candidates('x', []).includes('/usr/bin/x'));
  });

  const order = (
    noNewPrivileges: boolean,
    filter: Buffer | undefined,
    terminal = false,
    hierarchy?: CgroupHierarchy,
    apparmorProfile?: string,
  ): string[] => {
    const process = { ...PROCESS, noNewPrivileges, ...(apparmorProfile && { apparmorProfile }) };
    const asked = { process, filter, cgroupPath: '/berth/x', containerId: 'x', terminal };
    const { calls } = entryCalls(asked, hierarchy);
    return calls.map(({ what }) => what);
  };

  it('is born in a cgroup of v2, between the namespaces and that of cgroups, and holds nothing of it inside', () => {
    const steps = order(true, undefined, false, { version: 2, trees: ['/sys/fs/cgroup'] });
    const from = steps.indexOf('join its namespaces');
    assert.ok(steps.indexOf('open its cgroup') < from);
    assert.deepEqual(steps.slice(from, from + 5), [
      'join its namespaces',
      'be born in its cgroup',
      'join its cgroup namespace',
      'close a file',
      'close a file',
    ]);
    assert.equal(steps.includes('join its cgroup'), false);
    assert.equal(steps.includes('join its pids cgroup'), false);
  });

  it('takes an AppArmor profile where /proc is the node’s', () => {
    const steps = order(true, undefined, false, undefined, 'berth-default');
    assert.ok(steps.indexOf('take its AppArmor profile') < steps.indexOf('join its namespaces'));
    assert.equal(order(true, undefined).includes('take its AppArmor profile'), false);
  });

  it('is undumpable before all else, and holds no files of the node when it looks at those of the container', () => {
    const steps = order(true, undefined);
    assert.equal(steps[0], 'become undumpable');
    assert.ok(steps.indexOf('join its namespaces') < steps.indexOf('fork'));
    assert.ok(steps.indexOf('close all files') < steps.indexOf('change to the directory /'));
    assert.ok(steps.indexOf('set its capabilities') < steps.indexOf('wait for the daemon'));
  });

  it('makes a terminal inside the container, and keeps nothing of it but the standard streams', () => {
    const steps = order(true, undefined, true);
    assert.equal(order(true, undefined).includes('make a terminal'), false);
    assert.ok(steps.indexOf('lead a session') < steps.indexOf('make a terminal'));
    assert.ok(steps.indexOf('hand over the terminal') < steps.indexOf('use the terminal'));
    assert.deepEqual(steps.slice(steps.lastIndexOf('use the terminal') + 1).slice(0, 4), [
      'close a file',
      'close a file',
      'control the terminal',
      'own the terminal',
    ]);
    assert.ok(steps.indexOf('control the terminal') < steps.indexOf('become its user'));
  });

  it('installs the filter as late as it can', () => {
    const filter = Buffer.alloc(8);
    const late = order(true, filter);
    assert.equal(
      late.indexOf('install the system call filter'),
      late.indexOf('execute /usr/local/sbin/true') - 1,
    );
    // Without no_new_privs the kernel asks for CAP_SYS_ADMIN, which is dropped behind it.
    const early = order(false, filter);
    assert.ok(early.indexOf('install the system call filter') < early.lastIndexOf('set its capabilities'));
    assert.ok(early.indexOf('set its capabilities') < early.indexOf('wait for the daemon'));
    assert.equal(order(false, undefined).includes('install the system call filter'), false);
  });
});
