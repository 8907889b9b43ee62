import { mkdirSync } from 'node:fs';
import type { ContainerRecord } from './container.ts';
import type { Handler } from './handlers.ts';
import { makeLogDirectory } from './log-path.ts';
import type { MonitorRequest, MonitorStart } from './monitor.ts';
import type { Parts } from './parts.ts';

/** Makes the directories that a container's monitor works in. */
export function makeMonitorDirectories(parts: Parts, { id, logPath }: ContainerRecord): void {
  mkdirSync(parts.paths.rootfs(id), { recursive: true, mode: 0o711 });
  if (logPath !== '') makeLogDirectory(logPath);
}

/** Starts the monitor of a container whose directories are there. With `restore` it makes it from a checkpoint. */
export function beginMonitor(
  parts: Parts,
  handler: Handler,
  { id, config, logPath }: ContainerRecord,
  restore?: MonitorRequest['restore'],
): MonitorStart {
  return parts.monitor.begin({
    id,
    bundle: parts.paths.bundle(id),
    runtime: handler.runtime,
    logPath: logPath === '' ? undefined : logPath,
    tty: config.tty,
    stdin: config.stdin,
    stdinOnce: config.stdinOnce,
    userns: config.security.namespaces.userns?.mode === 'pod',
    ...(restore && { restore }),
  });
}
