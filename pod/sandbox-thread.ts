import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { Fault, messageOf } from '../ground/fault.ts';
import { isErrno } from '../native/errno.ts';
import { closeFd, O, openPath, OwnedFd, pipe2, waitReadable } from '../native/fd.ts';
import { bindMount } from '../native/mount.ts';
import { CLONE, isNsfs, removePin, returnTo, setHostname, setns, unshare } from '../native/namespaces.ts';
import { pidfdOpen } from '../native/pidfd.ts';
import { SIG } from '../native/signals.ts';
import { spawn } from '../native/spawn.ts';
import { reap } from '../native/wait.ts';
import { inCgroup } from './cgroup/membership.ts';
import { makePodCgroup } from './cgroup/pod-cgroup.ts';
import { PAUSE_STEPS } from './pause/build.ts';
import { PAUSE_NAME } from './pause/name.ts';
import { makePauseRoom, type PauseRoom } from './pause/room.ts';
import type { SandboxRequest } from './sandbox-maker.ts';
import { sysctlFault, sysctlFile } from './sandbox-sysctl.ts';
import { loopbackUp, SpareNamespaces } from './spare-namespaces.ts';
import { startPauseInUserNamespace } from './userns/start-pause.ts';

/** How long pause may take to give up its powers. It takes less than a millisecond on an idle machine. */
const START_TIMEOUT_MS = 10_000;

const KINDS = ['net', 'ipc', 'uts', 'pid', 'mnt'] as const;
type Kind = (typeof KINDS)[number];

/**
 * The thread that makes sandboxes. Namespaces belong to a thread, and a child is born in those of the thread that
 * spawns it, so:
 *
 * ```
 * unshare net, uts, ipc (or enter the spare ones), lo -> hostname, sysctls -> pin the net namespace (still in the daemon's mount namespace)
 *   -> make and enter the pod's cgroup -> unshare pid -> enter the pause room -> unshare mount -> spawn pause
 *   -> return to every own namespace -> leave the cgroup
 * ```
 *
 * A thread of several cannot make a user namespace: for a pod that has one a child does all of this
 * (`userns/sandbox-entry.ts`).
 *
 * All of it is synchronous: nothing else ever runs on this thread while it is away from home. Nothing here may use
 * libuv's thread pool, whose threads would be born in a pod.
 */
export class SandboxThread {
  /** File descriptors of the thread's own namespaces: the way home. */
  readonly #home: Record<Kind, number>;
  readonly #room: PauseRoom;
  readonly #spare = new SpareNamespaces();

  constructor() {
    const open = (kind: Kind): number => openPath(`/proc/thread-self/ns/${kind}`, O.RDONLY);
    this.#home = { net: open('net'), ipc: open('ipc'), uts: open('uts'), pid: open('pid'), mnt: open('mnt') };
    this.#room = makePauseRoom(this.#home.mnt);
  }

