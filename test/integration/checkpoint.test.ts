import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RpcError } from '../../cri/client.ts';
import { containerConfig, createContainer, podConfig, runPod, runSandbox, shell, statusOf } from '../pods.ts';
import type { Suite } from '../use-node.ts';
import { useNode } from '../use-node.ts';

const FOREVER = ['sleep', '100000'];
/** criu of Debian 12 does not know the vDSO of newer kernels. */
const CRIU_WORKS = spawnSync('criu', ['check']).status === 0;

describe('CheckpointContainer', () => {
  const suite = useNode();
  const place = usePlace();

  it(`with the node's own criu, which ${CRIU_WORKS ? 'works' : 'does not work here'}`, async () => {
    const { container } = await runPod(suite.node, 'criu', FOREVER, { handler: 'runc' });
    const location = join(place.directory, 'archive.tar');
    const call = suite.node.client.call('CheckpointContainer', {
      containerId: container,
      location,
      timeout: 60n,
    });
    if (CRIU_WORKS) {
      await call;
      assert.equal(statSync(location).mode & 0o777, 0o600);
      const listed = execFileSync('tar', ['-tf', location], { encoding: 'utf8' }).split('\n');
      for (const name of ['config.dump', 'spec.dump', 'checkpoint/', 'rootfs-diff.tar'])
        assert.ok(listed.includes(`./${name}`), name);
    } else {
      await assert.rejects(
        call,
        refused('FAILED_PRECONDITION', /criu does not work on this node \(criu check\): \w/),
      );
      assert.deepEqual(readdirSync(place.directory), []);
    }
    await unharmed(suite, container);
  });

  it('is refused for what does not run, and for places that cannot be', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'created');
    const sandbox = await runSandbox(node, pod);
    const containerId = await createContainer(sandbox, node, containerConfig('created', FOREVER), pod);
    const checkpoint = (location: string): Promise<unknown> =>
      node.client.call('CheckpointContainer', { containerId, location });
    const good = join(place.directory, 'archive.tar');
    await assert.rejects(checkpoint(good), refused('FAILED_PRECONDITION', /only a running container/));
    await assert.rejects(checkpoint(''), refused('INVALID_ARGUMENT', /location/));
    await node.client.call('StartContainer', { containerId });
    await assert.rejects(checkpoint('archive.tar'), refused('INVALID_ARGUMENT', /absolute path/));
    await assert.rejects(checkpoint('/no/such/archive.tar'), refused('INVALID_ARGUMENT', /does not exist/));
    const nobody = node.client.call('CheckpointContainer', { containerId: 'nobody', location: good });
    await assert.rejects(nobody, refused('NOT_FOUND', /nobody/));
  });

  it('leaves the other half, to restore, to other runtimes', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'restored');
    const sandbox = await runSandbox(node, pod);
    const config = {
      ...containerConfig('restored', []),
      image: { image: '/var/lib/kubelet/checkpoints/a.tar' },
    };
    await assert.rejects(
      createContainer(sandbox, node, config, pod),
      refused('UNIMPLEMENTED', /restored from a checkpoint/),
    );
  });
});

describe('CheckpointContainer with a criu that is believed', () => {
  const place = usePlace();
  const programs = mkdtempSync(join(tmpdir(), 'berth-criu-'));
  after(() => rmSync(programs, { recursive: true }));
  const suite = useNode({ env: { PATH: `${programs}:${process.env.PATH}` } });
  /** A criu that says that it works and then does as told. */
  const criu = (then: string): void => {
    writeFileSync(
      join(programs, 'criu'),
      `#!/bin/sh\n[ "$1" = check ] && exit 0\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n${then}\n`,
    );
    chmodSync(join(programs, 'criu'), 0o755);
  };

  it('leaves a container unharmed that criu cannot write', async function () {
    if (CRIU_WORKS) criu("echo 'Error (a.c:1): not today' >&2; exit 1");
    else criu('exec criu "$@"');
    const { container } = await runPod(suite.node, 'failing', FOREVER, { handler: 'runc' });
    const location = join(place.directory, 'archive.tar');
    await assert.rejects(
      suite.node.client.call('CheckpointContainer', { containerId: container, location, timeout: 60n }),
      refused('INTERNAL', CRIU_WORKS ? /checkpoint failed/ : /checkpoint failed .*criu failed.*vdso/s),
    );
    assert.equal(existsSync(location), false);
    await unharmed(suite, container);
  });

  it('ends with its time', async () => {
    criu('exec sleep 1000');
    const { container } = await runPod(suite.node, 'slow', FOREVER, { handler: 'runc' });
    const location = join(place.directory, 'archive.tar');
    const call = suite.node.client.call('CheckpointContainer', {
      containerId: container,
      location,
      timeout: 1n,
    });
    await assert.rejects(call, refused('DEADLINE_EXCEEDED', /not made within 1 s/));
    assert.deepEqual(readdirSync(place.directory), []);
    await unharmed(suite, container);
  });

  it('says so when the runtime was built without it', async function () {
    criu('exit 1');
    const { container } = await runPod(suite.node, 'without', FOREVER, { handler: 'crun' });
    const location = join(place.directory, 'archive.tar');
    const can = spawnSync('crun', ['checkpoint', '--help']).status === 0;
    await assert.rejects(
      suite.node.client.call('CheckpointContainer', { containerId: container, location }),
      can
        ? refused('INTERNAL', /checkpoint failed/)
        : refused('FAILED_PRECONDITION', /built without checkpoints/),
    );
    await unharmed(suite, container);
  });
});

/** A directory for archives, empty for each test. */
function usePlace(): { readonly directory: string } {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'berth-archives-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  return {
    get directory() {
      return directory;
    },
  };
}

async function unharmed({ node }: Suite, container: string): Promise<void> {
  const { state } = await statusOf(node, container);
  assert.equal(state, 1);
  // A frozen one would take no command.
  assert.equal(await shell(node, container, 'kill -0 1 && echo lives'), 'lives\n');
}

function refused(code: string, words: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof RpcError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, words);
    return true;
  };
}
