import { inStages } from '../ground/progress.ts';
import type { LinuxResources } from './config.ts';
import type { Parts } from './parts.ts';
import { requireReady } from './sandbox.ts';

/**
 * UpdatePodSandboxResources: takes the pod's new overhead and sum of resources; what is not given stays. The caller has
 * changed the pod's cgroup itself before (CRI): it is the kubelet's, and Berth never writes its limits. Throws
 * `not-found`, and `precondition` when the sandbox is not ready.
 */
export async function updateSandbox(
  parts: Parts,
  id: string,
  update: { overhead?: LinuxResources; resources?: LinuxResources },
): Promise<void> {
  const sandbox = parts.sandboxes.find(id);
  const { record } = sandbox;
  await inStages(parts.stages, 'UpdatePodSandboxResources', sandbox.id, sandbox.subject, (at) =>
    at.stage('commit', () => {
      requireReady(sandbox);
      const config = {
        ...record.config,
        ...(update.overhead === undefined ? {} : { overhead: update.overhead }),
        ...(update.resources === undefined ? {} : { resources: update.resources }),
      };
      parts.sandboxRecords.put(record.id, { ...record, config });
      record.config = config;
    }),
  );
}
