import { isErrno } from '../../native/errno.ts';
import { closeFd, sealedProgram } from '../../native/fd.ts';
import { DEFAULT_PATH } from '../../native/spawn.ts';
import { Assembler } from './assembler.ts';
import { ENTRY, executable } from './executable.ts';

/** Numbers of x86-64, from asm/unistd_64.h. */
const SYS = { dup2: 33, execve: 59, exit_group: 231, pipe2: 293 };
const O_CLOEXEC = 0o2000000;
const NOT_EXECUTED = 127;

/**
 * A program that executes another one with its own arguments and with an input that is at its end: a pipe that nobody
 * writes to. `terminal`: its output goes into that pipe, too.
 *
 * conmon gives /dev/null to a container without input, and to the runtime that makes one with a terminal as input and
 * output; and crun makes that belong to the container's user in a user namespace: the node's own device, which the
 * pod's root could then take away from everybody (chmod(2)).
 */
export function emptyInputProgram(path: string, terminal = false): Buffer {
  const asm = new Assembler(ENTRY);
  // At the start the stack holds the number of arguments, then argv (System V ABI, AMD64 supplement 3.4.1).
  asm.moveStackPointerToRsi();
  asm.copyWhole('rbx', 'rsi');
  // The pipe's two descriptors take the place of the number.
  asm.copyWhole('rdi', 'rbx');
  asm.syscall(SYS.pipe2, 'rdi', O_CLOEXEC);
  asm.testEax();
  asm.jumpIf('negative', 'fail');
  asm.loadBehindRbx('rdi', 0);
  asm.syscall(SYS.dup2, 'rdi', 0);
  asm.testEax();
  asm.jumpIf('negative', 'fail');
  if (terminal) {
    asm.loadBehindRbx('rdi', 4);
    asm.syscall(SYS.dup2, 'rdi', 1);
    asm.testEax();
    asm.jumpIf('negative', 'fail');
  }
  asm.copyWhole('rsi', 'rbx');
  asm.addWhole('rsi', 8);
  asm.syscall(SYS.execve, { label: 'path' }, 'rsi', { label: 'environment' });
  asm.label('fail');
  asm.syscall(SYS.exit_group, NOT_EXECUTED);
  asm.data('path', Buffer.from(`${path}\0`));
  asm.data('search path', Buffer.from(`PATH=${DEFAULT_PATH}\0`));
  asm.data('environment', { label: 'search path' }, new Uint8Array(8));
  return executable(asm.assemble());
}

/** The same as a file in memory that any process can execute while this one lives. */
export class EmptyInputProgram {
  readonly #terminal: boolean;
  #of = '';
  #fd: number | undefined;

  /** `terminal`: see `emptyInputProgram`. */
  constructor({ terminal = false } = {}) {
    this.#terminal = terminal;
  }

  /** Where it is that executes `path`. Undefined where files in memory are not executed (vm.memfd_noexec). */
  path(path: string): string | undefined {
    if (this.#fd === undefined || this.#of !== path) {
      let fd: number;
      try {
        fd = sealedProgram('berth-no-input', emptyInputProgram(path, this.#terminal));
      } catch (error) {
        if (isErrno(error, 'EACCES', 'EPERM')) return undefined;
        throw error;
      }
      this.close();
      this.#fd = fd;
      this.#of = path;
    }
    return `/proc/${process.pid}/fd/${this.#fd}`;
  }

  close(): void {
    if (this.#fd !== undefined) closeFd(this.#fd);
    this.#fd = undefined;
  }
}
