import type { SandboxConfig } from '../config.ts';

/**
 * What an OCI runtime that makes the sandbox itself (a virtual machine) is told of it, by containerd's names: that it
 * is one, whose, and how much all containers of the pod may use, which sizes the machine. The caller's own annotations
 * stay out, as with containers.
 */
export function sandboxAnnotations(id: string, config: SandboxConfig): Record<string, string> {
  const { metadata, resources } = config;
  const prefix = 'io.kubernetes.cri';
  const size: Record<string, string> =
    resources === undefined
      ? {}
      : {
          [`${prefix}.sandbox-cpu-period`]: String(resources.cpuPeriod),
          [`${prefix}.sandbox-cpu-quota`]: String(resources.cpuQuota),
          [`${prefix}.sandbox-cpu-shares`]: String(resources.cpuShares),
          [`${prefix}.sandbox-memory`]: String(resources.memoryLimitInBytes),
        };
  return {
    [`${prefix}.container-type`]: 'sandbox',
    [`${prefix}.sandbox-id`]: id,
    [`${prefix}.sandbox-name`]: metadata.name,
    [`${prefix}.sandbox-namespace`]: metadata.namespace,
    [`${prefix}.sandbox-uid`]: metadata.uid,
    ...size,
  };
}
