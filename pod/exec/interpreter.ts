import { Assembler } from '../elf/assembler.ts';
import { ENTRY, executable } from '../elf/executable.ts';
import type { Call, CallKind } from './call.ts';

/**
 * The machine code of a program that makes a list of system calls, one after the other:
 *
 * ```
 * next -> no call left: report the last refused exec (or ENOENT), end with code 1
 *      -> make the call -> try:  next, whatever the kernel answered
 *                          must: next, unless it failed
 *                          gate: next, when it has read a byte; end with code 1 when nobody is there to send one
 *                          fork: the child goes on with `next`; the parent reports the child's pid and ends with code 0
 *                          supervise: the child goes on with `next`; the parent gives up all that it has and waits for
 *                                every process that comes from the child, to the last; it reports how the child ended
 *                          exec: does not come back, or: next, when the file is not there or may not be executed
 * any other failure: report its place in the list and the error, end with code 1
 * ```
 *
 * The list stands in the program's file, so nothing has to be read or taken apart before the first call is made.
 */

/** File descriptor that reports go to, and that a gate reads from. */
export const REPORT_FD = 3;

/** File descriptor to which a supervisor writes its child's wait status (wait(2)), in eight bytes. */
export const STATUS_FD = 6;

/** Where a supervisor finds the cgroup file that moves it into the pids cgroup; nothing, where there is none. */
export const PIDS_FD = 7;

/** Bytes of a report: two 64-bit words, of which only the low halves count (`readReport`). */
export const REPORT_SIZE = 16;

/** What the program says. */
export type Report = { kind: 'forked'; pid: number } | { kind: 'failed'; call: number; errno: number };

const CALL_SIZE = 32;
const KIND: Record<CallKind, number> = { try: 0, must: 1, gate: 2, fork: 3, exec: 4, supervise: 5 };
const NO_CALL = 0xffffffff;
const SYS = { write: 1, close: 3, wait4: 61, capset: 126, exit_group: 231, close_range: 436 };
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const EVERYTHING = 0xffffffff;
const ANY_CHILD = 0xffffffff;
const ENOENT = 2;
const EACCES = 13;
const ENOTDIR = 20;
const ARGUMENTS = ['rdi', 'rsi', 'rdx', 'r10', 'r8'] as const;

let assembled: Buffer | undefined;

/** Not made before it is needed: the start of the daemon would pay for it. */
function code(): Buffer {
  return (assembled ??= assemble());
}

/** The address at which the data of the calls stands; the address of the list stands before it. */
export function dataAddress(): number {
  return ENTRY + code().length + 8;
}

/** The file that makes these calls; `data` is what they point to. */
export function callProgram(calls: readonly Call[], data: Buffer): Buffer {
  const list = Buffer.alloc((calls.length + 1) * CALL_SIZE);
  for (const [at, { kind, number, args }] of calls.entries()) {
    const start = at * CALL_SIZE;
    list.writeUInt32LE(KIND[kind], start);
    list.writeUInt32LE(number, start + 4);
    for (const [i, value] of args.entries()) list.writeUInt32LE(value >>> 0, start + 8 + 4 * i);
  }
  list.writeUInt32LE(NO_CALL, calls.length * CALL_SIZE + 4);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(listAddress(data.length), 0);
  return executable(Buffer.concat([code(), head, data, list]));
}

function listAddress(dataSize: number): number {
  return dataAddress() + dataSize;
}

/** A report of a program with `dataSize` bytes of data. */
export function readReport(bytes: Buffer, dataSize: number): Report {
  const place = bytes.readUInt32LE(0);
  const value = bytes.readInt32LE(8);
  if (place === 0) return { kind: 'forked', pid: value };
  return { kind: 'failed', call: (place - listAddress(dataSize)) / CALL_SIZE - 1, errno: -value };
}