  /**
   * Makes the namespaces, the pin, the cgroup and pause; the pid of pause. `pinned` is called as soon as there is a pin.
   * When it fails nothing is left of them but the cgroup.
   * Throws Fault: `invalid` for a sysctl that cannot be set, `exhausted` at the kernel's limit of namespaces or
   * processes, `internal` for all else.
   */
  make(request: SandboxRequest, pinned: () => void = () => undefined): number {
    const { netnsPin } = request;
    if (netnsPin !== undefined && isNsfs(netnsPin))
      throw new Fault('exists', `The pin ${netnsPin} already holds a namespace`);
    try {
      if (request.userns !== undefined)
        return enteringCgroup(request, () => startPauseInUserNamespace(request, this.#room));
      return this.#away(() => {
        this.#furnish(request);
        if (netnsPin !== undefined) pinned();
        // Its files are out of sight from the pause room: it is entered before that, and left after coming back.
        return enteringCgroup(request, () => this.#away(() => this.#startPause(request)));
      });
    } catch (error) {
      if (netnsPin !== undefined) removePin(netnsPin);
      throw error instanceof Fault ? error : kernelFault(error);
    }
  }

  /** Makes the namespaces of the next pod ahead, unless they are there. */
  prepareNext(): void {
    if (!this.#spare.there) this.#away(() => this.#spare.make());
  }

  /** Closes what the thread holds open. Sandboxes live on. */
  close(): void {
    this.#spare.close();
    for (const fd of [...Object.values(this.#home), this.#room.namespace, this.#room.devNull]) closeFd(fd);
  }

  #away<T>(work: () => T): T {
    try {
      return work();
    } finally {
      // Joining a namespace in which the thread already is does nothing.
      for (const kind of KINDS) returnTo(kind, this.#home[kind]);
    }
  }

  #startPause({ id, namespaces }: SandboxRequest): number {
    if (namespaces.pid) unshare(CLONE.NEWPID);
    setns(this.#room.namespace, CLONE.NEWNS);
    unshare(CLONE.NEWNS);
    return startPause(id, this.#room.devNull);
  }

  /** The namespaces but that of PIDs, and the pin. */
  #furnish({ namespaces, hostname, sysctls, netnsPin }: SandboxRequest): void {
    const { net, ipc } = namespaces;
    if (!(net && ipc && this.#spare.enter())) {
      const flags = (net ? CLONE.NEWNET | CLONE.NEWUTS : 0) | (ipc ? CLONE.NEWIPC : 0);
      if (flags !== 0) unshare(flags);
      if (net) loopbackUp();
    }
    if (net) setHostname(hostname);
    for (const [name, value] of Object.entries(sysctls)) setSysctl(name, value);
    if (net && netnsPin !== undefined) {
      closeSync(openSync(netnsPin, 'a', 0o444));
      bindMount('/proc/thread-self/ns/net', netnsPin);
    }
  }
}

/** Makes the pod's cgroup, and does `work` in it where a thread can be in one of its own. */
function enteringCgroup<T>({ cgroup }: SandboxRequest, work: () => T): T {
  if (cgroup === undefined) return work();
  makePodCgroup(cgroup);
  return inCgroup(cgroup.join, work).result;
}

/** /proc/sys shows the namespaces of the thread that writes. */
function setSysctl(name: string, value: string): void {
  try {
    using file = new OwnedFd(openPath(sysctlFile(name), O.WRONLY));
    writeSync(file.fd, value);
  } catch (error) {
    throw sysctlFault(name, value, error);
  }
}

/** Starts pause and waits until it has given up its powers. */
function startPause(id: string, devNull: number): number {
  const [report, theirReport] = pipe2();
  try {
    let pid: number;
    try {
      const path = `/${PAUSE_NAME}`;
      pid = spawn({
        path,
        argv: [path, id],
        env: [],
        fds: [devNull, devNull, devNull, theirReport],
        setsid: true,
      });
    } finally {
      closeFd(theirReport);
    }
    const trouble = troubleOf(report);
    if (trouble === undefined) return pid;
    end(pid);
    throw new Fault('internal', trouble);
  } finally {
    closeFd(report);
  }
}

/** Pause closes its report without a word when it is ready; else it writes the number of the step that failed. */
function troubleOf(report: number): string | undefined {
  if (!waitReadable(report, START_TIMEOUT_MS)) return 'Pause did not start in time';
  const byte = Buffer.alloc(1);
  if (readSync(report, byte) === 0) return undefined;
  return `Pause could not ${PAUSE_STEPS[byte[0]! - 1] ?? `take step ${byte[0]}`}`;
}

function end(pid: number): void {
  const pidfd = pidfdOpen(pid);
  try {
    process.kill(pid, SIG.SIGKILL);
    waitReadable(pidfd, START_TIMEOUT_MS);
    reap(pid);
  } finally {
    closeFd(pidfd);
  }
}

function kernelFault(error: unknown): Fault {
  if (!isErrno(error, 'ENOSPC', 'EAGAIN', 'ENFILE', 'EMFILE', 'EUSERS'))
    return new Fault('internal', messageOf(error));
  return new Fault('exhausted', messageOf(error), {
    hint: 'look at the limits in /proc/sys/user and at the number of processes',
  });
}
