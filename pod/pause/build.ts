import { Assembler, type Value } from '../elf/assembler.ts';
import { ENTRY, executable } from '../elf/executable.ts';
import { INSTRUCTION_SIZE, seccompFilter } from './seccomp-filter.ts';

/**
 * Pause: the process that holds a pod's namespaces. It gives up every power, reaps what the pod's processes leave
 * behind when it is their PID 1, and ends with code 0 on TERM or INT.
 *
 * ```
 * start -> block all signals -> no new privileges -> no groups -> empty the bounding set -> become nobody
 *       -> no capabilities -> not dumpable -> seccomp filter -> close the report -> wait
 * wait  -> CHLD: reap all that has ended, wait again
 *       -> TERM, INT: end with code 0
 * any step before `wait` that fails: its number goes as one byte into the report and becomes the exit code
 * ```
 */

/** File descriptor on which a start that fails is reported. It is closed without a byte when pause is ready. */
export const REPORT_FD = 3;

/** The steps of the start; the number that is reported is the place in this list, from 1. */
export const PAUSE_STEPS = [
  'block signals',
  'set no_new_privs',
  'drop groups',
  'drop the bounding set',
  'clear the ambient set',
  'become nobody (group)',
  'become nobody (user)',
  'drop capabilities',
  'become undumpable',
  'install the seccomp filter',
] as const;

/** Numbers of x86-64, from asm/unistd_64.h. */
const SYS = {
  write: 1,
  close: 3,
  rt_sigprocmask: 14,
  rt_sigreturn: 15,
  wait4: 61,
  setgroups: 116,
  setresuid: 117,
  setresgid: 119,
  capset: 126,
  rt_sigtimedwait: 128,
  prctl: 157,
  restart_syscall: 219,
  exit_group: 231,
  seccomp: 317,
};
const NEEDED = [
  SYS.rt_sigtimedwait,
  SYS.wait4,
  SYS.exit_group,
  SYS.rt_sigreturn,
  SYS.restart_syscall,
  SYS.close,
];
const SIG = { INT: 2, TERM: 15, CHLD: 17 };
const SIG_BLOCK = 0;
const SIGSET_SIZE = 8;
const PR = { SET_DUMPABLE: 4, CAPBSET_READ: 23, CAPBSET_DROP: 24, SET_NO_NEW_PRIVS: 38, CAP_AMBIENT: 47 };
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const SECCOMP_SET_MODE_FILTER = 1;
const NOBODY = 65534;
const WNOHANG = 1;
const ANY_CHILD = 0xffffffff;

/** The bytes of the program: a static executable of less than a page that needs no other file. */
export function pauseProgram(): Buffer {
  program ??= executable(assemble());
  return program;
}

let program: Buffer | undefined;

function assemble(): Buffer {
  const asm = new Assembler(ENTRY);
  const at = (label: string): Value => ({ label });
  let step = 0;
  /** A step of the start: rbp holds its number while it is done. */
  const must = (number: number, ...args: Value[]): void => {
    step++;
    asm.move('rbp', step);
    asm.syscall(number, ...args);
    asm.testEax();
    asm.jumpIf('negative', 'fail');
  };

  must(SYS.rt_sigprocmask, SIG_BLOCK, at('all signals'), 0, SIGSET_SIZE);
  must(SYS.prctl, PR.SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  must(SYS.setgroups, 0, 0);
  dropBoundingSet(asm, ++step);
  must(SYS.prctl, PR.CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  must(SYS.setresgid, NOBODY, NOBODY, NOBODY);
  must(SYS.setresuid, NOBODY, NOBODY, NOBODY);
  must(SYS.capset, at('own capabilities'), at('no capabilities'));
  // After the change of user, which sets it to the value of a sysctl.
  must(SYS.prctl, PR.SET_DUMPABLE, 0, 0, 0, 0);
  must(SYS.seccomp, SECCOMP_SET_MODE_FILTER, 0, at('filter program'));
  asm.syscall(SYS.close, REPORT_FD);

  asm.label('wait');
  asm.syscall(SYS.rt_sigtimedwait, at('awaited signals'), 0, 0, SIGSET_SIZE);
  asm.compareEax(SIG.CHLD);
  asm.jumpIf('zero', 'reap');
  asm.testEax();
  // Interrupted: neither of the others.
  asm.jumpIf('negative', 'wait');
  asm.syscall(SYS.exit_group, 0);

  // Several children may have ended for one signal.
  asm.label('reap');
  asm.syscall(SYS.wait4, ANY_CHILD, 0, WNOHANG, 0);
  asm.testEax();
  asm.jumpIf('positive', 'reap');
  asm.jump('wait');

  asm.label('fail');
  asm.push('rbp');
  asm.moveStackPointerToRsi();
  asm.syscall(SYS.write, REPORT_FD, 'rsi', 1);
  asm.syscall(SYS.exit_group, 'rbp');

  const filter = seccompFilter(NEEDED);
  asm.data('all signals', u32(0xffffffff, 0xffffffff));
  asm.data('awaited signals', u32(bit(SIG.INT) | bit(SIG.TERM) | bit(SIG.CHLD), 0));
  // struct __user_cap_header_struct: version, pid 0 (self); then two struct __user_cap_data_struct.
  asm.data('own capabilities', u32(LINUX_CAPABILITY_VERSION_3, 0));
  asm.data('no capabilities', u32(0, 0, 0, 0, 0, 0));
  asm.data('filter', filter);
  // struct sock_fprog: u16 length, padding, pointer.
  asm.data('filter program', u32(filter.length / INSTRUCTION_SIZE, 0), at('filter'));
  return asm.assemble();
}

/** Drops capability after capability until the kernel knows no further one. */
function dropBoundingSet(asm: Assembler, step: number): void {
  asm.move('rbp', step);
  asm.move('rbx', 0);
  asm.label('next capability');
  asm.syscall(SYS.prctl, PR.CAPBSET_READ, 'rbx', 0, 0, 0);
  asm.testEax();
  asm.jumpIf('negative', 'last capability');
  asm.syscall(SYS.prctl, PR.CAPBSET_DROP, 'rbx', 0, 0, 0);
  asm.testEax();
  asm.jumpIf('negative', 'fail');
  asm.increment('rbx');
  asm.jump('next capability');
  asm.label('last capability');
}

function bit(signal: number): number {
  return 1 << (signal - 1);
}

function u32(...words: number[]): Buffer {
  const bytes = Buffer.alloc(words.length * 4);
  for (const [i, word] of words.entries()) bytes.writeUInt32LE(word >>> 0, i * 4);
  return bytes;
}
