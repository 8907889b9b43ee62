import type { UnaryHandler } from '../handler.ts';
import { filled, keyed, noNul, notForWindows } from '../convert/check.ts';
import { resourcesFromWire } from '../convert/resources.ts';

/** Changes what a container may use while it lives; NotFound when it is not there. */
export const updateContainerResources: UnaryHandler<'UpdateContainerResources'> = async (
  { pods },
  request,
  { signal },
) => {
  noNul(request, 'request');
  notForWindows(request.windows, 'windows');
  await pods.updateContainer(
    filled(request.containerId, 'containerId'),
    resourcesFromWire(request.linux, 'linux'),
    keyed(request.annotations, 'annotations'),
    signal,
  );
  return {};
};
