import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { removeCgroup } from '../../pod/cgroup/kill.ts';
import { nodeFacts } from '../../pod/spec/node-facts.ts';
import { generateSpec } from '../../pod/spec/generate.ts';
import { withCompiledFilter } from '../../pod/spec/seccomp/compiled-filter.ts';
import { sampleInput } from '../../pod/spec/sample-input.ts';

const EPERM = 1;
const ENOSYS = 38;
const PROBE = resolve(import.meta.dirname, '../seccomp-probe.ts');
const CGROUP = `/berth-seccomp-${process.pid}`;

interface Answers {
  heard: string;
  fromThread: string;
  fromChild: string;
  errnos: Record<string, number>;
}

/** Runs the probe in a container whose root is a read-only view of this machine's own. */
function probe(runtime: string, add: string[], compiled = false): Answers {
  const bundle = mkdtempSync(join(tmpdir(), 'berth-seccomp-'));
  try {
    mkdirSync(join(bundle, 'rootfs'));
    const { spec } = generateSpec(
      sampleInput({
        container: { command: [process.execPath, PROBE] },
        security: {
          seccomp: { type: 'runtime-default', localhostRef: '' },
          readonlyRootfs: true,
          capabilities: { add, drop: [], addAmbient: [] },
        },
        input: {
          rootfs: join(bundle, 'rootfs'),
          namespaces: {},
          cgroupsPath: `${CGROUP}/${runtime}`,
          files: {},
        },
        node: nodeFacts(),
      }),
    );
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(compiled ? withCompiledFilter(spec) : spec));
    const script = [
      'ip link set lo up',
      // crun refuses a v2 tree beside v1 trees.
      'umount /sys/fs/cgroup/unified 2>/dev/null',
      // What crun writes to that path all the same must not land in the host's own tmpfs below.
      'mount -t tmpfs none /sys/fs/cgroup/unified 2>/dev/null',
      'mount --rbind / rootfs && cd "$1" && exec "$2" --root "$1/state" run "berth-seccomp-$$" </dev/null',
    ].join('; ');
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['-m', '-n', '--propagation', 'private', 'sh', '-c', script, 'sh', bundle, runtime],
      { encoding: 'utf8', cwd: bundle },
    );
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as Answers;
  } finally {
    rmSync(join(bundle, 'state'), { recursive: true, force: true });
    rmSync(join(bundle, 'config.json'), { force: true });
    // Nothing is removed through a mount that should not be there any more.
    rmdirSync(join(bundle, 'rootfs'));
    rmdirSync(bundle);
  }
}

describe('the default system call filter', function () {
  this.timeout(60_000);

  before(function () {
    if (process.arch !== 'x64') this.skip();
  });
  after(() => removeCgroup(CGROUP));

  for (const runtime of ['crun', 'runc']) {
    it(`lets a large program work and stops the rest, loaded by ${runtime}`, () => {
      const { errnos, ...work } = probe(runtime, []);
      assert.deepEqual(work, { heard: 'hello', fromThread: 'thread', fromChild: 'child' });
      assert.deepEqual(errnos, {
        mount: EPERM,
        unshare: EPERM,
        'clone with a new user namespace': EPERM,
        clone3: ENOSYS,
        keyctl: EPERM,
        io_uring_setup: EPERM,
        bpf: EPERM,
        'socket AF_VSOCK': EPERM,
        'socket AF_ALG': EPERM,
        'socket AF_VSOCK with high bits': ENOSYS,
        'personality without randomisation': EPERM,
        'a call of the future': ENOSYS,
      });
    });

    it(`opens up for CAP_SYS_ADMIN, loaded by ${runtime}`, () => {
      const { errnos } = probe(runtime, ['SYS_ADMIN']);
      assert.notEqual(errnos['mount'], EPERM);
      assert.notEqual(errnos['clone3'], ENOSYS);
      assert.equal(errnos['unshare'], 0);
      assert.equal(errnos['keyctl'], EPERM);
    });
  }

  it('answers the same when crun takes it compiled', () => {
    assert.deepEqual(probe('crun', [], true), probe('crun', []));
    assert.deepEqual(probe('crun', ['SYS_ADMIN'], true), probe('crun', ['SYS_ADMIN']));
  });
});
