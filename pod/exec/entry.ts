import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostIdOf, type IdMappings } from '../../native/id-mapping.ts';
import { CLONE } from '../../native/namespaces.ts';
import { DEFAULT_PATH } from '../../native/spawn.ts';
import {
  controllerDirectory,
  cgroupDirectories,
  nodeHierarchy,
  type CgroupHierarchy,
} from '../cgroup/hierarchy.ts';
import { CAPABILITIES } from '../spec/capabilities.ts';
import type { OciCapabilities, OciProcess } from '../spec/oci-spec.ts';
import { rlimitNumber } from '../spec/rlimits.ts';
import { CallList } from './call-list.ts';
import { PIDS_FD, REPORT_FD, STATUS_FD } from './interpreter.ts';

/**
 * The entry: the program that takes a command into a running container. It is three processes after each other, of
 * which the second stays as long as anything lives that came from the command:
 *
 * ```
 * outer (born beside the daemon): undumpable -> own session keyring -> the container's cgroup (v1) -> oom_score_adj
 *        -> AppArmor profile -> all of the container's namespaces at once -> let go of everything
 *        -> fork a sibling (v2: into the container's cgroup), report its pid, end
 * supervisor (born in the container, without power or files): waits for all that comes from its child, the inner
 * inner: pids cgroup (v1) -> nothing open but the standard streams and the report
 *        -> session, terminal, cwd, umask, groups -> bounding set, user, capabilities -> wait until the daemon watches
 *        -> system call filter -> execve
 * ```
 *
 * What keeps the container's processes away from it while it has more power than they:
 *
 * - Until the fork it is not in the container's PID namespace, so no /proc of the container shows it. The daemon itself
 *   never enters anything: neither its threads nor a child that still shares its memory are ever seen from inside.
 * - It is undumpable from the first call on: without CAP_SYS_PTRACE in the node's user namespace nobody may trace it,
 *   read its memory or its files under /proc (ptrace(2), PTRACE_MODE_READ). A container that was given that capability,
 *   or the node's PID namespace, is as close to the node with any runtime.
 * - A tracer needs every capability that it has, too (the same page): also a process of the same user has fewer.
 * - Its executable is a sealed memfd: nobody can write to it through /proc/<pid>/exe, which is how a container took
 *   over its runtime in CVE-2019-5736. It holds the command, the environment and the filter of this very container.
 * - On v2 it is the supervisor that joins the cgroup namespace, by its second call, with a descriptor of the container's
 *   first process, which it closes then, as that of the container's cgroup.
 * - When the inner process begins nothing of the node is open but its standard streams, the report (a socket) and the
 *   one file that moves it into the pids cgroup, which it closes with its second call. The current directory is the
 *   container's root by the change of the mount namespace; `cwd` is resolved only after everything is closed, so no
 *   /proc/self/fd/<n> leads out (CVE-2024-21626).
 * - The capabilities that nobody asked for are gone before it waits. CAP_SYS_ADMIN stays until the filter is in place
 *   where no_new_privs is not set, because the kernel asks for one of the two.
 */
export interface EntryOrder {
  /** The container's process with the command as `args`. Strings hold no NUL. */
  process: OciProcess;
  /** `struct sock_filter` after `struct sock_filter`, for a container with a system call filter. */
  filter: Buffer | undefined;
  cgroupPath: string;
  containerId: string;
  /**
   * The command gets a terminal of the container's own as standard input, output and error, and as the controlling
   * terminal of its session. Its master is sent over the socket that the entry was given as standard streams.
   */
  terminal: boolean;
  /** The ids of the container's user namespace, when it has one of its own. */
  userns?: IdMappings;
}

/** File descriptors that the entry is started with; 0 to 2 are the command's own. */
export const ENTRY_FD = { report: REPORT_FD, program: 4, container: 5, status: STATUS_FD } as const;

