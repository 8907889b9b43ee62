import assert from 'node:assert/strict';
import { haveLibseccomp } from '../../../native/libseccomp.ts';
import { generateSpec } from '../generate.ts';
import type { OciSeccomp } from '../oci-spec.ts';
import { sampleInput } from '../sample-input.ts';
import { filterSource, compiledFilter, withCompiledFilter } from './compiled-filter.ts';

const CRUN = 'run.oci.seccomp_bpf_data';
const spec = (type: 'runtime-default' | 'unconfined') =>
  generateSpec(sampleInput({ security: { seccomp: { type, localhostRef: '' } } })).spec;
const profile = (changes: Partial<OciSeccomp>): OciSeccomp => ({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }],
  ...changes,
});

describe('withCompiledFilter', () => {
  before(function () {
    if (!haveLibseccomp()) this.skip();
  });

  it('adds a program of whole instructions and keeps the rest', () => {
    const plain = spec('runtime-default');
    const { annotations, ...rest } = withCompiledFilter(plain);
    const { [CRUN]: program, ...others } = annotations;
    assert.deepEqual({ ...rest, annotations: others }, plain);
    const bytes = Buffer.from(program!, 'base64');
    // struct sock_filter has 8 bytes; the kernel takes 4096 of them (BPF_MAXINSNS).
    assert.ok(bytes.length % 8 === 0 && bytes.length > 8 && bytes.length < 4096 * 8);
  });

  it('compiles a profile once', () => {
    const [first, second] = [1, 2].map(() => compiledFilter(spec('runtime-default').linux.seccomp!));
    assert.notEqual(first, undefined);
    assert.equal(first, second, 'the very same buffer');
  });

  it('leaves a container without a filter alone', () => {
    const plain = spec('unconfined');
    assert.equal(withCompiledFilter(plain), plain);
  });
});

describe('filterSource', () => {
  it('translates actions, errnos and conditions', () => {
    const source = filterSource(
      profile({
        defaultErrnoRet: 38,
        architectures: ['SCMP_ARCH_X86_64'],
        syscalls: [
          {
            names: ['clone'],
            action: 'SCMP_ACT_ALLOW',
            args: [{ index: 0, value: 7, valueTwo: 1, op: 'SCMP_CMP_MASKED_EQ' }],
          },
          { names: ['bpf'], action: 'SCMP_ACT_ERRNO' },
          { names: ['same as the default'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
        ],
      }),
    );
    assert.deepEqual(source, {
      defaultAction: 0x0005_0026,
      architectures: ['x86_64'],
      rules: [
        {
          names: ['clone'],
          action: 0x7fff_0000,
          conditions: [{ argument: 0, operator: 7, first: 7n, second: 1n }],
        },
        { names: ['bpf'], action: 0x0005_0001, conditions: [] },
      ],
    });
  });

  it('leaves to the runtime what it would have to guess', () => {
    assert.equal(filterSource(profile({ flags: ['SECCOMP_FILTER_FLAG_LOG'] })), undefined);
    assert.equal(filterSource(profile({ defaultAction: 'SCMP_ACT_NOTIFY' })), undefined);
    const twice = [0, 1].map((value) => ({ index: 0, value, op: 'SCMP_CMP_EQ' }));
    const rule = { names: ['socket'], action: 'SCMP_ACT_ALLOW' };
    assert.equal(filterSource(profile({ syscalls: [{ ...rule, args: twice }] })), undefined);
    assert.equal(
      filterSource(profile({ syscalls: [{ ...rule, args: [{ index: 0, value: 0, op: 'X' }] }] })),
      undefined,
    );
  });
});
