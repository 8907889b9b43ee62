import { inStages } from '../ground/progress.ts';
import { waitOrAbort } from '../ground/wait.ts';
import { removeContainer } from './container-remove.ts';
import { announceSandbox } from './events.ts';
import type { Parts } from './parts.ts';
import type { Sandbox } from './sandbox.ts';
import { stopSandbox } from './sandbox-stop.ts';

/** RemovePodSandbox: stops what still runs, removes the containers and forgets the sandbox. Idempotent. */
export async function removeSandbox(parts: Parts, id: string, signal?: AbortSignal): Promise<void> {
  const sandbox = parts.sandboxes.lookup(id);
  if (sandbox === undefined) return;
  sandbox.removing ??= remove(parts, sandbox).finally(() => {
    sandbox.removing = undefined;
  });
  await waitOrAbort(sandbox.removing, signal);
}

async function remove(parts: Parts, sandbox: Sandbox): Promise<void> {
  await stopSandbox(parts, sandbox.id);
  await inStages(parts.stages, 'RemovePodSandbox', sandbox.id, sandbox.subject, async (at) => {
    await at.stage('containers', async () => {
      await Promise.all([...sandbox.containers.keys()].map((id) => removeContainer(parts, id)));
    });
    await at.stage('commit', () => {
      parts.sandboxRecords.delete(sandbox.id);
      parts.sandboxes.delete(sandbox.id);
      announceSandbox(parts, sandbox, 'deleted');
    });
  });
}
