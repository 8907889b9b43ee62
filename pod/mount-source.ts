import { Fault, messageOf } from '../ground/fault.ts';
import type { ContainerConfig } from './config.ts';

/**
 * Whether a failed create failed because a mount's source is missing, as a Fault that names it. The sources belong to
 * the pod (a dead NFS server hangs whoever looks at them), so the daemon never looks: the OCI runtime does, in a child,
 * and this reads its words.
 */
export function missingMountSource(config: ContainerConfig, error: unknown): Fault | undefined {
  const text = messageOf(error);
  if (!/No such file or directory|no such file or directory/.test(text)) return undefined;
  const missing = config.mounts.find(({ hostPath }) => hostPath !== '' && text.includes(hostPath));
  if (missing === undefined) return undefined;
  return new Fault(
    'invalid',
    `The source ${missing.hostPath} of the mount at ${missing.containerPath} does not exist`,
    {
      hint: 'create it on the node, or use a volume type that does',
      cause: error,
    },
  );
}
