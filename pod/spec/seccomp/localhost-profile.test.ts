import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localhostProfile } from './localhost-profile.ts';

const PROFILE = {
  defaultAction: 'SCMP_ACT_ERRNO',
  architectures: ['SCMP_ARCH_X86_64'],
  syscalls: [
    { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' },
    { names: ['personality'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 0, op: 'SCMP_CMP_EQ' }] },
  ],
};

describe('localhostProfile', () => {
  let root: string;
  const write = (name: string, content: unknown): void =>
    writeFileSync(join(root, name), typeof content === 'string' ? content : JSON.stringify(content));

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'berth-seccomp-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('reads a profile by every spelling of its place', () => {
    write('p.json', { ...PROFILE, comment: 'unknown keys of Docker are fine' });
    for (const reference of ['p.json', 'localhost/p.json', join(root, 'p.json'), `localhost/${root}/p.json`])
      assert.deepEqual(localhostProfile(root, reference), PROFILE, reference);
  });

  it('stays in its directory', () => {
    symlinkSync('/etc/passwd', join(root, 'link.json'));
    for (const reference of [
      '',
      '../p.json',
      '/etc/passwd',
      'a/../../p.json',
      'link.json',
      'missing.json',
      '.',
    ])
      assert.throws(() => localhostProfile(root, reference), { kind: 'invalid' }, reference);
  });

  it('says what is wrong with a file', () => {
    write('text', 'not json');
    write('action', { ...PROFILE, defaultAction: 5 });
    write('names', { ...PROFILE, syscalls: [{ names: [], action: 'SCMP_ACT_ALLOW' }] });
    assert.throws(() => localhostProfile(root, 'text'), { kind: 'invalid', message: /not JSON/ });
    assert.throws(() => localhostProfile(root, 'action'), { kind: 'invalid', message: /defaultAction/ });
    assert.throws(() => localhostProfile(root, 'names'), { kind: 'invalid', message: /syscalls\.0\.names/ });
  });
});
