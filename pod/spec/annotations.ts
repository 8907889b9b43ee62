import type { SpecInput } from './input.ts';

/**
 * What tools that read config.json expect to find there (the names are containerd's). The caller's own annotations
 * stay out: OCI runtimes take orders from some names (crun: `run.oci.*`), and pods are not to give those.
 */
export function annotationsOf(input: SpecInput): Record<string, string> {
  const { metadata } = input.sandbox;
  return {
    'io.kubernetes.cri.container-type': 'container',
    'io.kubernetes.cri.container-name': input.container.metadata.name,
    'io.kubernetes.cri.image-name': input.container.image.userSpecifiedImage || input.container.image.image,
    'io.kubernetes.cri.sandbox-id': input.sandboxId,
    'io.kubernetes.cri.sandbox-name': metadata.name,
    'io.kubernetes.cri.sandbox-namespace': metadata.namespace,
    'io.kubernetes.cri.sandbox-uid': metadata.uid,
  };
}