/** Numbers of x86-64, from asm/unistd_64.h. */
const SYS = {
  read: 0,
  write: 1,
  open: 2,
  close: 3,
  ioctl: 16,
  dup2: 33,
  sendmsg: 46,
  clone: 56,
  execve: 59,
  fcntl: 72,
  chdir: 80,
  fchown: 93,
  umask: 95,
  setsid: 112,
  setgroups: 116,
  setresuid: 117,
  setresgid: 119,
  capset: 126,
  prctl: 157,
  keyctl: 250,
  prlimit64: 302,
  setns: 308,
  seccomp: 317,
  clone3: 435,
  close_range: 436,
};
const PR = {
  SET_DUMPABLE: 4,
  SET_KEEPCAPS: 8,
  SET_NAME: 15,
  SET_CHILD_SUBREAPER: 36,
  CAPBSET_DROP: 24,
  SET_NO_NEW_PRIVS: 38,
  CAP_AMBIENT: 47,
};
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const LINUX_CAPABILITY_VERSION_3 = 0x20080522;
const SECCOMP_SET_MODE_FILTER = 1;
const KEYCTL_JOIN_SESSION_KEYRING = 1;
const O_WRONLY = 1;
const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_PATH_DIRECTORY = 0o10200000;
const F_SETFD = 2;
const FD_CLOEXEC = 1;
const SIGCHLD = 17;
const CLONE_PARENT = 0x8000;
const CLONE_INTO_CGROUP = 1n << 33n;
/** struct clone_args as of 5.7, and its last member. */
const CLONE_ARGS_SIZE = 88;
const CLONE_ARGS_CGROUP = 80;
/** On v2 the directory of its cgroup: the lowest number that is free, which is that of the pids file on v1. */
const CGROUP_FD = PIDS_FD;
const INSTRUCTION_SIZE = 8;
const UMASK = 0o022;
const EVERYTHING = 0xffffffff;

const ALL_NAMESPACES =
  CLONE.NEWNS | CLONE.NEWCGROUP | CLONE.NEWUTS | CLONE.NEWIPC | CLONE.NEWPID | CLONE.NEWNET;

/** ioctl_tty(2). */
const TIOC = { SCTTY: 0x540e, SPTLCK: 0x40045431, GPTPEER: 0x5441 };
/** The descriptors of a terminal while it is made: the lowest that are free then. */
const MASTER_FD = REPORT_FD + 1;
const SLAVE_FD = REPORT_FD + 2;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
/** For fchown(2): leave it as it is. The group of a terminal is that of its file system (devpts, `gid=`). */
const SAME = 0xffffffff;

/** What the entry does for this order. */
export function entryCalls(order: EntryOrder, hierarchy: CgroupHierarchy = nodeHierarchy()): CallList {
  const list = new CallList();
  outside(list, order, hierarchy);
  enter(list, order, hierarchy);
  inside(list, order);
  run(list, order.process);
  return list;
}

