import { Fault, messageOf } from '../ground/fault.ts';
import { inTime, waitOrAbort } from '../ground/wait.ts';
import type { ExitWatcher } from '../native/exits.ts';
import type { MountInfo } from '../native/mount.ts';
import { run, type RunResult } from '../native/run.ts';
import type { ContainerConfig, MountConfig } from './config.ts';

/** Longer than a file server that works at all takes to answer. */
const ANSWER_TIMEOUT_MS = 60_000;
const MAX_OUTPUT = 4 * 1024 * 1024;

/** Makes the directories that are not there, then says where all paths lead. `-e`: every part of them exists. */
const MAKE_AND_RESOLVE = `umask 022
for path; do [ -e "$path" ] || mkdir -p -- "$path" || exit 1; done
exec readlink -ez -- "$@"`;

/**
 * Where the sources of a container's mounts lead, by the path that the caller gave: symbolic links are resolved, and a
 * source that does not exist becomes an empty directory of mode 0755, as with the peers.
 *
 * The paths belong to the pod (a dead file server hangs whoever looks at them), so only children look. Throws `invalid`
 * for a source that cannot be made or resolved, `deadline` when one does not answer, and the signal's reason.
 */
export async function resolveMountSources(
  exits: ExitWatcher,
  config: Pick<ContainerConfig, 'mounts'>,
  signal?: AbortSignal,
): Promise<Map<string, string>> {
  const paths = [...new Set(config.mounts.map(({ hostPath }) => hostPath))].filter((path) => path !== '');
  if (paths.length === 0) return new Map();
  const resolved =
    (await ask(exits, ['readlink', '-ez', '--', ...paths], paths, signal)) ??
    (await ask(exits, ['sh', '-c', MAKE_AND_RESOLVE, 'sh', ...paths], paths, signal, true))!;
  return new Map(paths.map((path, index) => [path, resolved[index]!]));
}

/** undefined: at least one path does not exist, and that is no error yet. */
async function ask(
  exits: ExitWatcher,
  argv: string[],
  paths: string[],
  signal: AbortSignal | undefined,
  last = false,
): Promise<string[] | undefined> {
  const options = { argv, env: ['PATH=/usr/local/bin:/usr/bin:/bin', 'LC_ALL=C'], maxOutput: MAX_OUTPUT };
  let late = false;
  // Not only the child's own end: one that hangs in the kernel does not die when it is killed.
  const answered = async (either: AbortSignal): Promise<RunResult> => {
    either.addEventListener('abort', () => (late = true), { once: true });
    const child = run(exits, { ...options, path: argv[0]!, signal: either, drainMs: 0 });
    return waitOrAbort(child, either);
  };
  let result: RunResult;
  try {
    result = await inTime(ANSWER_TIMEOUT_MS, answered, signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (!late) throw error;
    throw new Fault('deadline', `The sources of its mounts do not answer (${paths.join(', ')})`, {
      hint: 'a file server behind one of them may be dead',
    });
  }
  const lines = result.stdout.toString().split('\0').slice(0, -1);
  if (result.code === 0 && lines.length === paths.length) return lines;
  if (!last) return undefined;
  const words = result.stderr.toString().trim().split('\n').at(-1) ?? '';
  throw new Fault('invalid', `The source of a mount cannot be made or found: ${words || paths.join(', ')}`, {
    hint: 'it has to exist on the node, or to be a place where a directory can be made',
  });
}

/**
 * Checks what the propagation of a mount needs of the node, as the peers do: only a source that lies on a shared mount
 * can send what the container mounts back (`bidirectional`), and only one on a shared or slave mount receives what the
 * node mounts later (`host-to-container`). `source` is resolved; `mounts` are those of the daemon's mount namespace.
 * Throws `precondition`. Source: mount_namespaces(7).
 */
export function checkPropagation(mount: MountConfig, source: string, mounts: MountInfo[]): void {
  if (mount.propagation === 'private') return;
  const home = mountOf(source, mounts);
  const shared = home?.propagation.some((tag) => tag.startsWith('shared:')) === true;
  const slave = home?.propagation.some((tag) => tag.startsWith('master:')) === true;
  if (shared || (slave && mount.propagation === 'host-to-container')) return;
  const wanted = mount.propagation === 'bidirectional' ? 'a shared mount' : 'a shared or slave mount';
  throw new Fault(
    'precondition',
    `The source ${source} of the mount at ${mount.containerPath} is on ${home?.target ?? 'no mount'}, which is not ${wanted}`,
    { hint: `mount --make-rshared ${home?.target ?? '/'} on the node allows it` },
  );
}

/** The mount that a path lies on: the last of those with the longest target above it. */
function mountOf(path: string, mounts: MountInfo[]): MountInfo | undefined {
  let best: MountInfo | undefined;
  for (const mount of mounts) {
    const above = mount.target === '/' || path === mount.target || path.startsWith(`${mount.target}/`);
    if (above && mount.target.length >= (best?.target.length ?? 0)) best = mount;
  }
  return best;
}

/**
 * Whether a failed create failed because a mount's source went away in the last moment, as a Fault that names it. The
 * daemon never looks at the sources: the OCI runtime does, in a child, and this reads its words.
 */
export function missingMountSource(config: ContainerConfig, error: unknown): Fault | undefined {
  const text = messageOf(error);
  if (!/No such file or directory|no such file or directory/.test(text)) return undefined;
  const missing = config.mounts.find(({ hostPath }) => hostPath !== '' && text.includes(hostPath));
  if (missing === undefined) return undefined;
  return new Fault(
    'invalid',
    `The source ${missing.hostPath} of the mount at ${missing.containerPath} does not exist`,
    { hint: 'create it on the node, or use a volume type that does', cause: error },
  );
}
