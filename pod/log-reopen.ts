import { Fault } from '../ground/fault.ts';
import type { Parts } from './parts.ts';

/**
 * ReopenContainerLog: the monitor opens its log file anew after the kubelet has renamed it. Works until the container
 * has ended; it waits for no stop or other operation (cri-o#6297). Throws `precondition` for an ended container.
 */
export async function reopenLog(parts: Parts, id: string, signal?: AbortSignal): Promise<void> {
  const { record, subject, alive } = parts.containers.find(id);
  if (!alive) throw new Fault('precondition', 'Its log cannot be reopened: it has ended', { subject });
  if (record.logPath === '') throw new Fault('precondition', 'It has no log', { subject });
  const monitor = record.monitored?.monitor;
  if (monitor === undefined) throw new Fault('precondition', 'It has no monitor yet', { subject });
  await parts.monitor.reopenLog(monitor, parts.paths.bundle(record.id), record.logPath, signal);
}
