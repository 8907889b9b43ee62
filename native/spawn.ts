import { accessSync, constants, statSync } from 'node:fs';
import { Limit } from '../ground/limit.ts';
import { isErrno, E, ErrnoError } from './errno.ts';
import { O, openPath } from './fd.ts';
import { bind, bindInPool } from './libc.ts';

/**
 * Children by posix_spawn(3): no copy of this process' page tables, about 0.2 ms however large it is.
 * In the child every signal has its default action, none is blocked, and no file descriptor is open but the given.
 */
export interface SpawnOptions {
  /** Absolute, or a bare name that is looked up in PATH. */
  path: string;
  /** With argv[0]. */
  argv: string[];
  /** `K=V` each. The default is a minimal PATH: nothing is inherited. */
  env?: string[];
  cwd?: string;
  /** The child's file descriptor i is fds[i] of this process. The default is three times /dev/null. */
  fds?: number[];
  /** The child leads a session of its own. */
  setsid?: boolean;
  /** The child leads a process group of its own. */
  setpgroup?: boolean;
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const initActions = bind<[Buffer]>('int posix_spawn_file_actions_init(void *actions)');
const addDup2 = bind<[Buffer, number, number]>(
  'int posix_spawn_file_actions_adddup2(void *actions, int fd, int target)',
);
const addCloseFrom = bind<[Buffer, number]>(
  'int posix_spawn_file_actions_addclosefrom_np(void *actions, int from)',
);
const addChdir = bind<[Buffer, string]>(
  'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)',
);
const destroyActions = bind<[Buffer]>('int posix_spawn_file_actions_destroy(void *actions)');
const initAttributes = bind<[Buffer]>('int posix_spawnattr_init(void *attributes)');
const setFlags = bind<[Buffer, number]>('int posix_spawnattr_setflags(void *attributes, short flags)');
const setSigmask = bind<[Buffer, Buffer]>(
  'int posix_spawnattr_setsigmask(void *attributes, const void *set)',
);
const setSigdefault = bind<[Buffer, Buffer]>(
  'int posix_spawnattr_setsigdefault(void *attributes, const void *set)',
);
type SpawnArguments = [Buffer, string, Buffer, Buffer, (string | null)[], (string | null)[]];
const POSIX_SPAWN =
  'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)';
const posixSpawn = bind<SpawnArguments>(POSIX_SPAWN);
const posixSpawnInPool = bindInPool<SpawnArguments>(POSIX_SPAWN);

// Sizes and values of glibc's <spawn.h> on x86-64, with room to spare for the two opaque structures.
const ACTIONS_SIZE = 80;
const ATTRIBUTES_SIZE = 336;
const SIGSET_SIZE = 128;
const PID_SIZE = 4;
const SETPGROUP = 0x02;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;

/** The pool has a few threads, and others want some of them. */
const POOL = new Limit(2);

const NO_SIGNALS = Buffer.alloc(SIGSET_SIZE);
const ALL_SIGNALS = Buffer.alloc(SIGSET_SIZE, 0xff);

let devNull: number | undefined;

/** The one file descriptor of /dev/null that this thread hands to its children. */
export function devNullFd(): number {
  devNull ??= openPath('/dev/null', O.RDWR);
  return devNull;
}

/**
 * Starts a child and returns its pid. Somebody must wait for it: give it to `ExitWatcher.watch` in the same turn.
 * Works on any thread; the child is born in the namespaces of the calling thread, which waits (`spawnInPool` does not).
 * Throws ErrnoError: ENOENT when there is no such program, EINVAL when a string holds a NUL, E2BIG, EAGAIN, …
 */
export function spawn(options: SpawnOptions): number {
  using prepared = prepare(options);
  must(prepared.call, posixSpawn(...prepared.arguments));
  return prepared.pid();
}

/**
 * The same on a thread of Node's pool: whoever starts a child waits until that has become its program (vfork(2)), which
 * takes some milliseconds when the processors are busy. The child is born in the namespaces of the process. The file
 * descriptors have to stay open until this settles; rejects as `spawn` throws.
 */
export async function spawnInPool(options: SpawnOptions): Promise<number> {
  using prepared = prepare(options);
  must(prepared.call, await POOL.run(() => posixSpawnInPool(...prepared.arguments)));
  return prepared.pid();
}

interface Prepared extends Disposable {
  /** What is about to be done, for errors. */
  call: string;
  arguments: SpawnArguments;
  /** The child's pid after the call. */
  pid(): number;
}

function prepare(options: SpawnOptions): Prepared {
  const call = `spawn ${options.path}${options.cwd === undefined ? '' : ` in ${options.cwd}`}`;
  const path = options.path.includes('/') ? options.path : findExecutable(options.path);
  if (path === undefined) throw new ErrnoError(call, E.ENOENT, 'not found in PATH');
  const env = options.env ?? [`PATH=${DEFAULT_PATH}`];
  for (const text of [path, ...options.argv, ...env])
    if (text.includes('\0')) throw new ErrnoError(call, E.EINVAL, 'an argument holds a NUL byte');

  const attributes = Buffer.alloc(ATTRIBUTES_SIZE);
  must(call, initAttributes(attributes));
  const group = options.setsid === true ? SETSID : options.setpgroup === true ? SETPGROUP : 0;
  must(call, setFlags(attributes, SETSIGDEF | SETSIGMASK | group));
  must(call, setSigmask(attributes, NO_SIGNALS));
  must(call, setSigdefault(attributes, ALL_SIGNALS));

  const actions = Buffer.alloc(ACTIONS_SIZE);
  must(call, initActions(actions));
  using undo = new DisposableStack();
  undo.defer(() => destroyActions(actions));
  const fds = options.fds ?? [devNullFd(), devNullFd(), devNullFd()];
  for (const [from, to] of dupPlan(fds)) must(call, addDup2(actions, from, to));
  must(call, addCloseFrom(actions, fds.length));
  if (options.cwd !== undefined) must(call, addChdir(actions, options.cwd));
  const pid = Buffer.alloc(PID_SIZE);
  const made = undo.move();
  return {
    call,
    arguments: [pid, path, actions, attributes, [...options.argv, null], [...env, null]],
    pid: () => pid.readInt32LE(),
    [Symbol.dispose]: () => made.dispose(),
  };
}

/** These functions return the error number instead of setting errno. */
function must(call: string, errno: number): void {
  if (errno !== 0) throw new ErrnoError(call, errno);
}

/**
 * The dup2 steps that give the child fds[i] as its i. A source that a step would overwrite before it is needed is
 * first moved above everything; what stays up there is closed with the rest. (dup2 onto itself clears close-on-exec
 * in posix_spawn since glibc 2.29.)
 */
export function dupPlan(fds: readonly number[]): [from: number, to: number][] {
  let free = Math.max(fds.length, ...fds.map((fd) => fd + 1));
  const moved = new Map<number, number>();
  for (const [target, fd] of fds.entries())
    if (fd < fds.length && fd !== target && !moved.has(fd)) moved.set(fd, free++);
  const steps: [number, number][] = [...moved];
  for (const [target, fd] of fds.entries()) steps.push([fd === target ? fd : (moved.get(fd) ?? fd), target]);
  return steps;
}

/** Where a program stands: the first executable regular file of that name in PATH. */
export function findExecutable(name: string, path = process.env['PATH'] ?? DEFAULT_PATH): string | undefined {
  for (const directory of name.includes('/') ? [''] : path.split(':')) {
    const candidate = name.includes('/') ? name : `${directory}/${name}`;
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch (error) {
      if (!isErrno(error, 'ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP')) throw error;
    }
  }
  return undefined;
}
