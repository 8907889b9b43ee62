import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../ground/fault.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { run } from '../native/run.ts';
import { findExecutable } from '../native/spawn.ts';
import { containerCgroup } from './cgroup/paths.ts';
import { madeRecursiveReadOnly, RECURSIVE_PROBE_MOUNT } from './handler-features.ts';
import type { OciRuntime } from './oci-runtime.ts';
import type { HandlerFeatures } from './pods.ts';
import type { OciMount, OciSpec } from './spec/oci-spec.ts';

/** What a probe found: the version's first line, or why the runtime cannot be used here. */
export interface ProbeResult {
  version: string;
  usable: boolean;
  reason: string;
  features: HandlerFeatures;
}

const NO_FEATURES: HandlerFeatures = { recursiveReadOnly: false, userNamespaces: false };

export interface ProbeOptions {
  exits: ExitWatcher;
  /** A directory for the throw-away bundle. */
  scratch: string;
  cgroupDriver: 'cgroupfs' | 'systemd';
  /** An existing cgroup for the throw-away one. */
  cgroupParent: string;
}

/**
 * Finds out whether an OCI runtime works on this host by letting it create a container that is never started: what is
 * wrong (a missing program, hybrid cgroups that crun refuses) shows at the daemon's start and not at the first pod.
 */
export async function probeRuntime(runtime: OciRuntime, options: ProbeOptions): Promise<ProbeResult> {
  if (findExecutable(runtime.path) === undefined) {
    return {
      version: '',
      usable: false,
      reason: `${runtime.path} is not installed: apt install ${runtime.name}`,
      features: NO_FEATURES,
    };
  }
  try {
    const [version, features] = await Promise.all([
      versionOf(runtime, options.exits),
      featuresOf(runtime, options),
    ]);
    return { version, usable: true, reason: '', features };
  } catch (error) {
    return { version: '', usable: false, reason: explain(messageOf(error)), features: NO_FEATURES };
  }
}

/** A runtime that fails with the mount that shows its features is asked again without: it may do for pods that need none. */
async function featuresOf(runtime: OciRuntime, options: ProbeOptions): Promise<HandlerFeatures> {
  try {
    let recursiveReadOnly = false;
    await tryCreate(runtime, options, [RECURSIVE_PROBE_MOUNT], (pid) => {
      recursiveReadOnly = madeRecursiveReadOnly(pid);
    });
    return { ...NO_FEATURES, recursiveReadOnly };
  } catch {
    await tryCreate(runtime, options, [], () => {});
    return NO_FEATURES;
  }
}

async function versionOf(runtime: OciRuntime, exits: ExitWatcher): Promise<string> {
  const { stdout } = await run(exits, {
    path: runtime.path,
    argv: [runtime.path, '--version'],
    timeoutMs: 5_000,
  });
  return stdout.toString().split('\n', 1)[0]!.trim();
}

/** Creates and deletes a container with these mounts; `look` sees its first process in between. */
async function tryCreate(
  runtime: OciRuntime,
  options: ProbeOptions,
  mounts: OciMount[],
  look: (pid: number) => void,
): Promise<void> {
  const id = `probe-${runtime.name}-${process.pid}`;
  const bundle = join(options.scratch, id);
  try {
    // crun wants to find /dev, runc the mount point of /proc.
    for (const dir of ['dev', 'proc'])
      mkdirSync(join(bundle, 'rootfs', dir), { recursive: true, mode: 0o700 });
    // Never run: the container is unmade before its start.
    writeFileSync(join(bundle, 'rootfs', 'none'), '');
    chmodSync(join(bundle, 'rootfs', 'none'), 0o755);
    const cgroupsPath = containerCgroup(options.cgroupDriver, options.cgroupParent, id);
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(probeSpec(cgroupsPath, mounts)));
    try {
      await runtime.create(id, bundle, join(bundle, 'pid'));
      look(Number.parseInt(readFileSync(join(bundle, 'pid'), 'utf8'), 10));
    } finally {
      await runtime.delete(id, { force: true });
    }
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
}

function probeSpec(cgroupsPath: string, mounts: OciMount[]): Partial<OciSpec> {
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
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc', options: [] }, ...mounts],
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'mount' }],
      cgroupsPath,
    } as unknown as OciSpec['linux'],
  };
}

/** Adds what a person can do to the runtime's own words. */
function explain(reason: string): string {
  if (!/cgroup/i.test(reason)) return reason;
  return `${reason}; on a host with hybrid cgroups start the node without /sys/fs/cgroup/unified, or use runc`;
}
