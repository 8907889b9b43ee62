import assert from 'node:assert/strict';
import { systemdFindings, type SystemdFacts } from './systemd.ts';

describe('what the doctor says of systemd and the kubelet', () => {
  const SOUND: SystemdFacts = {
    booted: true,
    version: 252,
    unit: { LoadState: 'loaded', KillMode: 'process', Delegate: 'yes', Type: 'notify' },
    kubelet: 'kind: KubeletConfiguration\ncgroupDriver: systemd\n',
    driver: 'systemd',
  };
  const said = (facts: Partial<SystemdFacts>): string[] =>
    systemdFindings({ ...SOUND, ...facts })
      .filter(({ state }) => state !== 'good')
      .map(({ state, what, detail }) => `${state} ${what}: ${detail}`);

  it('is nothing where all fits', () => {
    assert.deepEqual(said({}), []);
    assert.deepEqual(
      systemdFindings(SOUND).map(({ what }) => what),
      ['systemd 252 or newer', 'berth.service', 'the same cgroup driver as the kubelet'],
    );
    assert.deepEqual(systemdFindings({ ...SOUND, booted: false, kubelet: undefined }), []);
  });

  it('names what is old, missing or dangerous', () => {
    assert.match(said({ version: 245 })[0]!, /^note systemd 252 or newer: 245/);
    assert.match(said({ version: undefined })[0]!, /cannot be asked/);
    assert.match(said({ unit: {} })[0]!, /^note berth.service: not installed/);
    const unit = { LoadState: 'loaded', KillMode: 'control-group', Delegate: 'no', Type: 'simple' };
    assert.deepEqual(
      said({ unit }).map((line) => line.split(',')[0]),
      [
        'bad berth.service: KillMode is control-group',
        'bad berth.service: Delegate is no',
        'note berth.service: Type is simple',
      ],
    );
  });

  it('compares the cgroup drivers, the default of the kubelet included', () => {
    for (const kubelet of [
      'cgroupDriver: "cgroupfs"\n',
      'kind: KubeletConfiguration\n',
      '#cgroupDriver: systemd\n',
    ])
      assert.match(
        said({ kubelet })[0]!,
        /says cgroupfs, here it is systemd.*runtime.cgroup_driver = "cgroupfs"/,
      );
    assert.deepEqual(said({ kubelet: "cgroupDriver: 'cgroupfs'", driver: 'cgroupfs' }), []);
  });
});
