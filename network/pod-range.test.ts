import assert from 'node:assert/strict';
import fc from 'fast-check';
import { addressAt, addressFamily, addressNumber, parsePodRanges, rangeSize } from './pod-range.ts';

describe('pod ranges', () => {
  it('reads one range or one of each family', () => {
    const [v4, v6] = parsePodRanges(' 10.1.2.3/24, fd00:1::/64');
    assert.equal(v4!.cidr, '10.1.2.0/24');
    assert.equal(v4!.gateway, '10.1.2.1');
    assert.equal(addressAt(v4!, v4!.first), '10.1.2.2');
    assert.equal(addressAt(v4!, v4!.last), '10.1.2.254');
    assert.equal(rangeSize(v4!), 253n);
    assert.deepEqual([v6!.family, v6!.cidr, v6!.gateway], [6, 'fd00:1::/64', 'fd00:1::1']);
    assert.equal(addressAt(v6!, v6!.last), 'fd00:1::ffff:ffff:ffff:ffff');
    assert.deepEqual(parsePodRanges(''), []);
  });

  for (const bad of [
    '10.1.0.0',
    '10.1.0.0/33',
    '10.1.0.0/31',
    'pods',
    '10.1.0.0/24,10.2.0.0/24',
    'fd00::/127',
  ])
    it(`refuses ${bad}`, () => assert.throws(() => parsePodRanges(bad), { kind: 'invalid' }));

  it('turns numbers into addresses and back', () => {
    const [v4, v6] = parsePodRanges('10.0.0.0/8,fd00::/16');
    for (const range of [v4!, v6!])
      fc.assert(
        fc.property(fc.bigInt({ min: range.first, max: range.last }), (number) => {
          const address = addressAt(range, number);
          return addressNumber(address) === number && addressFamily(address) === range.family;
        }),
        { numRuns: 200 },
      );
  });

  it('knows what is an address', () => {
    assert.deepEqual(['10.0.0.1', 'fd00::1', '10.1', '0x7f.1', '', 'x', '10.0.0.256'].map(addressFamily), [
      4,
      6,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
