import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault, messageOf } from '../ground/fault.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { giveToRoot, idMapText, type IdMappings } from '../native/id-mapping.ts';
import { mounts } from '../native/mount.ts';
import { run } from '../native/run.ts';
import { findExecutable } from '../native/spawn.ts';
import { removeCgroup } from './cgroup/kill.ts';
import { containerCgroup, ociCgroupsPath } from './cgroup/paths.ts';
import { madeRecursiveReadOnly, RECURSIVE_PROBE, RECURSIVE_PROBE_MOUNT } from './handler-features.ts';
import type { OciRuntime } from './oci-runtime.ts';
import type { CommandCgroups, HandlerFeatures } from './pods.ts';
import type { OciMount, OciSpec } from './spec/oci-spec.ts';
import { ociIdMappings } from './spec/user-namespace.ts';

/** What a probe found: the version's first line, or why the runtime cannot be used here. */
export interface ProbeResult {
  version: string;
  usable: boolean;
  reason: string;
  features: HandlerFeatures;
  /** Why it serves no user namespaces; empty when it does. */
  noUserNamespaces: string;
}

const NO_FEATURES: HandlerFeatures = {
  recursiveReadOnly: false,
  userNamespaces: false,
  submountsInUserns: false,
  commandCgroups: 'none',
};

/** What is said of a runtime until it was tried. */
export const UNTRIED: ProbeResult = {
  version: '',
  usable: false,
  reason: 'it is being tried out',
  features: NO_FEATURES,
  noUserNamespaces: 'it is being tried out',
};

/** Flags that /sys has on many nodes: in a user namespace nobody may take them away (mount_namespaces(7)). */
const LOCKED = ['nosuid', 'nodev', 'noexec'];

/** A user namespace to try runtimes in, or why there is none. */
export type ProbeUserns = UserNamespace | { reason: string };

type UserNamespace = IdMappings & { path: string };

export interface ProbeOptions {
  exits: ExitWatcher;
  /** A directory for the throw-away bundle. */
  scratch: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
  /** An existing cgroup for the throw-away one. */
  cgroupParent: string;
  userns: ProbeUserns;
}

/**
 * Finds out whether an OCI runtime works on this host by letting it create a container that is never started: what is
 * wrong (a missing program, hybrid cgroups that crun refuses) shows at the daemon's start and not at the first pod.
 */
export async function probeRuntime(runtime: OciRuntime, options: ProbeOptions): Promise<ProbeResult> {
  const unusable = { version: '', usable: false, features: NO_FEATURES };
  if (findExecutable(runtime.path) === undefined) {
    const reason = `${runtime.path} is not installed: apt install ${runtime.name}`;
    return { ...unusable, reason, noUserNamespaces: reason };
  }
  try {
    const [version, found] = await Promise.all([
      versionOf(runtime, options.exits),
      featuresOf(runtime, options),
    ]);
    return { version, usable: true, reason: '', ...found };
  } catch (error) {
    const reason = explain(messageOf(error));
    return { ...unusable, reason, noUserNamespaces: reason };
  }
}

/** What it can do outside of user namespaces and inside: two tries, at the same time. */
async function featuresOf(
  runtime: OciRuntime,
  options: ProbeOptions,
): Promise<Pick<ProbeResult, 'features' | 'noUserNamespaces'>> {
  const [recursiveReadOnly, inside, commandCgroups] = await Promise.all([
    makesRecursiveReadOnly(runtime, options),
    tryInside(runtime, options),
    commandCgroupsOf(runtime, options.exits),
  ]);
  const { reason, submounts } = inside;
  const features = {
    recursiveReadOnly,
    userNamespaces: reason === '',
    submountsInUserns: submounts,
    commandCgroups,
  };
  return { features, noUserNamespaces: reason };
}

/** A runtime that fails with the mount that shows it is asked again without: it may do for pods that need none. */
async function makesRecursiveReadOnly(runtime: OciRuntime, options: ProbeOptions): Promise<boolean> {
  let found = false;
  try {
    await tryCreate(runtime, options, [RECURSIVE_PROBE_MOUNT], undefined, (pid) => {
      found = madeRecursiveReadOnly(pid);
    });
    return found;
  } catch {
    await tryCreate(runtime, options, [], undefined, () => {});
    return false;
  }
}

/** Why it cannot work in a user namespace, empty when it can; and whether what it binds there has its submounts. */
async function tryInside(
  runtime: OciRuntime,
  options: ProbeOptions,
): Promise<{ reason: string; submounts: boolean }> {
  const { userns } = options;
  if ('reason' in userns) return { reason: userns.reason, submounts: false };
  try {
    let submounts = false;
    const mount = { ...RECURSIVE_PROBE_MOUNT, options: ['rbind', 'rprivate', 'ro', ...LOCKED] };
    await tryCreate(runtime, options, [mount], userns, (pid) => {
      submounts = mounts(`/proc/${pid}`).some(({ target }) => target.startsWith(`${RECURSIVE_PROBE}/`));
    });
    return { reason: '', submounts };
  } catch (error) {
    return { reason: messageOf(error), submounts: false };
  }
}

