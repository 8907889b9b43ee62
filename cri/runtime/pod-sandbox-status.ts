import type { UnaryHandler } from '../handler.ts';
import { filled } from '../convert/check.ts';
import { sandboxStatusToWire } from '../convert/sandbox.ts';
import { infoToWire } from '../convert/info.ts';

/** How a sandbox stands; NotFound when it is not there. From memory. */
export const podSandboxStatus: UnaryHandler<'PodSandboxStatus'> = ({ pods }, { podSandboxId, verbose }) => {
  const sandbox = pods.sandbox(filled(podSandboxId, 'podSandboxId'));
  return { status: sandboxStatusToWire(sandbox), info: verbose ? infoToWire(sandbox.info()) : {} };
};
