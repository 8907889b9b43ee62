import assert from 'node:assert/strict';
import type { MountConfig } from '../config.ts';
import { mountsOf } from './mounts.ts';
import { sampleInput } from './sample-input.ts';

const mount = (changes: Partial<MountConfig>): MountConfig => ({
  containerPath: '/data',
  hostPath: '/srv/data',
  readonly: false,
  selinuxRelabel: false,
  propagation: 'private',
  recursiveReadOnly: false,
  uidMappings: [],
  gidMappings: [],
  imageSubPath: '',
  ...changes,
});
const planFor = (...mounts: MountConfig[]): ReturnType<typeof mountsOf> =>
  mountsOf(sampleInput({ container: { mounts } }));

describe('mountsOf', () => {
  it('puts shallow paths before deep ones and keeps the order of equals', () => {
    const targets = planFor(
      mount({ containerPath: '/a/b/c' }),
      mount({ containerPath: '/b' }),
      mount({ containerPath: '/a' }),
    ).mounts.map((m) => m.destination);
    assert.deepEqual(targets.slice(-6), [
      '/b',
      '/a',
      '/etc/hostname',
      '/etc/resolv.conf',
      '/dev/shm',
      '/a/b/c',
    ]);
  });

  it('lets the caller replace the defaults and the files of the pod', () => {
    const { mounts } = planFor(
      mount({ containerPath: '/sys/' }),
      mount({ containerPath: '/etc//resolv.conf' }),
    );
    assert.deepEqual(
      mounts.filter((m) => m.destination === '/sys').map((m) => m.type),
      ['bind'],
    );
    assert.deepEqual(
      mounts.filter((m) => m.destination === '/etc/resolv.conf').map((m) => m.source),
      ['/srv/data'],
    );
  });

  it('leaves /dev alone when the caller brings it', () => {
    const targets = planFor(mount({ containerPath: '/dev', hostPath: '/dev' })).mounts.map(
      (m) => m.destination,
    );
    assert.ok(!targets.includes('/dev/pts') && !targets.includes('/dev/mqueue'));
  });

  it('gives the root the propagation that its mounts need', () => {
    assert.equal(planFor(mount({})).rootfsPropagation, undefined);
    assert.equal(planFor(mount({ propagation: 'host-to-container' })).rootfsPropagation, 'rslave');
    assert.equal(
      planFor(
        mount({ propagation: 'bidirectional' }),
        mount({ propagation: 'host-to-container', containerPath: '/x' }),
      ).rootfsPropagation,
      'rshared',
    );
  });

  it('makes mounts read-only together with what is mounted below them', () => {
    const plan = planFor(mount({ readonly: true, recursiveReadOnly: true }));
    const made = plan.mounts.find(({ destination }) => destination === '/data')!;
    assert.deepEqual(made.options, ['rbind', 'rprivate', 'rro']);
    assert.throws(() => planFor(mount({ recursiveReadOnly: true })), /readonly as well/);
    const slave = mount({ readonly: true, recursiveReadOnly: true, propagation: 'host-to-container' });
    assert.throws(() => planFor(slave), /private propagation/);
  });

  it('mounts what a source leads to', () => {
    const input = { mountSources: new Map([['/srv/data', '/mnt/disk/data']]) };
    const { mounts } = mountsOf(sampleInput({ container: { mounts: [mount({})] }, input }));
    assert.equal(mounts.find(({ destination }) => destination === '/data')!.source, '/mnt/disk/data');
  });

  it('writes to /sys for privileged containers only', () => {
    const options = (privileged: boolean): string[] =>
      mountsOf(sampleInput({ security: { privileged } })).mounts.find((m) => m.destination === '/sys')!
        .options;
    assert.ok(options(false).includes('ro'));
    assert.ok(options(true).includes('rw'));
  });

  it('refuses paths that cannot be mounted', () => {
    for (const bad of [
      { containerPath: 'relative' },
      { containerPath: '/' },
      { containerPath: '/x/..' },
      { containerPath: '/a\0b' },
      { hostPath: '' },
      { hostPath: 'relative' },
    ])
      assert.throws(() => planFor(mount(bad)), { kind: 'invalid' });
  });

  it('says what it does not serve, with the name that the kubelet looks for', () => {
    const recursive = mount({ readonly: true, recursiveReadOnly: true });
    const unable = { container: { mounts: [recursive] }, input: { handler: { recursiveReadOnly: false } } };
    assert.throws(() => mountsOf(sampleInput(unable)), /RROUnsupported/);
    assert.throws(() => planFor(mount({ uidMappings: [{ hostId: 1, containerId: 0, length: 1 }] })), {
      kind: 'unimplemented',
    });
  });

  it('mounts volumes made of images read-only, and volumes that the image declares for writing', () => {
    const image = { image: 'x', annotations: {}, userSpecifiedImage: 'x', runtimeHandler: '' };
    const volume = (changes: Partial<MountConfig> = {}): ReturnType<typeof sampleInput> =>
      sampleInput({
        container: { mounts: [mount({ hostPath: '', image, ...changes })] },
        input: {
          imageVolumes: new Map([['/data', '/run/volumes/0/sub']]),
          anonymousVolumes: [{ destination: '/data/own', source: '/lib/snapshots/c1/volumes/0' }],
        },
      });
    const made = (destination: string): unknown =>
      mountsOf(volume()).mounts.find((one) => one.destination === destination);
    assert.deepEqual(made('/data'), {
      destination: '/data',
      type: 'bind',
      source: '/run/volumes/0/sub',
      options: ['rbind', 'rprivate', 'nosuid', 'nodev', 'ro'],
    });
    assert.deepEqual(made('/data/own'), {
      destination: '/data/own',
      type: 'bind',
      source: '/lib/snapshots/c1/volumes/0',
      options: ['rbind', 'rprivate', 'rw'],
    });
    assert.throws(() => mountsOf(volume({ propagation: 'bidirectional' })), { kind: 'invalid' });
  });
});
