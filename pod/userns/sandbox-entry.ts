import { CLONE } from '../../native/namespaces.ts';
import { CallList } from '../exec/call-list.ts';
import { REPORT_FD } from '../exec/interpreter.ts';
import { PAUSE_NAME } from '../pause/name.ts';
import type { SandboxRequest } from '../sandbox-maker.ts';
import { sysctlFile } from '../sandbox-sysctl.ts';
import { enterNewUserNamespace, waitForDaemon } from './calls.ts';

/**
 * The program that makes a pod with a user namespace. Every other namespace has to be made from inside, so that it
 * belongs to the user namespace and the pod's root may use it. It is two processes after each other:
 *
 * ```
 * outer (born beside the daemon): hold /proc/sys -> the pause room -> new user namespace, ids mapped by the daemon
 *        -> its root -> mount, net, uts, ipc, pid namespaces -> lo, host name, sysctls -> fork a sibling, report it, end
 * inner: wait until the net namespace is pinned -> session -> nothing open but streams and report -> pause
 * ```
 *
 * Nothing of the pod runs before it is done, so it needs no protection from the pod.
 */
export interface SandboxEntry {
  list: CallList;
  /** Which call sets which sysctl: `calls[place]`. */
  sysctls: Map<number, { name: string; value: string }>;
}

/** File descriptors that the program is started with; 0 to 2 are /dev/null. */
export const SANDBOX_FD = { report: REPORT_FD, program: 4, room: 5 } as const;

/** Numbers of x86-64, from asm/unistd_64.h. */
const SYS = {
  write: 1,
  open: 2,
  close: 3,
  ioctl: 16,
  socket: 41,
  clone: 56,
  execve: 59,
  setsid: 112,
  setgroups: 116,
  setresuid: 117,
  setresgid: 119,
  sethostname: 170,
  setdomainname: 171,
  openat: 257,
  unshare: 272,
  setns: 308,
  close_range: 436,
};
const O_WRONLY = 1;
const O_PATH_DIRECTORY = 0o10200000;
const AF_INET = 2;
const SOCK_DGRAM = 2;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
/** struct ifreq: 16 bytes of name, then a union. */
const IFREQ_SIZE = 40;
const IFREQ_FLAGS = 16;
const SIGCHLD = 17;
const CLONE_PARENT = 0x8000;
const EVERYTHING = 0xffffffff;
/** The kernel takes the lowest free descriptor (open(2)). */
const PROC_SYS_FD = 6;
const FREE_FD = SANDBOX_FD.program;
const PROC_SYS = '/proc/sys/';

/** What is done for this pod. Throws `invalid` for what is no sysctl's name. */
export function sandboxEntry(request: SandboxRequest): SandboxEntry {
  const list = new CallList();
  const sysctls: SandboxEntry['sysctls'] = new Map();
  const { net, ipc, pid } = request.namespaces;
  // Behind the change of mounts there is no /proc; the namespaces of who opens a file below it decide what it is.
  list.add('must', 'hold /proc/sys', SYS.open, list.text(PROC_SYS), O_PATH_DIRECTORY);
  list.add('must', 'enter the room of pause', SYS.setns, SANDBOX_FD.room, CLONE.NEWNS);
  for (const fd of [SANDBOX_FD.program, SANDBOX_FD.room]) list.add('must', 'close a file', SYS.close, fd);
  enterNewUserNamespace(list);
  list.add('must', 'become root of its user namespace', SYS.setresgid, 0, 0, 0);
  list.add('must', 'become root of its user namespace', SYS.setresuid, 0, 0, 0);
  list.add('must', 'leave all groups', SYS.setgroups, 0, 0);
  const others =
    CLONE.NEWNS |
    (net ? CLONE.NEWNET | CLONE.NEWUTS : 0) |
    (ipc ? CLONE.NEWIPC : 0) |
    (pid ? CLONE.NEWPID : 0);
  list.add('must', 'make the namespaces', SYS.unshare, others);
  if (net) furnishNetwork(list, request.hostname);
  for (const [name, value] of Object.entries(request.sysctls)) {
    const from = list.calls.length;
    setSysctl(list, name, value);
    for (let place = from; place < list.calls.length; place++) sysctls.set(place, { name, value });
  }
  // A sibling: the daemon is the parent that waits for it.
  list.add('fork', 'fork', SYS.clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  waitForDaemon(list);
  list.add('must', 'lead a session', SYS.setsid);
  list.add('must', 'close all files', SYS.close_range, REPORT_FD + 1, EVERYTHING, 0);
  const path = `/${PAUSE_NAME}`;
  const argv = list.texts([path, request.id]);
  list.add('exec', 'execute pause', SYS.execve, list.text(path), argv, list.texts([]));
  return { list, sysctls };
}

function furnishNetwork(list: CallList, hostname: string): void {
  const loopbackUp = Buffer.alloc(IFREQ_SIZE);
  loopbackUp.write('lo', 'latin1');
  loopbackUp.writeUInt16LE(IFF_UP, IFREQ_FLAGS);
  const what = 'bring the loopback up';
  list.add('must', what, SYS.socket, AF_INET, SOCK_DGRAM, 0);
  list.add('must', what, SYS.ioctl, FREE_FD, SIOCSIFFLAGS, list.bytes(loopbackUp));
  list.add('must', what, SYS.close, FREE_FD);
  list.add('must', 'set the host name', SYS.sethostname, list.text(hostname), Buffer.byteLength(hostname));
}

function setSysctl(list: CallList, name: string, value: string): void {
  const what = `set the sysctl ${name}`;
  const size = Buffer.byteLength(value);
  const relative = sysctlFile(name).slice(PROC_SYS.length);
  if (relative === 'kernel/domainname') {
    // The one file of them that only the node's root may write.
    list.add('must', what, SYS.setdomainname, list.text(value), size);
    return;
  }
  list.add('must', what, SYS.openat, PROC_SYS_FD, list.text(relative), O_WRONLY);
  list.add('must', what, SYS.write, FREE_FD, list.text(value), size);
  list.add('must', what, SYS.close, FREE_FD);
}
