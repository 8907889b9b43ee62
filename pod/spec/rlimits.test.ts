import assert from 'node:assert/strict';
import { parseRlimits, rlimitNumber } from './rlimits.ts';

describe('limits of processes', () => {
  it('are read as the configuration has them', () => {
    assert.deepEqual(parseRlimits(['nofile=1024:4096', 'CORE=0', 'memlock=65536:unlimited', 'cpu=-1']), [
      { type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      { type: 'RLIMIT_MEMLOCK', soft: 65536, hard: 2 ** 63 },
      { type: 'RLIMIT_CPU', soft: 2 ** 63, hard: 2 ** 63 },
    ]);
    assert.deepEqual([rlimitNumber('RLIMIT_CPU'), rlimitNumber('RLIMIT_NOFILE')], [0, 7]);
  });

  it('are refused when they are none', () => {
    for (const bad of [
      '',
      'nofile',
      'nofile=',
      'nofile=x',
      'files=1',
      'nofile=2:1',
      'nofile=1:2:3',
      'nofile=-2',
    ])
      assert.throws(() => parseRlimits([bad]), { kind: 'invalid' }, bad);
  });
});
