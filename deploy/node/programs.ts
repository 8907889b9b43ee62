import { closeSync, openSync, statSync } from 'node:fs';
import { Fault } from '../../ground/fault.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { CLONE, returning, setns, unshare } from '../../native/namespaces.ts';
import { collect, type Start } from '../../native/run.ts';
import { findExecutable, spawn } from '../../native/spawn.ts';
import { unmountBelow } from './host-mounts.ts';

export interface ProgramResult {
  code: number;
  stdout: string;
  stderr: string;
  /** Its time was over. */
  late: boolean;
}

/** Runs the node's own programs, as if from a shell on the node. */
export interface HostPrograms {
  /** Rejects with Fault `precondition` when the node has no such program. `timeoutMs` is its time. */
  run(argv: string[], timeoutMs: number): Promise<ProgramResult>;
  /** Unmounts all at and below paths of the node. Rejects with Fault `precondition` when something is in use. */
  unmountBelow(paths: string[]): Promise<void>;
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Programs of the node whose `/` is at `root`. For another root than `/` they run in the mount and network namespaces
 * of process 1, which needs the node's processes in sight (hostPID) and CAP_SYS_ADMIN, but no program of ours: the
 * thread enters, starts the child, and comes back. Throws Fault `precondition` when process 1 has another root.
 */
export async function hostPrograms(root: string): Promise<HostPrograms & AsyncDisposable> {
  const entering = root === '/' ? undefined : namespacesOfInit(root);
  const exits = await ExitWatcher.start();
  const run: HostPrograms['run'] = async (argv, timeoutMs) => {
    const start: Start = async (stdin, stdout, stderr) => {
      const pid = startIn(entering, argv, [stdin, stdout, stderr]);
      return { exited: exits.watch(pid), kill: () => killGroup(pid) };
    };
    const result = await collect({ timeoutMs }, start);
    return {
      code: result.code,
      stdout: result.stdout.toString(),
      stderr: result.stderr.toString(),
      late: result.killed === 'timeout',
    };
  };
  return {
    run,
    unmountBelow: (paths) => unmountBelow(run, root, paths),
    async [Symbol.asyncDispose]() {
      for (const fd of entering ?? []) closeSync(fd);
      await exits.close();
    },
  };
}

const NAMESPACES = ['mnt', 'net'] as const;

function namespacesOfInit(root: string): number[] {
  const init = statSync('/proc/1/root/', { throwIfNoEntry: false });
  const host = statSync(root);
  if (init === undefined || init.dev !== host.dev || init.ino !== host.ino)
    throw new Fault('precondition', `${root} is not the / of process 1`, {
      hint: "the pod has to share the node's processes (hostPID: true) and to mount the node's / there",
    });
  return NAMESPACES.map((kind) => openSync(`/proc/1/ns/${kind}`, 'r'));
}

function startIn(entering: number[] | undefined, argv: string[], fds: number[]): number {
  const start = (): number => {
    const path = findExecutable(argv[0]!, PATH);
    if (path === undefined)
      throw new Fault('precondition', `The node has no ${argv[0]}`, { hint: `install it on the node` });
    return spawn({ path, argv, fds, cwd: '/', env: [`PATH=${PATH}`, 'LC_ALL=C'], setpgroup: true });
  };
  if (entering === undefined) return start();
  return returning(NAMESPACES, () => {
    // The kernel lets only a thread with a root of its own enter a mount namespace.
    unshare(CLONE.FS);
    const [mnt, net] = entering as [number, number];
    setns(mnt, CLONE.NEWNS);
    setns(net, CLONE.NEWNET);
    return start();
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
