import { inStages } from '../ground/progress.ts';
import { waitOrAbort } from '../ground/wait.ts';
import type { Container } from './container.ts';
import { forgetContainer, releaseContainer } from './container-release.ts';
import { stopContainer } from './container-stop.ts';
import { announceContainer } from './events.ts';
import type { Parts } from './parts.ts';

/**
 * RemoveContainer: ends the container if it still runs (the CRI asks for that), gives back what it held and forgets
 * it. Its log stays: that is the kubelet's. Idempotent.
 */
export async function removeContainer(parts: Parts, id: string, signal?: AbortSignal): Promise<void> {
  const container = parts.containers.lookup(id);
  if (container === undefined || container.record.phase === 'creating') return;
  container.removing ??= remove(parts, container).finally(() => {
    container.removing = undefined;
  });
  await waitOrAbort(container.removing, signal);
}

async function remove(parts: Parts, container: Container): Promise<void> {
  container.restoring?.abort();
  await container.starting?.catch(() => {
    // The caller of the start hears of it; what was started has ended.
  });
  await stopContainer(parts, container.id, 0);
  await inStages(parts.stages, 'RemoveContainer', container.id, container.subject, async (at) => {
    await at.stage('release', () => releaseContainer(parts, container));
    await at.stage('commit', () => {
      forgetContainer(parts, parts.sandboxes.lookup(container.record.sandboxId), container.id);
      announceContainer(parts, container, 'deleted');
    });
  });
}