/** What is done while the node's files are in sight. */
function outside(
  list: CallList,
  { process, cgroupPath, containerId, userns, terminal }: EntryOrder,
  hierarchy: CgroupHierarchy,
): void {
  list.add('must', 'become undumpable', SYS.prctl, PR.SET_DUMPABLE, 0, 0, 0, 0);
  list.add('must', 'close the report', SYS.fcntl, ENTRY_FD.report, F_SETFD, FD_CLOEXEC);
  list.add('try', 'take a name', SYS.prctl, PR.SET_NAME, list.text('berth-exec'), 0, 0, 0);
  // Else it would have the keys of the daemon's session. runc's name: there the container's keyring itself is found.
  const keyring = list.text(`_ses.${containerId}`);
  list.add('try', 'leave the session keyring', SYS.keyctl, KEYCTL_JOIN_SESSION_KEYRING, keyring);
  const unified = hierarchy.version === 2;
  const pids = pidsDirectory(cgroupPath, hierarchy);
  const self = list.text('0');
  // The kernel takes the lowest free number for what is opened (open(2)).
  let file = PIDS_FD;
  if (pids !== undefined) {
    // Used after the fork: a container that is at its limit can then still be looked into, as a process may be moved
    // where none may be born (cgroups v1, pids).
    list.add('must', 'open its pids cgroup', SYS.open, list.text(join(pids, 'tasks')), O_WRONLY);
    file++;
  }
  if (unified) {
    const [directory] = cgroupDirectories(hierarchy, cgroupPath);
    list.add('must', 'open its cgroup', SYS.open, list.text(directory!), O_PATH_DIRECTORY);
    file++;
  }
  const write = (what: string, path: string, value: number, size: number): void => {
    list.add('must', what, SYS.open, list.text(path), O_WRONLY);
    list.add('must', what, SYS.write, file, value, size);
    list.add('must', what, SYS.close, file);
  };
  // A process of one thread that moves itself by `tasks` does not take the kernel's lock for all (see inCgroup).
  for (const directory of unified ? [] : cgroupDirectories(hierarchy, cgroupPath))
    if (directory !== pids) write('join its cgroup', join(directory, 'tasks'), self, 1);
  if (!terminal) ownOutput(list, process, userns);
  const score = String(process.oomScoreAdj);
  write('set oom_score_adj', '/proc/self/oom_score_adj', list.text(score), score.length);
  const { apparmorProfile } = process;
  if (apparmorProfile === undefined) return;
  // Counts at the next execve, the command's, and is inherited until then (apparmor(7), aa_change_onexec(2)). Inside,
  // /proc would be the container's.
  const change = `exec ${apparmorProfile}`;
  const size = Buffer.byteLength(change);
  write('take its AppArmor profile', '/proc/self/attr/apparmor/exec', list.text(change), size);
}

/** The directory of its pids cgroup, which it enters last; on v2 it is born in all of them. */
function pidsDirectory(cgroupPath: string, hierarchy: CgroupHierarchy): string | undefined {
  return hierarchy.version === 2 ? undefined : controllerDirectory(hierarchy, 'pids', cgroupPath);
}

/**
 * struct clone_args (clone(2)): a sibling that is born in the cgroup of v2 whose directory is open. A process that
 * moved there by itself would wait for every CPU of the machine (6 to 25 ms). Of siblings the exit signal is the parent's.
 */
function siblingInCgroup(): Buffer {
  const args = Buffer.alloc(CLONE_ARGS_SIZE);
  args.writeBigUInt64LE(CLONE_INTO_CGROUP | BigInt(CLONE_PARENT), 0);
  args.writeBigUInt64LE(BigInt(CGROUP_FD), CLONE_ARGS_CGROUP);
  return args;
}

/** So that /dev/stdout can be opened by whoever the command runs as. In a user namespace the node's root owns nothing. */
function ownOutput(list: CallList, { user }: OciProcess, userns: IdMappings | undefined): void {
  const uid = userns === undefined ? user.uid : (hostIdOf(userns.uids, user.uid) ?? SAME);
  const gid = userns === undefined ? user.gid : (hostIdOf(userns.gids, user.gid) ?? SAME);
  for (const stream of [1, 2]) list.add('must', 'own its output', SYS.fchown, stream, uid, gid);
}

