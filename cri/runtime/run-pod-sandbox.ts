import type { UnaryHandler } from '../handler.ts';
import { sandboxConfigFromWire } from '../convert/sandbox.ts';

/** Makes a sandbox and its network. A second call with the same metadata joins the first. */
export const runPodSandbox: UnaryHandler<'RunPodSandbox'> = async ({ pods }, request, { signal }) => {
  const config = sandboxConfigFromWire(request.config);
  return { podSandboxId: await pods.runSandbox(config, request.runtimeHandler, signal) };
};
