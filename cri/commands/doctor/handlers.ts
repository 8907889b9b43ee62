import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Limit } from '../../../ground/limit.ts';
import type { ExitWatcher } from '../../../native/exits.ts';
import { findExecutable } from '../../../native/spawn.ts';
import { createPodCgroup, removePodCgroup } from '../../../pod/cgroup/pod-cgroup.ts';
import { probeRuntime } from '../../../pod/handler-probe.ts';
import { OciDriver } from '../../../pod/oci-driver.ts';
import { openProbeUserns } from '../../../pod/userns/probe.ts';
import { podSettings } from '../../config/pod-settings.ts';
import type { Config } from '../../config/schema.ts';
import type { Finding } from './finding.ts';

/** Handlers that Debian has a package for. */
const PACKAGED = new Set(['crun', 'runc']);

/**
 * Lets each configured OCI runtime create a container that never starts, in a directory and a cgroup of its own. One
 * that works is enough for pods; the others are worth a note.
 */
export async function probeHandlers(config: Config, exits: ExitWatcher): Promise<Finding[]> {
  const { cgroupDriver, handlers } = podSettings(config);
  const scratch = mkdtempSync(join(tmpdir(), 'berth-doctor-'));
  const cgroupParent = cgroupDriver === 'systemd' ? 'berth.slice' : `/berth-doctor-${process.pid}`;
  const cgroup = createPodCgroup(cgroupParent);
  chmodSync(scratch, 0o711);
  using probe = await openProbeUserns(exits, scratch);
  try {
    const probes = Object.entries(handlers).map(async ([name, { path }]): Promise<Finding> => {
      const runtime = new OciDriver({
        name,
        path: findExecutable(path) ?? path,
        root: join(scratch, name),
        systemdCgroup: cgroupDriver === 'systemd',
        exits,
        limit: new Limit(1),
      });
      const { usable, version, reason, noUserNamespaces } = await probeRuntime(runtime, {
        exits,
        scratch,
        cgroupDriver,
        cgroupParent,
        userns: probe.userns,
      });
      const missing = findExecutable(path) === undefined && PACKAGED.has(name);
      return {
        state: usable ? 'good' : 'note',
        what: `handler ${name}`,
        detail: usable ? usableText(version, noUserNamespaces) : reason,
        ...(missing ? { install: name } : {}),
      };
    });
    const findings = await Promise.all(probes);
    const working = findings.some(({ state }) => state === 'good');
    return [
      ...findings,
      {
        state: working ? 'good' : 'bad',
        what: 'an OCI runtime that works here',
        detail: '',
        ...(working ? {} : { install: 'crun' }),
      },
    ];
  } finally {
    await removePodCgroup(cgroup);
    rmSync(scratch, { recursive: true, force: true });
  }
}

function usableText(version: string, noUserNamespaces: string): string {
  return noUserNamespaces === '' ? version : `${version}; no user namespaces: ${noUserNamespaces}`;
}
