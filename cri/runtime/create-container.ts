import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';
import { containerConfigFromWire } from '../convert/container.ts';
import { sandboxConfigFromWire } from '../convert/sandbox.ts';

/** Makes a container in a sandbox. A second call with the same metadata joins the first. */
export const createContainer: UnaryHandler<'CreateContainer'> = async ({ pods }, request, { signal }) => {
  const sandboxId = filled(request.podSandboxId, 'podSandboxId');
  const config = containerConfigFromWire(request.config);
  const { sandboxConfig } = request;
  const sandbox = sandboxConfig === null ? undefined : sandboxConfigFromWire(sandboxConfig, 'sandboxConfig');
  return { containerId: await pods.createContainer(sandboxId, config, sandbox, signal) };
};
