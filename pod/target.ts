import { Fault } from '../ground/fault.ts';
import { processAlive } from '../native/pidfd.ts';
import type { ProcessMark } from './monitor.ts';
import type { Parts } from './parts.ts';
import type { Sandbox } from './sandbox.ts';

/**
 * The first process of a container whose PID namespace another one shares (CRI NamespaceMode TARGET: what
 * `kubectl debug --target` asks for). Throws `not-found` for an unknown container, `invalid` for one of another
 * sandbox, `precondition` when it does not run.
 */
export function targetProcess(parts: Parts, sandbox: Sandbox, targetId: string): ProcessMark {
  const target = parts.containers.find(targetId);
  if (target.record.sandboxId !== sandbox.id) {
    throw new Fault('invalid', `The target container ${targetId} is not in this sandbox`, {
      hint: 'a container shares the processes of containers of its own pod only',
    });
  }
  const init = target.record.monitored?.init;
  if (target.record.phase !== 'running' || init === undefined || !processAlive(init.pid, init.startTime)) {
    throw new Fault('precondition', `The target container ${targetId} is not running (${target.state})`, {
      hint: 'its processes are shared, so there must be some',
    });
  }
  return init;
}
