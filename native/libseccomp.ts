import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { ErrnoError } from './errno.ts';
import { OwnedFd, memfd } from './fd.ts';

/**
 * libseccomp (seccomp_init(3) and its neighbours): the library that crun and runc make their filters with, so it is
 * on every node that has one of them.
 */

/** One argument's condition: `operator` is a value of enum scmp_compare. */
export interface FilterCondition {
  argument: number;
  operator: number;
  first: bigint;
  second: bigint;
}

export interface FilterRule {
  names: readonly string[];
  /** SCMP_ACT_* with its errno. */
  action: number;
  conditions: readonly FilterCondition[];
}

export interface FilterSource {
  defaultAction: number;
  /** As seccomp_arch_resolve_name knows them: `x86_64`. Empty: the native one. */
  architectures: readonly string[];
  rules: readonly FilterRule[];
}

const UNKNOWN_SYSCALL = -1;
/** sizeof(struct scmp_arg_cmp): unsigned arg, enum op, u64 datum_a, u64 datum_b. */
const CONDITION_SIZE = 24;
const EEXIST = 17;
/** seccomp_attr_set(3), since libseccomp 2.5. */
const CTL_OPTIMIZE = 8;
const BINARY_TREE = 2;

type Context = object;

interface Functions {
  init: (defaultAction: number) => Context | null;
  release: (context: Context) => void;
  resolveArchitecture: (name: string) => number;
  addArchitecture: (context: Context, token: number) => number;
  resolveSyscall: (name: string) => number;
  addRule: (context: Context, action: number, syscall: number, count: number, conditions: Buffer) => number;
  exportBpf: (context: Context, fd: number) => number;
  setAttribute: (context: Context, attribute: number, value: number) => number;
}

let functions: Functions | undefined;

/** Throws when the library is not on this node. */
function load(): Functions {
  if (functions !== undefined) return functions;
  const library = koffi.load('libseccomp.so.2');
  functions = {
    init: library.func('void *seccomp_init(uint32_t action)'),
    release: library.func('void seccomp_release(void *context)'),
    resolveArchitecture: library.func('uint32_t seccomp_arch_resolve_name(const char *name)'),
    addArchitecture: library.func('int seccomp_arch_add(void *context, uint32_t token)'),
    resolveSyscall: library.func('int seccomp_syscall_resolve_name(const char *name)'),
    addRule: library.func(
      'int seccomp_rule_add_array(void *context, uint32_t action, int syscall, unsigned int count, const void *conditions)',
    ),
    exportBpf: library.func('int seccomp_export_bpf(void *context, int fd)'),
    setAttribute: library.func('int seccomp_attr_set(void *context, int attribute, uint32_t value)'),
  };
  return functions;
}

/** Whether the library can be loaded on this node. */
export function haveLibseccomp(): boolean {
  try {
    load();
    return true;
  } catch {
    return false; // the answer itself
  }
}

/**
 * Compiles a filter into the kernel's program: `struct sock_filter` after `struct sock_filter` (seccomp(2)). Names
 * that the library does not know are left out. Blocks the thread: 3 ms for 400 names on one architecture, 20 ms for
 * three. Throws ErrnoError for what the library refuses.
 *
 * A `tree` finds a call's number by halves instead of one by one. The kernel tries every number when a filter is
 * installed, for its table of what is always allowed: 0.5 ms instead of 1.3 for each process that gets a filter of
 * 400 names.
 */
export function compileFilter(source: FilterSource, tree = true): Buffer {
  const lib = load();
  const context = lib.init(source.defaultAction);
  if (context === null) throw new ErrnoError('seccomp_init', 22);
  try {
    // An older library refuses this, and its filter is only slower.
    if (tree) lib.setAttribute(context, CTL_OPTIMIZE, BINARY_TREE);
    for (const name of source.architectures) {
      const token = lib.resolveArchitecture(name);
      const result = lib.addArchitecture(context, token);
      if (result !== -EEXIST) checked(`seccomp_arch_add ${name}`, result);
    }
    for (const rule of source.rules) addRule(lib, context, rule);
    using file = new OwnedFd(memfd('seccomp'));
    checked('seccomp_export_bpf', lib.exportBpf(context, file.fd));
    return readFileSync(`/proc/self/fd/${file.fd}`);
  } finally {
    lib.release(context);
  }
}

function addRule(lib: Functions, context: Context, { names, action, conditions }: FilterRule): void {
  const packed = Buffer.alloc(CONDITION_SIZE * conditions.length);
  for (const [index, condition] of conditions.entries()) {
    const at = index * CONDITION_SIZE;
    packed.writeUInt32LE(condition.argument, at);
    packed.writeUInt32LE(condition.operator, at + 4);
    packed.writeBigUInt64LE(condition.first, at + 8);
    packed.writeBigUInt64LE(condition.second, at + 16);
  }
  for (const name of names) {
    const syscall = lib.resolveSyscall(name);
    if (syscall === UNKNOWN_SYSCALL) continue;
    checked(`seccomp_rule_add ${name}`, lib.addRule(context, action, syscall, conditions.length, packed));
  }
}

/** libseccomp returns errno negated and leaves the variable alone. */
function checked(call: string, result: number): void {
  if (result < 0) throw new ErrnoError(call, -result);
}
