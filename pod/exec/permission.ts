import { Fault } from '../../ground/fault.ts';
import { processAlive } from '../../native/pidfd.ts';
import { cgroupFrozen } from '../cgroup/frozen.ts';
import type { Container } from '../container.ts';
import type { Parts } from '../parts.ts';

/**
 * The container in which this command may be run. Throws `not-found`, `invalid` for words that no command line can
 * have, `precondition` unless the container runs: one that is paused would take the command in and never let it begin.
 */
export function commandContainer(parts: Parts, id: string, command: readonly string[]): Container {
  const container = parts.containers.find(id);
  const { record, subject } = container;
  if (command.length === 0) throw new Fault('invalid', 'The command is empty', { subject });
  if (command.some((word) => word.includes('\0')))
    throw new Fault('invalid', 'The command contains a NUL byte', { subject });
  if (record.phase !== 'running') {
    throw new Fault(
      'precondition',
      `It is ${container.state}, and a command can only run in a running container`,
      { subject },
    );
  }
  if (cgroupFrozen(record.cgroupPath)) {
    throw new Fault('precondition', 'It is paused, and a command can only run in a running container', {
      subject,
      hint: 'resume it first',
    });
  }
  return container;
}

/**
 * Throws `precondition` when the container has ended since `commandContainer` found it running, also when nobody has told
 * the daemon yet: why a command failed then says nothing of the command, and nothing of the way into the container.
 */
export function requireNotEnded({ alive, record, subject }: Container): void {
  const init = record.monitored?.init;
  if (alive && (init === undefined || processAlive(init.pid, init.startTime))) return;
  throw new Fault('precondition', 'The container ended before the command could begin', { subject });
}
