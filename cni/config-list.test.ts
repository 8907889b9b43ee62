import assert from 'node:assert/strict';
import { parseConfigList, versionAtLeast } from './config-list.ts';

const parse = (value: unknown) => parseConfigList(JSON.stringify(value), '10-x.conflist');
const bridge = { type: 'bridge' };

describe('CNI configuration lists', () => {
  it('reads a list, and a lone plugin as a list of one', () => {
    const list = parse({ cniVersion: '1.0.0', name: 'pods', disableCheck: 'true', plugins: [bridge] });
    assert.deepEqual(list, {
      name: 'pods',
      cniVersion: '1.0.0',
      disableCheck: true,
      disableGC: false,
      plugins: [bridge],
    });
    const lone = parse({ cniVersion: '0.3.1', name: 'lone', type: 'ptp', mtu: 9000 });
    assert.deepEqual(lone.plugins, [{ cniVersion: '0.3.1', name: 'lone', type: 'ptp', mtu: 9000 }]);
  });

  it('takes the newest version that both sides speak', () => {
    const versions = (cniVersion: string, cniVersions: string[]) =>
      parse({ cniVersion, cniVersions, name: 'n', plugins: [bridge] }).cniVersion;
    assert.equal(versions('0.4.0', ['1.0.0', '1.1.0', '2.0.0']), '1.1.0');
    assert.equal(versions('1.1.0', ['0.3.1']), '1.1.0');
    assert.ok(versionAtLeast('1.0.0', '0.4.0'));
    assert.ok(!versionAtLeast('0.3.1', '0.4.0'));
  });

  for (const [what, value, message] of [
    ['no object', [], /Not a JSON object/],
    ['no name', { cniVersion: '1.0.0', plugins: [bridge] }, /no network name/],
    ['a name that is a path', { cniVersion: '1.0.0', name: '../x', plugins: [bridge] }, /no network name/],
    ['no version', { name: 'n', plugins: [bridge] }, /\(none\) is none of 0.3.0/],
    ['a version to come', { cniVersion: '9.0.0', name: 'n', plugins: [bridge] }, /"9.0.0" is none of/],
    ['no plugins', { cniVersion: '1.0.0', name: 'n', plugins: [] }, /lists no plugins/],
    ['plugins that are no list', { cniVersion: '1.0.0', name: 'n', plugins: {} }, /plugins is no list/],
    [
      'a type that is a path',
      { cniVersion: '1.0.0', name: 'n', plugins: [{ type: '../sh' }] },
      /usable type/,
    ],
    ['a type of dots', { cniVersion: '1.0.0', name: 'n', plugins: [{ type: '..' }] }, /usable type/],
    ['a plugin that is no object', { cniVersion: '1.0.0', name: 'n', plugins: ['bridge'] }, /usable type/],
  ] as const)
    it(`refuses ${what}`, () => assert.throws(() => parse(value), { kind: 'invalid', message }));

  it('refuses what is no JSON, and names the file', () => {
    assert.throws(() => parseConfigList('{', '10-x.conf'), {
      message: /CNI configuration 10-x.conf: Not JSON/,
    });
  });
});
