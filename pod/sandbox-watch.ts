import { announceSandbox } from './events.ts';
import type { Parts } from './parts.ts';
import type { Sandbox } from './sandbox.ts';

/**
 * Follows a ready sandbox's pause process: when it ends while nobody stops the sandbox, the sandbox is not ready any
 * more. Its network stays until the caller stops it.
 */
export function watchSandbox(parts: Parts, sandbox: Sandbox): void {
  const { record } = sandbox;
  const maker = parts.handlers.get(record.handler)?.maker;
  if (record.made === undefined || maker === undefined) return;
  void maker.exited(record.made).then(() => {
    if (record.phase !== 'ready' || sandbox.stopping !== undefined) return;
    record.phase = 'notready';
    parts.sandboxRecords.put(record.id, record);
    announceSandbox(parts, sandbox, 'stopped');
    parts.log.warn({ sandbox: record.id }, 'the pause process has ended: the sandbox is not ready');
  });
}
