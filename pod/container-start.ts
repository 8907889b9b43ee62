import { Fault, messageOf } from '../ground/fault.ts';
import { inStages } from '../ground/progress.ts';
import { waitOrAbort } from '../ground/wait.ts';
import type { Container } from './container.ts';
import { endUnstarted } from './container-exit.ts';
import { stopContainer } from './container-stop.ts';
import { announceContainer } from './events.ts';
import type { Parts } from './parts.ts';
import { requireReady } from './sandbox.ts';

/**
 * StartContainer: lets a created container's process run. Throws `precondition` when it is not in the created state or
 * its sandbox is not ready. When the runtime cannot start it the container ends with reason StartError.
 */
export async function startContainer(parts: Parts, id: string, signal?: AbortSignal): Promise<void> {
  const container = parts.containers.find(id);
  container.starting ??= start(parts, container).finally(() => {
    container.starting = undefined;
  });
  await waitOrAbort(container.starting, signal);
}

async function start(parts: Parts, container: Container): Promise<void> {
  const { record } = container;
  // Started by a call whose answer was lost with the daemon.
  if (container.adoptable && record.phase === 'running') {
    container.adoptable = false;
    return;
  }
  if (record.phase !== 'created' || container.removing !== undefined || container.stop !== undefined) {
    throw new Fault('precondition', `It is ${container.state}, and only a created container can be started`, {
      subject: container.subject,
    });
  }
  requireReady(parts.sandboxes.find(record.sandboxId));
  container.adoptable = false;
  const runtime = parts.handlers.pick(record.handler).runtime;
  await inStages(parts.stages, 'StartContainer', record.id, container.subject, async (at) => {
    await at.stage('start', async () => {
      // Before the start: an end that is recorded while the runtime still returns comes after it.
      record.startedAtNs = parts.clock.nowNs();
      try {
        if (record.restore === undefined) await runtime.start(record.id, undefined, record.hooks);
        else await (await import('./checkpoint/run-restore.ts')).runRestore(parts, container);
      } catch (error) {
        record.reason = 'StartError';
        record.message = messageOf(error);
        if (record.monitored === undefined) endUnstarted(parts, container);
        else await stopContainer(parts, record.id, 0);
        throw error;
      }
    });
    await at.stage('commit', () => {
      // The exit may have been recorded before this line: it keeps its phase.
      const ended = record.phase !== 'created';
      if (!ended) record.phase = 'running';
      parts.containerRecords.put(record.id, record);
      // Else the end has told of the start as well.
      if (!ended) announceContainer(parts, container, 'started');
    });
  });
}
