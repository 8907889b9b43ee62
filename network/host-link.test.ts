import assert from 'node:assert/strict';
import { hostLinkOf } from './host-link.ts';

describe("the node's end of a pod's link", () => {
  const cni = (result: unknown): string =>
    hostLinkOf({ network: 'cni', addresses: ['10.1.0.2'], detail: { result } });

  it('is the one that the built-in network noted', () => {
    const detail = { link: 'berth-0a1b2c3d', ranges: ['10.88.0.0/16'] };
    assert.equal(hostLinkOf({ network: 'bridge', addresses: [], detail }), 'berth-0a1b2c3d');
    assert.equal(hostLinkOf({ network: 'bridge', addresses: [], detail: {} }), '');
  });

  it('is the last interface of the host in a CNI result', () => {
    const interfaces = [{ name: 'cni0' }, { name: 'veth1' }, { name: 'eth0', sandbox: '/run/netns/x' }];
    assert.equal(cni({ interfaces }), 'veth1');
    assert.equal(
      cni({
        interfaces: [
          { name: 'veth2', sandbox: '' },
          { name: 'eth0', sandbox: '/x' },
        ],
      }),
      'veth2',
    );
  });

  it('is empty where nobody says it', () => {
    for (const result of [undefined, {}, { interfaces: [] }, { interfaces: [7, null, { name: 7 }] }])
      assert.equal(cni(result), '');
  });
});
