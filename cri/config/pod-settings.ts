import { existsSync } from 'node:fs';
import { DEFAULT_POD_SETTINGS, type PodSettings } from '../../pod/settings.ts';
import { parseRlimits } from '../../pod/spec/rlimits.ts';
import { ConfigMistake } from './mistake.ts';
import type { Config } from './schema.ts';

/** What the configuration says to the pod room; `auto` is decided by what this node is. */
export function podSettings({ runtime }: Config): PodSettings {
  const named = runtime.default_handler !== 'auto';
  if (named && runtime.handlers[runtime.default_handler] === undefined) {
    throw new ConfigMistake(`runtime.default_handler names ${runtime.default_handler}, which is no handler`, {
      hint: `the configuration has ${Object.keys(runtime.handlers).join(', ')}`,
    });
  }
  const cgroupDriver = runtime.cgroup_driver === 'auto' ? nodeCgroupDriver() : runtime.cgroup_driver;
  return {
    defaultHandler: named ? runtime.default_handler : DEFAULT_POD_SETTINGS.defaultHandler,
    defaultHandlerNamed: named,
    handlers: runtime.handlers,
    conmonPath: runtime.conmon,
    cgroupDriver,
    cgroupParent: cgroupParent(runtime.cgroup_parent, cgroupDriver),
    seccompRoot: runtime.seccomp_root,
    cdiDirectories: runtime.cdi_dirs,
    maxLogBytes: maxLogBytes(runtime.max_log_bytes),
    checkpointImages: runtime.checkpoint_images === 'on',
    rlimits: parseRlimits(runtime.default_ulimits),
    createTimeoutMs: runtime.create_timeout_seconds * 1000,
    adoptionMs: runtime.adoption_seconds * 1000,
    maxRuntimeChildren: runtime.max_children,
  };
}

/** The kubelet's own rule: systemd where it manages a cgroup v2 tree (sd_booted(3)). */
function nodeCgroupDriver(): PodSettings['cgroupDriver'] {
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
  return unified && existsSync('/run/systemd/system') ? 'systemd' : 'cgroupfs';
}

function cgroupParent(parent: string, driver: PodSettings['cgroupDriver']): string {
  if (parent === '') return driver === 'systemd' ? 'berth.slice' : DEFAULT_POD_SETTINGS.cgroupParent;
  if (driver === 'systemd' && !parent.endsWith('.slice')) {
    throw new ConfigMistake(`runtime.cgroup_parent is ${JSON.stringify(parent)}: that is no slice`, {
      hint: 'with the systemd cgroup driver it has to end in .slice',
    });
  }
  return parent;
}

/** Below that a noisy container would have its monitor make new files all the time. */
const LEAST_LOG_BYTES = 64 * 1024;

function maxLogBytes(bytes: number): number {
  if (bytes === 0 || bytes >= LEAST_LOG_BYTES) return bytes;
  throw new ConfigMistake(`runtime.max_log_bytes is ${bytes}: less than ${LEAST_LOG_BYTES} is no use`, {
    hint: 'take several times the containerLogMaxSize of the kubelet, or 0 for no bound',
  });
}
