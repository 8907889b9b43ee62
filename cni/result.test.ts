import assert from 'node:assert/strict';
import { checkResult, podAddresses } from './result.ts';

describe('CNI results', () => {
  it("gives the addresses of the pod's interface", () => {
    const result = checkResult(
      {
        cniVersion: '1.0.0',
        interfaces: [{ name: 'cni0' }, { name: 'veth1' }, { name: 'eth0', sandbox: '/ns' }],
        ips: [
          { address: '10.1.0.1/24', interface: 0 },
          { address: '10.1.0.7/24', interface: 2 },
          { address: 'fd00::7/64', interface: 2 },
        ],
      },
      'x',
    );
    assert.deepEqual(podAddresses(result, 'eth0'), ['10.1.0.7', 'fd00::7']);
  });

  it('takes addresses without interface for the pod (0.3.1)', () => {
    const result = checkResult({ ips: [{ version: '4', address: '10.1.0.7/24' }] }, 'x');
    assert.deepEqual(podAddresses(result, 'eth0'), ['10.1.0.7']);
    assert.deepEqual(podAddresses(checkResult({}, 'x'), 'eth0'), []);
  });

  for (const bad of [undefined, [], 'text', { ips: {} }, { ips: [{ address: '10.1.0.7' }] }, { ips: [null] }])
    it(`refuses ${JSON.stringify(bad)}`, () =>
      assert.throws(() => checkResult(bad, 'CNI plugin x'), { kind: 'internal', subject: 'CNI plugin x' }));
});
