import type { OciSeccomp, OciSeccompRule } from '../oci-spec.ts';
import { GATED, ORDINARY, REFUSED, namesIn } from './syscalls.ts';

const EPERM = 1;
const ENOSYS = 38;

const ARCHITECTURES: Readonly<Record<string, string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** The namespace flags of clone(2). CLONE_NEWTIME is not among them: clone reads that bit as part of the signal. */
const NAMESPACE_FLAGS = [
  0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
];

/** personality(2): PER_LINUX, PER_LINUX32, both with UNAME26, and the question (0xffffffff). */
const PERSONALITIES = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
const ADDR_NO_RANDOMIZE = 0x4_0000;

/**
 * Socket families (socket(2)). AF_ALG (38) opens the kernel's crypto to everybody and AF_VSOCK (40) reaches the
 * hypervisor past every network policy: both are refused. The others are named one by one above 38, since a filter
 * compares 64 bits where the kernel reads 32: "greater than 40" would let 2^32 + 40 pass.
 */
const FIRST_REFUSED_FAMILY = 38;
const REFUSED_FAMILIES = [38, 40];
const LATE_FAMILIES = [39, 41, 42, 43, 44, 45];

/**
 * The default system call filter (`RuntimeDefault`) for a container with these capabilities: what Docker's
 * documented default allows and blocks, as one list of calls for x86_64 (with i386 and x32) or aarch64 (with arm).
 *
 * Refused calls answer EPERM. Calls that no list names (newer than this list) answer ENOSYS, so that a C library
 * takes its fallback for old kernels; so does clone3, whose flags a filter cannot see, without CAP_SYS_ADMIN.
 *
 * `arch` is Node's `process.arch`; another one than x64 and arm64 gets the filter for its native calls only.
 */
export function defaultSeccompProfile(arch: string, granted: readonly string[]): OciSeccomp {
  const allowed = Object.values(ORDINARY).flatMap(namesIn);
  const refused = Object.values(REFUSED).flatMap(namesIn);
  for (const { capabilities, calls } of GATED) {
    const target = capabilities.some((name) => granted.includes(name)) ? allowed : refused;
    target.push(...namesIn(calls));
  }
  const mayMakeNamespaces = granted.includes('CAP_SYS_ADMIN');
  if (mayMakeNamespaces) allowed.push('clone', 'clone3');
  const architectures = ARCHITECTURES[arch];
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    ...(architectures === undefined ? {} : { architectures }),
    syscalls: [
      { names: allowed, action: 'SCMP_ACT_ALLOW' },
      { names: refused, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
      ...socketRules(),
      ...personalityRules(),
      ...(mayMakeNamespaces ? [] : cloneRules()),
    ],
  };
}

function socketRules(): OciSeccompRule[] {
  return [
    allowWhen('socket', FIRST_REFUSED_FAMILY, 'SCMP_CMP_LT'),
    ...LATE_FAMILIES.map((family) => allowWhen('socket', family, 'SCMP_CMP_EQ')),
    ...REFUSED_FAMILIES.map((family) => refuseWhen('socket', { index: 0, value: family, op: 'SCMP_CMP_EQ' })),
  ];
}

function personalityRules(): OciSeccompRule[] {
  return [
    ...PERSONALITIES.map((persona) => allowWhen('personality', persona, 'SCMP_CMP_EQ')),
    refuseWhen('personality', masked(ADDR_NO_RANDOMIZE)),
  ];
}

/** Threads and children are free, new namespaces are not. On x86 and arm the flags are the first argument. */
function cloneRules(): OciSeccompRule[] {
  const all = NAMESPACE_FLAGS.reduce((sum, flag) => sum + flag, 0);
  return [
    {
      names: ['clone'],
      action: 'SCMP_ACT_ALLOW',
      args: [{ index: 0, value: all, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
    },
    ...NAMESPACE_FLAGS.map((flag) => refuseWhen('clone', masked(flag))),
  ];
}

function masked(flag: number): NonNullable<OciSeccompRule['args']>[number] {
  return { index: 0, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' };
}

function allowWhen(name: string, value: number, op: string): OciSeccompRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value, op }] };
}

function refuseWhen(name: string, condition: NonNullable<OciSeccompRule['args']>[number]): OciSeccompRule {
  return { names: [name], action: 'SCMP_ACT_ERRNO', errnoRet: EPERM, args: [condition] };
}
