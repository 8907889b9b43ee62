import { Fault } from '../ground/fault.ts';
import { inStages } from '../ground/progress.ts';
import { waitOrAbort } from '../ground/wait.ts';
import type { Container } from './container.ts';
import { stopContainer } from './container-stop.ts';
import { announceSandbox } from './events.ts';
import type { Parts } from './parts.ts';
import type { Sandbox } from './sandbox.ts';
import { releaseSandbox } from './sandbox-release.ts';

/**
 * StopPodSandbox: ends the containers that still run (with SIGKILL), then gives back network, namespaces and cgroup.
 * Idempotent: an unknown or stopped sandbox is no error. What cannot be given back becomes a debt and does not stand
 * in the way (containerd#6565).
 */
export async function stopSandbox(parts: Parts, id: string, signal?: AbortSignal): Promise<void> {
  const sandbox = parts.sandboxes.lookup(id);
  if (sandbox === undefined || (sandbox.record.released && sandbox.record.phase === 'notready')) return;
  sandbox.adoptable = false;
  sandbox.stopping ??= stop(parts, sandbox).finally(() => {
    sandbox.stopping = undefined;
  });
  await waitOrAbort(sandbox.stopping, signal);
}

/** A container that is being created when its sandbox stops is not finished. */
async function endCreation(container: Container): Promise<void> {
  container.creating?.abort.abort(new Fault('precondition', 'Its sandbox was stopped meanwhile'));
  await container.creating?.settled;
}

async function stop(parts: Parts, sandbox: Sandbox): Promise<void> {
  const { record } = sandbox;
  await inStages(parts.stages, 'StopPodSandbox', record.id, sandbox.subject, async (at) => {
    await at.stage('containers', async () => {
      await Promise.all([...sandbox.containers.values()].map(endCreation));
      const alive = [...sandbox.containers.values()].filter((container) => container.alive);
      await Promise.all(alive.map((container) => stopContainer(parts, container.id, 0)));
    });
    await at.stage('release', () => releaseSandbox(parts, record));
    await at.stage('commit', () => {
      const wasReady = record.phase === 'ready';
      record.phase = 'notready';
      record.released = true;
      parts.sandboxRecords.put(record.id, record);
      if (wasReady) announceSandbox(parts, sandbox, 'stopped');
    });
  });
}