/** From the node into the container. */
function enter(list: CallList, { cgroupPath, userns }: EntryOrder, hierarchy: CgroupHierarchy): void {
  // The user namespace is the node's own otherwise, and nobody can join that again (setns(2)).
  const namespaces = ALL_NAMESPACES | (userns === undefined ? 0 : CLONE.NEWUSER);
  list.add('must', 'close a file', SYS.close, ENTRY_FD.program);
  if (hierarchy.version === 2) {
    // Nobody may be born outside of his cgroup namespace (cgroup-v2.rst, nsdelegate): it is joined after that.
    const others = namespaces & ~CLONE.NEWCGROUP;
    list.add('must', 'join its namespaces', SYS.setns, ENTRY_FD.container, others);
    list.add('fork', 'be born in its cgroup', SYS.clone3, list.bytes(siblingInCgroup()), CLONE_ARGS_SIZE);
    list.add('must', 'join its cgroup namespace', SYS.setns, ENTRY_FD.container, CLONE.NEWCGROUP);
    for (const fd of [ENTRY_FD.container, CGROUP_FD]) list.add('must', 'close a file', SYS.close, fd);
  } else {
    list.add('must', 'join its namespaces', SYS.setns, ENTRY_FD.container, namespaces);
    list.add('must', 'close a file', SYS.close, ENTRY_FD.container);
    // A sibling: the daemon is the parent that waits for it.
    list.add('fork', 'fork', SYS.clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  }
  // Whatever comes from the command stays below the supervisor, and leaves no zombie to a first process that waits
  // for nobody. It has no power any more and no files, and is undumpable as the rest.
  list.add('must', 'adopt orphans', SYS.prctl, PR.SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  list.add('must', 'leave the session', SYS.setsid);
  list.add('supervise', 'fork', SYS.clone, SIGCHLD, 0, 0, 0, 0);
  if (pidsDirectory(cgroupPath, hierarchy) !== undefined)
    list.add('must', 'join its pids cgroup', SYS.write, PIDS_FD, list.text('0'), 1);
  list.add('must', 'close all files', SYS.close_range, ENTRY_FD.report + 1, EVERYTHING, 0);
}

/** Everything that makes a process one of the container's; the order is crun's wherever it matters. */
function inside(list: CallList, { process, filter, terminal, userns }: EntryOrder): void {
  const { user, capabilities } = process;
  for (const { type, soft, hard } of process.rlimits ?? []) {
    const limit = list.bytes(new Uint8Array(new BigUint64Array([BigInt(soft), BigInt(hard)]).buffer));
    list.add('must', `set ${type}`, SYS.prlimit64, 0, rlimitNumber(type), limit, 0);
  }
  list.add('must', 'lead a session', SYS.setsid);
  if (userns !== undefined) {
    // The node's root is nobody here, and could not own a terminal.
    list.add('must', 'become root of its user namespace', SYS.setresgid, 0, 0, 0);
    list.add('must', 'become root of its user namespace', SYS.setresuid, 0, 0, 0);
  }
  if (terminal) makeTerminal(list, user.uid);
  list.add('must', `change to the directory ${process.cwd}`, SYS.chdir, list.text(process.cwd));
  list.add('must', 'set the umask', SYS.umask, UMASK);
  const groups = user.additionalGids ?? [];
  list.add('must', 'set its groups', SYS.setgroups, groups.length, list.words(...groups));
  for (let capability = 0; capability <= lastCapability(); capability++) {
    if (!capabilities.bounding.includes(CAPABILITIES[capability] ?? ''))
      list.add('must', 'shrink the bounding set', SYS.prctl, PR.CAPBSET_DROP, capability, 0, 0, 0);
  }
  list.add('must', 'keep capabilities', SYS.prctl, PR.SET_KEEPCAPS, 1, 0, 0, 0);
  list.add('must', 'become its group', SYS.setresgid, user.gid, user.gid, user.gid);
  list.add('must', 'become its user', SYS.setresuid, user.uid, user.uid, user.uid);
  const last = (): void => setCapabilities(list, capabilities, capabilities.permitted);
  const early = process.noNewPrivileges || filter === undefined;
  if (early) last();
  else setCapabilities(list, capabilities, [...capabilities.permitted, 'CAP_SYS_ADMIN']);
  if (process.noNewPrivileges)
    list.add('must', 'set no_new_privs', SYS.prctl, PR.SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  list.add('gate', 'wait for the daemon', SYS.read, REPORT_FD, 0, 1);
  if (filter !== undefined) {
    // struct sock_fprog: u16 length, padding, pointer.
    const program = list.words(filter.length / INSTRUCTION_SIZE, 0, list.bytes(filter), 0);
    list.add('must', 'install the system call filter', SYS.seccomp, SECCOMP_SET_MODE_FILTER, 0, program);
  }
  if (!early) last();
}

/**
 * A terminal of the container's devpts: what the command finds below its own /dev/pts. TIOCGPTPEER opens the slave of
 * this very master, whatever the container has put at its path. The daemon looks whether what it gets is a master.
 */
function makeTerminal(list: CallList, uid: number): void {
  const what = 'make a terminal';
  list.add('must', what, SYS.open, list.text('/dev/pts/ptmx'), O_RDWR | O_NOCTTY);
  list.add('must', what, SYS.ioctl, MASTER_FD, TIOC.SPTLCK, list.words(0));
  list.add('must', what, SYS.ioctl, MASTER_FD, TIOC.GPTPEER, O_RDWR | O_NOCTTY);
  list.add('must', 'hand over the terminal', SYS.sendmsg, 0, list.bytes(messageWith(list, MASTER_FD)), 0);
  for (const stream of [0, 1, 2]) list.add('must', 'use the terminal', SYS.dup2, SLAVE_FD, stream);
  for (const fd of [MASTER_FD, SLAVE_FD]) list.add('must', 'close a file', SYS.close, fd);
  list.add('must', 'control the terminal', SYS.ioctl, 0, TIOC.SCTTY, 0);
  list.add('must', 'own the terminal', SYS.fchown, 0, uid, SAME);
}

/** struct msghdr of one byte and one descriptor (unix(7), SCM_RIGHTS). */
function messageWith(list: CallList, fd: number): Buffer {
  const control = Buffer.alloc(24);
  control.writeUInt32LE(20, 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(fd, 16);
  const vector = Buffer.alloc(16);
  vector.writeUInt32LE(list.bytes(Buffer.alloc(1)), 0);
  vector.writeUInt32LE(1, 8);
  const header = Buffer.alloc(56);
  header.writeUInt32LE(list.bytes(vector), 16);
  header.writeUInt32LE(1, 24);
  header.writeUInt32LE(list.bytes(control), 32);
  header.writeUInt32LE(control.length, 40);
  return header;
}

let highest: number | undefined;

/** The highest capability that the kernel knows. */
function lastCapability(): number {
  highest ??= Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'latin1'));
  return highest;
}

/** execve of each place where the command may be; the environment and the arguments as they were given. */
function run(list: CallList, { args, env }: OciProcess): void {
  const argv = list.texts(args);
  const envp = list.texts(env);
  for (const place of candidates(args[0]!, env))
    list.add('exec', `execute ${place}`, SYS.execve, list.text(place), argv, envp);
}

/**
 * Where a command may be, as execvp(3) looks for it: in the container's own PATH, unless it names a path. An empty
 * entry of PATH means the current directory; an empty command is nowhere.
 */
export function candidates(command: string, env: readonly string[]): string[] {
  if (command === '') return [];
  if (command.includes('/')) return [command];
  const path = env.findLast((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? DEFAULT_PATH;
  return path.split(':').map((directory) => (directory === '' ? `./${command}` : `${directory}/${command}`));
}

function setCapabilities(list: CallList, sets: OciCapabilities, permitted: readonly string[]): void {
  const effective = permitted === sets.permitted ? sets.effective : permitted;
  const masks = [effective, permitted, sets.inheritable].map(maskOf);
  const data = [0n, 32n].flatMap((half) => masks.map((mask) => Number((mask >> half) & 0xffffffffn)));
  // struct __user_cap_header_struct: version, pid 0 (self); then two struct __user_cap_data_struct.
  const header = list.words(LINUX_CAPABILITY_VERSION_3, 0);
  list.add('must', 'set its capabilities', SYS.capset, header, list.words(...data));
  if (permitted !== sets.permitted) return;
  list.add('must', 'set its capabilities', SYS.prctl, PR.CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (const name of sets.ambient) {
    const raise = [PR.CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAPABILITIES.indexOf(name), 0, 0];
    list.add('must', 'set its capabilities', SYS.prctl, ...raise);
  }
}

function maskOf(names: readonly string[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(CAPABILITIES.indexOf(name))), 0n);
}
