import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cgroupFrozen } from '../../pod/cgroup/frozen.ts';
import { RpcError } from '../../cri/client.ts';
import { tarArchive, type NewEntry } from '../../image/tar/writer.ts';
import {
  containerConfig,
  createContainer,
  eventually,
  podConfig,
  runPod,
  runSandbox,
  shell,
  statusOf,
  type ContainerConfig,
  type PodConfig,
} from '../pods.ts';
import { ImageLibrary } from '../image-library.ts';
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

  it('is not restored without criu, nor from what is no archive', async () => {
    const { node } = suite;
    const pod = podConfig(node, 'restored');
    const sandbox = await runSandbox(node, pod, 'runc');
    const create = (image: string): Promise<string> =>
      createContainer(sandbox, node, { ...containerConfig('restored', []), image: { image } }, pod);
    const archive = join(place.directory, 'archive.tar');
    await assert.rejects(
      create(archive),
      refused('NOT_FOUND', /archive\.tar cannot be restored: It is not there/),
    );
    await assert.rejects(create(place.directory), refused('INVALID_ARGUMENT', /It is no file/));
    writeFileSync(archive, 'text', { mode: 0o600 });
    await assert.rejects(create(archive), refused('INVALID_ARGUMENT', /no whole tar archive/));
    chmodSync(archive, 0o666);
    await assert.rejects(create(archive), refused('PERMISSION_DENIED', /Others than root.*chmod 600/));
    if (CRIU_WORKS) return;
    writeFileSync(archive, await archiveOf(suite, sandbox, pod));
    chmodSync(archive, 0o600);
    await assert.rejects(create(archive), refused('FAILED_PRECONDITION', /criu does not work on this node/));
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

  it('lets the container go on when the daemon dies meanwhile', async () => {
    const { node } = suite;
    // Ends by itself: nobody kills a criu that is at work on processes.
    criu('exec sleep 4');
    const { container } = await runPod(node, 'frozen', FOREVER, { handler: 'runc' });
    const { info } = await node.client.call('ContainerStatus', { containerId: container, verbose: true });
    const cgroup = JSON.parse(info['cgroup']!) as string;
    const location = join(place.directory, 'archive.tar');
    const call = assert.rejects(
      node.client.call('CheckpointContainer', { containerId: container, location, timeout: 60n }),
      { code: 'UNAVAILABLE' },
    );
    await eventually('it stands still', 10_000, () => (cgroupFrozen(cgroup) ? true : undefined));
    await node.kill9();
    await call;
    await node.start();
    await unharmed(suite, container);
    await eventually('the runtime gives up', 20_000, () =>
      readdirSync('/proc').some(
        (pid) => /\bcheckpoint\b/.test(commandOf(pid)) && commandOf(pid).includes(container),
      )
        ? undefined
        : true,
    );
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

describe('A container from a checkpoint', () => {
  const place = usePlace();
  const programs = mkdtempSync(join(tmpdir(), 'berth-criu-'));
  after(() => rmSync(programs, { recursive: true }));
  const suite = useNode({ env: { PATH: `${programs}:${process.env.PATH}` } });
  const criu = (then: string): void =>
    writeFileSync(
      join(programs, 'criu'),
      `#!/bin/sh\n[ "$1" = check ] && exit 0\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n${then}\n`,
      { mode: 0o755 },
    );

  let sandbox: string;
  let pod: PodConfig;
  let archive: string;
  beforeEach(async () => {
    criu('exec criu "$@"');
    const { node } = suite;
    pod = podConfig(node, 'restored');
    sandbox = await runSandbox(node, pod, 'runc');
    archive = join(place.directory, 'archive.tar');
    writeFileSync(archive, await archiveOf(suite, sandbox, pod), { mode: 0o600 });
  });
  const create = (changes: ContainerConfig = {}): Promise<string> =>
    createContainer(
      sandbox,
      suite.node,
      { ...containerConfig('restored', [], changes), image: { image: archive } },
      pod,
    );

  it('has the image, the files and the command of its checkpoint, and no process until it starts', async () => {
    const { node } = suite;
    const container = await create();
    const { status, info } = await node.client.call('ContainerStatus', {
      containerId: container,
      verbose: true,
    });
    assert.deepEqual([status?.state, status?.image?.image, JSON.parse(info['pid']!)], [0, archive, 0]);
    assert.match(status!.imageRef, /busybox@sha256:/);
    const bundle = JSON.parse(info['bundle']!) as string;
    const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as {
      process: { args: string[] };
      annotations: Record<string, string>;
    };
    assert.deepEqual(spec.process.args, FOREVER);
    assert.equal(spec.annotations['org.criu.config'], join(bundle, 'criu.conf'));
    const files = await node.exec([
      'sh',
      '-c',
      `cd ${bundle}/rootfs && cat etc/made && ls etc/group etc/passwd; true`,
    ]);
    assert.equal(files, 'made\netc/passwd\n');
    // Nobody takes it for one that was lost.
    await node.restart();
    assert.equal((await statusOf(node, container)).state, 0);
    await node.client.call('StopContainer', { containerId: container, timeout: 10n });
    const ended = await statusOf(node, container);
    assert.deepEqual([ended.state, ended.exitCode], [2, 128]);
    await assert.rejects(
      node.client.call('StartContainer', { containerId: container }),
      refused('FAILED_PRECONDITION', /only a created container/),
    );
  });

  it('ends with the words of the runtime when it cannot be restored', async () => {
    const { node } = suite;
    const container = await create();
    await assert.rejects(
      node.client.call('StartContainer', { containerId: container }),
      refused('INTERNAL', /runc restore failed/),
    );
    const ended = await statusOf(node, container);
    assert.deepEqual([ended.state, ended.exitCode, ended.reason], [2, 128, 'StartError']);
    assert.match(ended.message, /runc restore failed/);
  });

  it('can be stopped and removed while it is being restored', async () => {
    const { node } = suite;
    criu('exec sleep 1000');
    const stopped = await create();
    const start = assert.rejects(
      node.client.call('StartContainer', { containerId: stopped }),
      refused('CANCELLED', /stopped while it was being restored/),
    );
    await underWay();
    await node.client.call('StopContainer', { containerId: stopped, timeout: 10n });
    await start;
    assert.equal((await statusOf(node, stopped)).state, 2);
    const removed = await create({ metadata: { name: 'another', attempt: 0 } });
    const another = assert.rejects(
      node.client.call('StartContainer', { containerId: removed }),
      refused('CANCELLED', /stopped while it was being restored/),
    );
    await underWay();
    await node.client.call('RemoveContainer', { containerId: removed });
    await another;
  });

  it('leaves nothing behind when the daemon dies meanwhile', async () => {
    const { node } = suite;
    criu('exec sleep 1000');
    const container = await create();
    const start = assert.rejects(node.client.call('StartContainer', { containerId: container }), {
      code: 'UNAVAILABLE',
    });
    await underWay();
    await node.kill9();
    await start;
    await node.start();
    const ended = await statusOf(node, container);
    assert.deepEqual([ended.state, ended.exitCode, ended.reason], [2, 128, 'StartError']);
    assert.match(ended.message, /daemon ended while/);
    await eventually('its processes are gone', 10_000, () => (restoring().length === 0 ? true : undefined));
  });

  it('is refused where it cannot be what it was', async () => {
    const refuses = (changes: ContainerConfig, words: RegExp): Promise<void> =>
      assert.rejects(create(changes), refused('FAILED_PRECONDITION', words));
    await refuses(
      { mounts: [{ containerPath: '/data', hostPath: place.directory }] },
      /not have mounts .*\/data/,
    );
    await refuses(
      {
        linux: {
          securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 }, runAsUser: { value: 1000n } },
        },
      },
      /runs as user 0:0/,
    );
    await refuses(
      {
        linux: {
          securityContext: {
            namespaceOptions: { network: 0, pid: 1, ipc: 0 },
            capabilities: { dropCapabilities: ['CHOWN'] },
          },
        },
      },
      /has CAP_CHOWN/,
    );
    await refuses(
      { linux: { securityContext: { namespaceOptions: { network: 0, pid: 1, ipc: 0 }, noNewPrivs: true } } },
      /may gain privileges/,
    );
    await refuses({ tty: true }, /has no terminal/);
    const { node } = suite;
    const other = podConfig(node, 'crun');
    const config = { ...containerConfig('restored', []), image: { image: archive } };
    const crun = createContainer(await runSandbox(node, other, 'crun'), node, config, other);
    await assert.rejects(crun, refused('FAILED_PRECONDITION', /crun was built without checkpoints/));
    const missing = 'registry.example/missing@sha256:' + '0'.repeat(64);
    writeFileSync(archive, await archiveOf(suite, sandbox, pod, missing));
    await assert.rejects(
      create(),
      refused('NOT_FOUND', /image "registry\.example\/missing@.*pull that image/),
    );
  });

  function restoring(): string[] {
    return readdirSync('/proc').filter(
      (pid) => commandOf(pid).includes(`${place.directory}`) || commandOf(pid).startsWith('sleep\x001000\0'),
    );
  }

  async function underWay(): Promise<void> {
    await eventually('criu is at it', 20_000, () => (restoring().length > 0 ? true : undefined));
  }
});

for (const images of ['off', 'on'])
  describe(`An image with a checkpoint in it, where restoring from images is ${images}`, () => {
    const programs = mkdtempSync(join(tmpdir(), 'berth-criu-'));
    writeFileSync(join(programs, 'criu'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    after(() => rmSync(programs, { recursive: true }));
    const suite = useNode({
      env: { PATH: `${programs}:${process.env.PATH}` },
      config: { runtime: { checkpoint_images: images } },
    });

    it(
      images === 'on' ? 'is restored like an archive' : 'is refused, and the error says what to set',
      async () => {
        const { node, library } = suite;
        const pod = podConfig(node, 'restored');
        const sandbox = await runSandbox(node, pod, 'runc');
        const files = await checkpointFiles(suite, sandbox, pod);
        const annotations = { 'org.criu.checkpoint.container.name': 'like' };
        const image = `${ImageLibrary.address}/checkpoint:1`;
        await library.push('checkpoint:1', { layers: [{ files }], annotations });
        await node.client.call('PullImage', { image: { image } });
        const config = { ...containerConfig('restored', []), image: { image } };
        const create = createContainer(sandbox, node, config, pod);
        try {
          if (images === 'off') {
            await assert.rejects(create, refused('FAILED_PRECONDITION', /checkpoint_images = "on"/));
            return;
          }
          const { status, info } = await node.client.call('ContainerStatus', {
            containerId: await create,
            verbose: true,
          });
          assert.deepEqual([status?.state, JSON.parse(info['restoredFrom']!)], [0, JSON.stringify(image)]);
          assert.match(status!.imageRef, /busybox@sha256:/);
          const root = `${JSON.parse(info['bundle']!) as string}/rootfs`;
          assert.equal(
            await node.exec(['sh', '-c', `cd ${root} && cat etc/made && ls etc/group etc/passwd; true`]),
            'made\netc/passwd\n',
          );
        } finally {
          await node.client.call('RemoveImage', { image: { image } });
        }
      },
    );
  });

/** The archive of a checkpoint of a container like those of these tests, as far as it can be written without criu. */
async function archiveOf(suite: Suite, sandbox: string, pod: PodConfig, image?: string): Promise<Buffer> {
  return tarArchive(await checkpointFiles(suite, sandbox, pod, image));
}

async function checkpointFiles(
  { node }: Suite,
  sandbox: string,
  pod: PodConfig,
  image?: string,
): Promise<NewEntry[]> {
  const like = await createContainer(sandbox, node, containerConfig('like', FOREVER), pod);
  const { status, info } = await node.client.call('ContainerStatus', { containerId: like, verbose: true });
  const spec = readFileSync(join(JSON.parse(info['bundle']!) as string, 'config.json'));
  await node.client.call('RemoveContainer', { containerId: like });
  const diff = tarArchive([
    { path: './', type: 'directory' },
    { path: './etc/', type: 'directory' },
    { path: './etc/made', content: 'made\n' },
  ]);
  return [
    { path: './config.dump', content: JSON.stringify({ rootfsImageRef: image ?? status!.imageRef }) },
    { path: './spec.dump', content: spec },
    { path: './checkpoint/inventory.img', content: 'no image' },
    { path: './checkpoint/descriptors.json', content: '["/dev/null","pipe:[1]","pipe:[2]"]' },
    { path: './rootfs-diff.tar', content: diff },
    { path: './deleted.files', content: '["etc/group"]' },
  ];
}

function commandOf(pid: string): string {
  try {
    return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, 'latin1') : '';
  } catch {
    return ''; // It has ended.
  }
}

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
