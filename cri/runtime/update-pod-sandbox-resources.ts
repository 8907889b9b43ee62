import type { UnaryHandler } from '../handler.ts';
import { filled, noNul } from '../convert/check.ts';
import { resourcesFromWire } from '../convert/resources.ts';

/** Takes what a pod as a whole may use from now on; its caller has changed the pod's cgroup before. */
export const updatePodSandboxResources: UnaryHandler<'UpdatePodSandboxResources'> = async (
  { pods },
  request,
) => {
  noNul(request, 'request');
  await pods.updateSandbox(filled(request.podSandboxId, 'podSandboxId'), {
    overhead: resourcesFromWire(request.overhead, 'overhead'),
    resources: resourcesFromWire(request.resources, 'resources'),
  });
  return {};
};
