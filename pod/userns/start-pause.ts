import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { Fault } from '../../ground/fault.ts';
import { E, ErrnoError } from '../../native/errno.ts';
import { closeFd, OwnedFd, sealedProgram, socketpair, waitReadable } from '../../native/fd.ts';
import { bindMount } from '../../native/mount.ts';
import { pidfdOpen, pidfdSignal } from '../../native/pidfd.ts';
import { SIG } from '../../native/signals.ts';
import { spawn } from '../../native/spawn.ts';
import { reap } from '../../native/wait.ts';
import { readReport, REPORT_SIZE } from '../exec/interpreter.ts';
import { PAUSE_STEPS } from '../pause/build.ts';
import { PAUSE_NAME } from '../pause/name.ts';
import type { PauseRoom } from '../pause/room.ts';
import type { SandboxRequest } from '../sandbox-maker.ts';
import { sysctlFault } from '../sandbox-sysctl.ts';
import { mapIds } from './map-ids.ts';
import { SANDBOX_FD, sandboxEntry, type SandboxEntry } from './sandbox-entry.ts';

/** How long one step of the program may take. All of them take two milliseconds on an idle machine. */
const STEP_TIMEOUT_MS = 10_000;

/**
 * Starts pause in a new user namespace and new namespaces that belong to it (`sandbox-entry.ts`), pins the network
 * namespace, and returns the pid when pause has given up its powers. Synchronous, for the thread that makes sandboxes,
 * which stays in its own namespaces. When it throws nothing is left but perhaps the pin's file.
 */
export function startPauseInUserNamespace(request: SandboxRequest, room: PauseRoom): number {
  const entry = sandboxEntry(request);
  using held = new DisposableStack();
  const program = held.use(new OwnedFd(sealedProgram(PAUSE_NAME, entry.list.program())));
  const [ours, theirs] = socketpair();
  const report = held.use(new OwnedFd(ours)).fd;
  const theirReport = held.use(new OwnedFd(theirs));
  const outer = spawn({
    path: `/proc/self/fd/${SANDBOX_FD.program}`,
    // By this a crash's successor finds what it left.
    argv: [`/${PAUSE_NAME}`, request.id],
    env: [],
    fds: [room.devNull, room.devNull, room.devNull, theirReport.fd, program.fd, room.namespace],
  });
  using undo = new DisposableStack();
  undo.defer(() => end(outer));
  theirReport.close();
  expectReport(entry, report);
  mapIds(outer, request.userns!);
  proceed(report);
  const pid = expectReport(entry, report);
  undo.defer(() => end(pid));
  if (request.netnsPin !== undefined) {
    closeSync(openSync(request.netnsPin, 'a', 0o444));
    bindMount(`/proc/${pid}/ns/net`, request.netnsPin);
  }
  proceed(report);
  const last = hear(report);
  if (last.length === 1) {
    throw new Fault('internal', `Pause could not ${PAUSE_STEPS[last[0]! - 1] ?? `take step ${last[0]}`}`);
  }
  if (last.length > 0) throw faultOf(entry, last);
  undo.move();
  // It has ended long since.
  end(outer);
  return pid;
}

/** The pid in a report; 0 in the empty one. Throws the failure that it tells of. */
function expectReport(entry: SandboxEntry, fd: number): number {
  const bytes = hear(fd);
  if (bytes.length < REPORT_SIZE) throw new Fault('internal', 'The program that makes a pod ended at once');
  const report = readReport(bytes, entry.list.dataSize);
  if (report.kind === 'failed') throw faultOf(entry, bytes);
  return report.pid;
}

function hear(fd: number): Buffer {
  if (!waitReadable(fd, STEP_TIMEOUT_MS)) throw new Fault('internal', 'Pause did not start in time');
  const bytes = Buffer.alloc(REPORT_SIZE);
  return bytes.subarray(0, readSync(fd, bytes));
}

function proceed(fd: number): void {
  writeSync(fd, Buffer.alloc(1));
}

function faultOf({ list, sysctls }: SandboxEntry, bytes: Buffer): Fault {
  const report = readReport(bytes, list.dataSize);
  if (report.kind !== 'failed') return new Fault('internal', 'The program that makes a pod said too much');
  const sysctl = sysctls.get(report.call);
  const error = new ErrnoError(list.calls[report.call]?.what ?? 'execute pause', report.errno);
  if (sysctl !== undefined) return sysctlFault(sysctl.name, sysctl.value, error);
  if (![E.ENOSPC, E.EAGAIN].includes(report.errno)) return new Fault('internal', error.message);
  return new Fault('exhausted', error.message, {
    hint: 'look at the limits in /proc/sys/user and at the number of processes',
  });
}

/** Ends a child of this process and waits until it is gone. One that somebody else has reaped is gone already. */
function end(pid: number): void {
  if (reap(pid) !== 'running') return;
  const pidfd = pidfdOpen(pid);
  try {
    pidfdSignal(pidfd, SIG.SIGKILL);
    waitReadable(pidfd, STEP_TIMEOUT_MS);
    reap(pid);
  } finally {
    closeFd(pidfd);
  }
}
