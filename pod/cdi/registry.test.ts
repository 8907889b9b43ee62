import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findDeviceNodes } from './device-nodes.ts';
import { requestedCdiDevices } from './names.ts';
import { cdiEdits } from './registry.ts';

describe('CDI devices', () => {
  let root: string;
  let directories: string[];
  const put = (place: string, kind: string, devices: Record<string, string>, common?: string): void => {
    const edits = (value: string): object => ({ env: [`${value}=1`] });
    const spec = {
      cdiVersion: '0.3.0',
      kind,
      devices: Object.entries(devices).map(([name, value]) => ({ name, containerEdits: edits(value) })),
      ...(common === undefined ? {} : { containerEdits: edits(common) }),
    };
    writeFileSync(join(root, place), JSON.stringify(spec));
  };
  const envOf = async (...names: string[]): Promise<string[]> =>
    (await cdiEdits(directories, names)).flatMap(({ env }) => env!);

  beforeEach(() => {
    root = mkdtempSync('/tmp/berth-cdi-');
    for (const name of ['etc', 'run']) mkdirSync(join(root, name));
    directories = ['etc', 'run', 'absent'].map((name) => join(root, name));
    put('etc/gpu.json', 'v.com/gpu', { a: 'ETC_A', b: 'ETC_B' }, 'ETC');
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('bring what their file asks for once, before the first of them', async () => {
    assert.deepEqual(await envOf('v.com/gpu=b', 'v.com/gpu=a'), ['ETC=1', 'ETC_B=1', 'ETC_A=1']);
    assert.deepEqual(await envOf(), []);
  });

  it('of a later directory win', async () => {
    put('run/other.json', 'v.com/gpu', { a: 'RUN_A' });
    assert.deepEqual(await envOf('v.com/gpu=a', 'v.com/gpu=b'), ['RUN_A=1', 'ETC=1', 'ETC_B=1']);
  });

  it('that two files of one directory describe are refused, unless a later directory settles it', async () => {
    put('etc/second.json', 'v.com/gpu', { a: 'SECOND' });
    put('etc/third.json', 'v.com/gpu', { a: 'THIRD' });
    await assert.rejects(envOf('v.com/gpu=a'), {
      kind: 'invalid',
      message: /v\.com\/gpu=a is described by .*gpu\.json and by .*second\.json and by .*third\.json/,
    });
    assert.deepEqual(await envOf('v.com/gpu=b'), ['ETC=1', 'ETC_B=1']);
    put('run/gpu.json', 'v.com/gpu', { a: 'RUN_A' });
    assert.deepEqual(await envOf('v.com/gpu=a'), ['RUN_A=1']);
  });

  it('that nobody describes are refused by name, and bad files are told of', async () => {
    writeFileSync(join(root, 'run/bad.json'), '{');
    writeFileSync(join(root, 'run/notes.txt'), '{');
    await assert.rejects(envOf('v.com/gpu=a', 'v.com/gpu=x', 'w.com/nic=y'), (error: Error) => {
      assert.match(error.message, /no such CDI devices: v\.com\/gpu=x, w\.com\/nic=y/);
      assert.match(error.message, /bad\.json: It cannot be read/);
      assert.match(error.message, /known are v\.com\/gpu=a, v\.com\/gpu=b/);
      return true;
    });
    assert.deepEqual(await envOf('v.com/gpu=b'), ['ETC=1', 'ETC_B=1'], 'a bad file is no harm to others');
  });

  it('are asked for by the field and by annotations, each once', () => {
    const annotations = { 'cdi.k8s.io/x': 'v.com/gpu=b, v.com/gpu=c:1', 'other/cdi': 'nonsense' };
    assert.deepEqual(requestedCdiDevices({ cdiDevices: ['v.com/gpu=a', 'v.com/gpu=b'], annotations }), [
      'v.com/gpu=a',
      'v.com/gpu=b',
      'v.com/gpu=c:1',
    ]);
    for (const bad of ['gpu', 'v.com/gpu', 'v.com=a', 'v.com/gpu=', '1v/gpu=a', 'v.com/gpu=a b', ''])
      assert.throws(() => requestedCdiDevices({ cdiDevices: [bad], annotations: {} }), {
        message: /no(t the full)? name|full name/,
      });
  });

  it('get type, numbers and mode of the device that the node has', () => {
    const [{ deviceNodes }] = findDeviceNodes([
      {
        deviceNodes: [
          { path: '/dev/x', hostPath: '/dev/zero' },
          { path: '/dev/y', type: 'b', major: 7, minor: 1 },
        ],
      },
    ]) as [ReturnType<typeof findDeviceNodes>[number]];
    assert.deepEqual(deviceNodes, [
      { path: '/dev/x', hostPath: '/dev/zero', type: 'c', major: 1, minor: 5, fileMode: 0o666 },
      { path: '/dev/y', type: 'b', major: 7, minor: 1, fileMode: 0o600 },
    ]);
    const one = (node: object): unknown => findDeviceNodes([{ deviceNodes: [{ path: '/dev/x', ...node }] }]);
    assert.throws(() => one({ hostPath: '/dev/absent' }), { kind: 'invalid', message: /not on this node/ });
    assert.throws(() => one({ hostPath: '/etc' }), { kind: 'invalid', message: /not a device/ });
    assert.throws(() => one({ hostPath: '/dev/zero', type: 'b' }), { kind: 'precondition' });
  });
});