async function versionOf(runtime: OciRuntime, exits: ExitWatcher): Promise<string> {
  return (await wordsOf(runtime, exits, '--version')).split('\n', 1)[0]!.trim();
}

/** runc since 1.1, crun since 1.2; only runc can be given one controller (`[<controller>:]<cgroup>`). */
async function commandCgroupsOf(runtime: OciRuntime, exits: ExitWatcher): Promise<CommandCgroups> {
  const help = /--cgroup\b.*/.exec(await wordsOf(runtime, exits, 'exec', '--help'))?.[0];
  if (help === undefined) return 'none';
  return help.includes('<controller>') ? 'each' : 'all';
}

async function wordsOf(runtime: OciRuntime, exits: ExitWatcher, ...argv: string[]): Promise<string> {
  const { path } = runtime;
  const { stdout } = await run(exits, { path, argv: [path, ...argv], timeoutMs: 5_000 });
  return stdout.toString();
}

function prefixOf(runtime: Pick<OciRuntime, 'name'>): string {
  return `probe-${runtime.name}-`;
}

/**
 * Takes away what a trial left that was cut off with its daemon. `root` is where the runtime keeps its containers,
 * `scratch` as in `ProbeOptions`.
 */
export async function sweepTrials(runtime: OciRuntime, root: string, scratch: string): Promise<void> {
  const ofTrials = (name: string): boolean => name.startsWith(prefixOf(runtime));
  if (existsSync(root))
    for (const id of readdirSync(root).filter(ofTrials)) await runtime.delete(id, { force: true });
  for (const bundle of readdirSync(scratch).filter(ofTrials))
    rmSync(join(scratch, bundle), { recursive: true, force: true });
}

/** Creates and deletes a container with these mounts; `look` sees its first process in between. */
async function tryCreate(
  runtime: OciRuntime,
  options: ProbeOptions,
  asked: OciMount[],
  userns: UserNamespace | undefined,
  look: (pid: number) => void,
): Promise<void> {
  const id = `${prefixOf(runtime)}${process.pid}${userns === undefined ? '' : '-userns'}`;
  const bundle = join(options.scratch, id);
  try {
    // crun wants to find /dev, runc the mount point of /proc.
    const rootfs = join(bundle, 'rootfs');
    for (const dir of ['dev', 'proc']) mkdirSync(join(rootfs, dir), { recursive: true, mode: 0o755 });
    if (userns !== undefined) for (const dir of ['.', 'dev', 'proc']) giveToRoot(join(rootfs, dir), userns);
    // Never run: the container is unmade before its start.
    writeFileSync(join(rootfs, 'none'), '');
    chmodSync(join(rootfs, 'none'), 0o755);
    const cgroupsPath = ociCgroupsPath(options.cgroupDriver, options.cgroupParent, id);
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(probeSpec(cgroupsPath, asked, userns)));
    try {
      await runtime.create(id, bundle, join(bundle, 'pid'));
      const pid = Number.parseInt(readFileSync(join(bundle, 'pid'), 'utf8'), 10);
      if (userns !== undefined) requireInside(pid, userns);
      look(pid);
    } finally {
      await runtime.delete(id, { force: true });
      await removeCgroupOf(id, options);
    }
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
}

/** crun leaves its cgroups in trees of v1 that it has no use for (perf_event). */
async function removeCgroupOf(id: string, { cgroupDriver, cgroupParent }: ProbeOptions): Promise<void> {
  try {
    await removeCgroup(containerCgroup(cgroupDriver, cgroupParent, id));
  } catch (error) {
    // Its process is being waited for: the handler is none the worse.
    if (!(error instanceof Fault && error.kind === 'precondition')) throw error;
  }
}

/** A runtime that does not know user namespaces may leave them out without a word. */
function requireInside(pid: number, { uids }: IdMappings): void {
  const found = readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().replace(/ +/g, ' ');
  if (found !== idMapText(uids).trim()) throw new Error('it leaves the user namespace out');
}

function probeSpec(cgroupsPath: string, asked: OciMount[], userns?: UserNamespace): Partial<OciSpec> {
  return {
    ociVersion: '1.0.2',
    root: { path: 'rootfs', readonly: false },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/none'],
      env: [],
      cwd: '/',
      noNewPrivileges: true,
    } as unknown as OciSpec['process'],
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: [] },
      // The scratch directory may be on a file system without devices (systemd mounts /run so), and runc opens /dev/null.
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755'] },
      ...asked,
    ],
    linux: {
      namespaces: [
        ...(userns === undefined ? [] : [{ type: 'user', path: userns.path }]),
        { type: 'pid' },
        { type: 'mount' },
      ],
      ...(userns === undefined ? {} : ociIdMappings(userns)),
      cgroupsPath,
    } as unknown as OciSpec['linux'],
  };
}

/** Adds what a person can do to the runtime's own words. */
function explain(reason: string): string {
  if (!/cgroup/i.test(reason)) return reason;
  return `${reason}; on a host with hybrid cgroups start the node without /sys/fs/cgroup/unified, or use runc`;
}
