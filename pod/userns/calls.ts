import { CLONE } from '../../native/namespaces.ts';
import type { CallList } from '../exec/call-list.ts';
import { REPORT_FD, REPORT_SIZE } from '../exec/interpreter.ts';

/** Numbers of x86-64, from asm/unistd_64.h. */
const SYS = { read: 0, write: 1, unshare: 272 };

/**
 * Programs that stand in a new user namespace are made of system calls (`exec/interpreter.ts`): only a process of one
 * thread can make one (unshare(2)), so the daemon cannot. This is how each of them begins: it makes the namespace, says
 * so with an empty report, and waits until the daemon has mapped its ids.
 */
export function enterNewUserNamespace(list: CallList): void {
  list.add('must', 'make a user namespace', SYS.unshare, CLONE.NEWUSER);
  const empty = list.bytes(new Uint8Array(REPORT_SIZE));
  list.add('must', 'say that it has a user namespace', SYS.write, REPORT_FD, empty, REPORT_SIZE);
  waitForDaemon(list);
}

/** Ends the program when the daemon is gone. */
export function waitForDaemon(list: CallList): void {
  list.add('gate', 'wait for the daemon', SYS.read, REPORT_FD, 0, 1);
}
