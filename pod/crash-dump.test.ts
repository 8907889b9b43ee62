import assert from 'node:assert/strict';
import { withoutCrashDump } from './crash-dump.ts';

describe('withoutCrashDump', () => {
  it('keeps what a person can use of what a dying runc says', () => {
    const said = [
      'runc create failed: runtime/cgo: pthread_create failed: Resource temporarily unavailable',
      'SIGABRT: abort',
      'PC=0x7f66d0e39eec m=0 sigcode=18446744073709551610',
      '',
      'goroutine 0 [idle]:',
      'runtime: g 0: unknown pc 0x7f66d0e39eec',
      '0x00007ffc908173b0:  0x0000000000000000  0x0000000000000000 ',
      'gs     0x0',
      'time="2026-11-23T09:55:44Z" level=error msg="error during container init: read init-p: connection reset by peer"',
    ];
    assert.equal(withoutCrashDump(said.join('\n')), [said[0], said.at(-1)].join('\n'));
    assert.equal(withoutCrashDump('crun: a\nb'), 'crun: a\nb');
  });
});