function assemble(): Buffer {
  const asm = new Assembler(ENTRY);
  asm.loadAt('rbx', 'list');
  asm.move('rbp', 0);

  asm.label('next');
  asm.loadBehindRbx('rax', 4);
  for (const [i, register] of ARGUMENTS.entries()) asm.loadBehindRbx(register, 8 + 4 * i);
  asm.add('rbx', CALL_SIZE);
  asm.compareEax(NO_CALL);
  asm.jumpIf('zero', 'no call left');
  // A gate reads onto the stack: the program's own memory is read-only.
  asm.loadBehindRbx('rcx', -CALL_SIZE);
  asm.compare('rcx', KIND.gate);
  asm.jumpIf('notZero', 'call');
  asm.moveStackPointerToRsi();
  asm.label('call');
  asm.enterKernel();
  asm.loadBehindRbx('rcx', -CALL_SIZE);
  for (const kind of ['try', 'must', 'gate', 'fork', 'supervise'] as const) {
    asm.compare('rcx', KIND[kind]);
    asm.jumpIf('zero', kind === 'try' ? 'next' : kind);
  }

  // exec, as execvp(3) goes through PATH.
  for (const errno of [ENOENT, ENOTDIR]) {
    asm.compareEax(-errno);
    asm.jumpIf('zero', 'next');
  }
  asm.compareEax(-EACCES);
  asm.jumpIf('notZero', 'fail');
  asm.copy('rbp', 'rax');
  asm.jump('next');

  asm.label('no call left');
  asm.move('rax', -ENOENT);
  asm.compare('rbp', 0);
  asm.jumpIf('zero', 'fail');
  asm.copy('rax', 'rbp');
  asm.jump('fail');

  asm.label('must');
  asm.testEax();
  asm.jumpIf('negative', 'fail');
  asm.jump('next');

  asm.label('gate');
  asm.testEax();
  asm.jumpIf('positive', 'next');
  asm.syscall(SYS.exit_group, 1);

  asm.label('fork');
  asm.testEax();
  asm.jumpIf('zero', 'next');
  asm.jumpIf('negative', 'fail');
  report(asm, 'rbp');
  asm.syscall(SYS.exit_group, 0);

  supervise(asm);

  asm.label('fail');
  report(asm, 'rbx');
  asm.syscall(SYS.exit_group, 1);

  asm.data('self', Buffer.from('0'));
  asm.data('capability header', Buffer.from(new Uint32Array([LINUX_CAPABILITY_VERSION_3, 0]).buffer));
  asm.data('no capabilities', Buffer.alloc(24));
  asm.data('list');
  return asm.assemble();
}

/** The parent's half of `supervise`: its answer from clone(2) is in rax. */
function supervise(asm: Assembler): void {
  asm.label('supervise');
  asm.testEax();
  asm.jumpIf('zero', 'next');
  asm.jumpIf('negative', 'fail');
  asm.copy('rbx', 'rax');
  asm.syscall(SYS.write, PIDS_FD, { label: 'self' }, 1);
  asm.syscall(SYS.close_range, 0, STATUS_FD - 1, 0);
  asm.syscall(SYS.close_range, STATUS_FD + 1, EVERYTHING, 0);
  asm.syscall(SYS.capset, { label: 'capability header' }, { label: 'no capabilities' });
  // Room for a status: the program's own memory is read-only.
  asm.push('rax');
  asm.label('wait');
  asm.moveStackPointerToRsi();
  asm.syscall(SYS.wait4, ANY_CHILD, 'rsi', 0, 0);
  asm.testEax();
  asm.jumpIf('negative', 'none left');
  asm.compareRegisters('rax', 'rbx');
  asm.jumpIf('notZero', 'wait');
  asm.moveStackPointerToRsi();
  asm.syscall(SYS.write, STATUS_FD, 'rsi', 8);
  asm.syscall(SYS.close, STATUS_FD);
  asm.jump('wait');
  asm.label('none left');
  asm.syscall(SYS.exit_group, 0);
}

/** Reports `place` (rbp is zero before the first exec) and the value in rax. */
function report(asm: Assembler, place: 'rbx' | 'rbp'): void {
  asm.push('rax');
  asm.push(place);
  asm.moveStackPointerToRsi();
  asm.syscall(SYS.write, REPORT_FD, 'rsi', REPORT_SIZE);
}
