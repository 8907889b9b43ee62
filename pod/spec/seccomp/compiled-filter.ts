import { compileFilter, haveLibseccomp, type FilterSource } from '../../../native/libseccomp.ts';
import type { OciSeccomp, OciSpec } from '../oci-spec.ts';
import { defaultSeccompProfile } from './default-profile.ts';

/** crun(1): a filter that is ready for the kernel, in base64, instead of the one in `linux.seccomp`. */
const CRUN_ANNOTATION = 'run.oci.seccomp_bpf_data';

/** A node's pods ask for a handful of capability sets; each filter is about 10 KiB. */
const MAX_CACHED = 64;

const cache = new Map<string, Buffer>();

/**
 * The specification with its system call filter compiled, for crun, which otherwise compiles it anew for every
 * container: 20 of 28 ms of a whole run. Other runtimes do not know the annotation and read `linux.seccomp`, which
 * stays; both say the same. Without a filter, without libseccomp, or when the filter has what only the runtime can
 * translate (flags, other actions than allow and errno), the specification comes back as it was.
 *
 * The first use of a profile blocks the thread for about 20 ms, later ones find it in the cache.
 */
export function withCompiledFilter(spec: OciSpec): OciSpec {
  const filter = spec.linux.seccomp === undefined ? undefined : compiledFilter(spec.linux.seccomp);
  if (filter === undefined) return spec;
  return { ...spec, annotations: { ...spec.annotations, [CRUN_ANNOTATION]: filter.toString('base64') } };
}

/** Compiles the filter of a container that asks for nothing special, before the first one does. */
export function prepareDefaultFilter(arch: string, granted: readonly string[]): void {
  compiledFilter(defaultSeccompProfile(arch, granted));
}

/**
 * The filter as the kernel takes it, `struct sock_filter` after `struct sock_filter`; undefined when it is not for us to
 * compile (see `withCompiledFilter`). The caller does not change it.
 */
export function compiledFilter(profile: OciSeccomp): Buffer | undefined {
  const source = filterSource(profile);
  if (source === undefined || !haveLibseccomp()) return undefined;
  const key = JSON.stringify(profile);
  const known = cache.get(key);
  if (known !== undefined) return known;
  const filter = compileFilter(source);
  const oldest = cache.keys().next();
  if (cache.size >= MAX_CACHED && !oldest.done) cache.delete(oldest.value);
  cache.set(key, filter);
  return filter;
}

const ALLOW = 0x7fff_0000;
const ERRNO = 0x0005_0000;
const EPERM = 1;

/** enum scmp_compare (seccomp.h). */
const OPERATORS: Readonly<Record<string, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

/** What libseccomp is told, as crun and runc tell it; undefined for what this does not translate. */
export function filterSource(profile: OciSeccomp): FilterSource | undefined {
  if ((profile.flags ?? []).length > 0) return undefined;
  const defaultAction = actionOf(profile.defaultAction, profile.defaultErrnoRet);
  if (defaultAction === undefined) return undefined;
  const rules: FilterSource['rules'][number][] = [];
  for (const { names, action, errnoRet, args = [] } of profile.syscalls ?? []) {
    const translated = actionOf(action, errnoRet);
    const indices = new Set(args.map(({ index }) => index));
    // Several conditions on one argument mean "one of them" to the runtimes, not "all".
    if (translated === undefined || indices.size !== args.length) return undefined;
    if (args.some(({ op, index }) => OPERATORS[op] === undefined || index > 5)) return undefined;
    if (translated === defaultAction) continue;
    const conditions = args.map(({ index, value, valueTwo = 0, op }) => ({
      argument: index,
      operator: OPERATORS[op]!,
      first: BigInt(value),
      second: BigInt(valueTwo),
    }));
    rules.push({ names, action: translated, conditions });
  }
  const architectures = (profile.architectures ?? []).map((name) =>
    name.replace('SCMP_ARCH_', '').toLowerCase(),
  );
  return { defaultAction, architectures, rules };
}

function actionOf(name: string, errno: number | undefined): number | undefined {
  if (name === 'SCMP_ACT_ALLOW') return ALLOW;
  if (name === 'SCMP_ACT_ERRNO') return ERRNO | (errno ?? EPERM);
  return undefined;
}
