import assert from 'node:assert/strict';
import { CAPABILITIES, DEFAULT_CAPABILITIES } from '../capabilities.ts';
import type { OciSeccomp } from '../oci-spec.ts';
import { defaultSeccompProfile } from './default-profile.ts';
import { GATED, ORDINARY, REFUSED, namesIn } from './syscalls.ts';

const EPERM = 1;

function verdict(profile: OciSeccomp, name: string): string {
  const plain = profile.syscalls!.find((rule) => rule.names.includes(name) && rule.args === undefined);
  if (plain === undefined)
    return profile.syscalls!.some((rule) => rule.names.includes(name)) ? 'by argument' : 'unknown';
  return plain.action === 'SCMP_ACT_ALLOW' ? 'allowed' : `errno ${plain.errnoRet}`;
}

describe('the lists of system calls', () => {
  const all = [
    ...Object.values(ORDINARY).flatMap(namesIn),
    ...Object.values(REFUSED).flatMap(namesIn),
    ...GATED.flatMap(({ calls }) => namesIn(calls)),
    'socket',
    'personality',
    'clone',
    'clone3',
  ];

  it('name every call once', () => {
    assert.deepEqual(
      all.filter((name, index) => all.indexOf(name) !== index),
      [],
    );
    for (const name of all) assert.match(name, /^_?[a-z][a-z0-9_]*$/);
  });

  it('gate by capabilities that exist', () => {
    for (const { capabilities } of GATED)
      for (const name of capabilities) assert.ok(CAPABILITIES.includes(name), name);
  });
});

describe('defaultSeccompProfile', () => {
  const ordinary = defaultSeccompProfile('x64', DEFAULT_CAPABILITIES);

  it('allows ordinary work and refuses what Docker documents as blocked', () => {
    for (const name of ['read', 'execve', 'futex', 'epoll_wait', 'rseq', 'chroot', 'ptrace', 'fchmodat2'])
      assert.equal(verdict(ordinary, name), 'allowed', name);
    for (const name of [
      'mount',
      'bpf',
      'keyctl',
      'io_uring_setup',
      'userfaultfd',
      'kexec_load',
      'unshare',
      'setns',
    ])
      assert.equal(verdict(ordinary, name), `errno ${EPERM}`, name);
    assert.equal(verdict(ordinary, 'clone'), 'by argument');
    assert.equal(verdict(ordinary, 'clone3'), 'unknown');
    assert.equal(ordinary.defaultErrnoRet, 38);
  });

  it('opens up with the capabilities, and never for keyrings and io_uring', () => {
    const all = defaultSeccompProfile('x64', CAPABILITIES);
    for (const name of ['mount', 'bpf', 'clone', 'clone3', 'unshare', 'reboot', 'syslog', 'vhangup'])
      assert.equal(verdict(all, name), 'allowed', name);
    for (const name of ['keyctl', 'io_uring_setup', 'kexec_load', 'swapon'])
      assert.equal(verdict(all, name), `errno ${EPERM}`, name);
    assert.equal(verdict(defaultSeccompProfile('x64', ['CAP_BPF']), 'bpf'), 'allowed');
    assert.equal(verdict(defaultSeccompProfile('x64', []), 'chroot'), `errno ${EPERM}`);
  });

  it('covers the other instruction sets of the machine', () => {
    assert.deepEqual(ordinary.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
    assert.deepEqual(defaultSeccompProfile('arm64', []).architectures, [
      'SCMP_ARCH_AARCH64',
      'SCMP_ARCH_ARM',
    ]);
    assert.equal(defaultSeccompProfile('riscv64', []).architectures, undefined);
  });

  it('never allows what it would answer with the default action', () => {
    for (const rule of ordinary.syscalls!)
      assert.ok(rule.action !== ordinary.defaultAction || rule.errnoRet !== ordinary.defaultErrnoRet);
  });
});
