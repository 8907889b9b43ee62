import assert from 'node:assert/strict';
import { parseCdiSpec } from './spec.ts';

const DEVICE = { name: 'one', containerEdits: { env: ['A=1'] } };
const file = (changes: object = {}): string =>
  JSON.stringify({ cdiVersion: '0.3.0', kind: 'vendor.com/class', devices: [DEVICE], ...changes });
const device = (name: string, containerEdits: object = { env: ['A=1'] }): object => ({
  name,
  containerEdits,
});

describe('a CDI file', () => {
  it('is read as JSON and as YAML', async () => {
    const yaml = `
cdiVersion: "0.5.0"
kind: "vendor.com/class"
devices:
  - name: "0"
    containerEdits:
      deviceNodes:
        - {path: /dev/x, hostPath: /dev/null, permissions: rw, fileMode: 0o640}
      env: [ON=yes]
`;
    const spec = await parseCdiSpec('/etc/cdi/x.yaml', yaml);
    assert.deepEqual(spec.devices[0]!.containerEdits, {
      deviceNodes: [{ path: '/dev/x', hostPath: '/dev/null', permissions: 'rw', fileMode: 0o640 }],
      env: ['ON=yes'],
    });
    assert.deepEqual((await parseCdiSpec('/etc/cdi/x.json', file())).devices, [DEVICE]);
  });

  const refusals: [what: string, text: string, says: RegExp][] = [
    ['no JSON', '{', /cannot be read/],
    ['an unknown field', file({ extra: 1 }), /extra/],
    ['an unknown field of the edits', file({ devices: [device('a', { envs: [] })] }), /envs/],
    ['an unknown version', file({ cdiVersion: '9.0.0' }), /9\.0\.0 is not known/],
    ['a version before the first', file({ cdiVersion: '0.2.0' }), /0\.2\.0 is not known/],
    ['no devices', file({ devices: [] }), /names no devices/],
    ['a device that changes nothing', file({ devices: [device('a', {})] }), /a changes nothing/],
    ['a device twice', file({ devices: [DEVICE, DEVICE] }), /one is there twice/],
    ['a kind without a class', file({ kind: 'vendor.com' }), /vendor\/class/],
    ['a kind of three parts', file({ kind: 'a/b/c' }), /vendor\/class/],
    ['a name that is none', file({ devices: [device('a b')] }), /no name of a device/],
    ['a variable without a value', file({ containerEdits: { env: ['A'] } }), /NAME=VALUE/],
    [
      'a relative hook',
      file({ containerEdits: { hooks: [{ hookName: 'poststop', path: 'x' }] } }),
      /absolute/,
    ],
    ['an unknown hook', file({ containerEdits: { hooks: [{ hookName: 'x', path: '/x' }] } }), /hookName/],
    [
      'odd permissions',
      file({ containerEdits: { deviceNodes: [{ path: '/dev/x', permissions: 'q' }] } }),
      /r, w and m/,
    ],
  ];
  for (const [what, text, says] of refusals)
    it(`is refused with ${what}`, async () => {
      await assert.rejects(parseCdiSpec('/etc/cdi/x.json', text), { kind: 'invalid', message: says });
    });

  const newer: [least: string, changes: object][] = [
    ['0.4.0', { containerEdits: { mounts: [{ hostPath: '/a', containerPath: '/b', type: 'bind' }] } }],
    ['0.5.0', { devices: [device('0')] }],
    ['0.5.0', { containerEdits: { deviceNodes: [{ path: '/dev/x', hostPath: '/dev/y' }] } }],
    ['0.6.0', { kind: 'vendor.com/a.b' }],
    ['0.6.0', { annotations: { a: 'b' } }],
    ['0.7.0', { containerEdits: { additionalGids: [5] } }],
    ['0.7.0', { containerEdits: { intelRdt: { closID: 'c' } } }],
    ['1.1.0', { containerEdits: { netDevices: [{ hostInterfaceName: 'e', name: 'n' }] } }],
  ];
  for (const [least, changes] of newer)
    it(`of version ${least} may say ${JSON.stringify(changes)}, an earlier one not`, async () => {
      await parseCdiSpec('x.json', file({ ...changes, cdiVersion: least }));
      await assert.rejects(parseCdiSpec('x.json', file(changes)), { message: new RegExp(`needs ${least}`) });
    });
});
