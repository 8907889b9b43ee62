import { Fault } from '../../ground/fault.ts';
import type { SpecInput } from './input.ts';
import type { OciResources, OciSpec } from './oci-spec.ts';
import { applyCdiEdits } from '../cdi/apply.ts';
import { annotationsOf } from './annotations.ts';
import { devicesOf } from './devices.ts';
import { resourcesOf } from './linux-resources.ts';
import { mountsOf } from './mounts.ts';
import { namespacesOf } from './namespaces.ts';
import { processOf } from './process.ts';
import { apparmorOf, noteRelabels, seccompOf, selinuxOf } from './security-profiles.ts';
import { ociIdMappings, requireMapped } from './user-namespace.ts';

/** A specification, and in sentences what of the request was clamped or left out. */
export interface GeneratedSpec {
  spec: OciSpec;
  notes: string[];
}

/**
 * The OCI runtime's config.json for one container: a pure function of the CRI's configuration, the image's, and the
 * facts of node and pod.
 *
 * Masked and read-only paths are exactly those that the caller lists, as with containerd (the kubelet lists the
 * defaults itself; an empty list is procMount: Unmasked). Sysctls are the sandbox's matter; hooks come from CDI
 * devices alone.
 *
 * Throws `invalid` for input that cannot be served as it is, `permission` and `precondition` where the node stands
 * in the way, `unimplemented` for what Berth does not serve.
 */
export function generateSpec(input: SpecInput): GeneratedSpec {
  const notes: string[] = [];
  const { security } = input.container;
  if (security.privileged && !input.sandbox.security.privileged)
    throw new Fault('invalid', 'A privileged container needs a privileged sandbox');
  requireMapped(input.userns, input.user);
  const labels = selinuxOf(input, notes);
  noteRelabels(input, notes);
  const process = processOf(input, notes);
  const apparmorProfile = apparmorOf(security.apparmor, security.privileged, input.apparmor, notes);
  const { mounts, rootfsPropagation } = mountsOf(input);
  const { devices, rules } = devicesOf(input);
  const seccomp = seccompOf(input, process.capabilities.bounding);
  const spec: OciSpec = {
    ociVersion: '1.0.2',
    root: { path: input.rootfs, readonly: security.readonlyRootfs },
    process: {
      ...process,
      ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
      ...(labels?.process === undefined ? {} : { selinuxLabel: labels.process }),
    },
    mounts,
    annotations: annotationsOf(input),
    linux: {
      namespaces: namespacesOf(input),
      ...(input.userns === undefined ? {} : ociIdMappings(input.userns)),
      cgroupsPath: input.cgroupsPath,
      resources: { devices: rules, ...newResources(input, notes) },
      devices,
      ...(rootfsPropagation === undefined ? {} : { rootfsPropagation }),
      maskedPaths: security.privileged ? [] : security.maskedPaths.map(absolutePath),
      readonlyPaths: security.privileged ? [] : security.readonlyPaths.map(absolutePath),
      ...(seccomp === undefined ? {} : { seccomp }),
      ...(labels === undefined ? {} : { mountLabel: labels.file }),
    },
  };
  return { spec: applyCdiEdits(spec, input.cdi), notes };
}

/** A new cgroup has no quota, and crun (1.8.1) cannot write that it is to have none. */
function newResources({ container, node }: SpecInput, notes: string[]): Omit<OciResources, 'devices'> {
  const { cpu, ...rest } = resourcesOf(container.resources, node, notes);
  if (cpu === undefined) return rest;
  const { quota, ...others } = cpu;
  return { ...rest, cpu: quota === -1 || quota === undefined ? others : cpu };
}

function absolutePath(path: string): string {
  if (!path.startsWith('/') || path.includes('\0'))
    throw new Fault(
      'invalid',
      `The masked or read-only path ${JSON.stringify(path)} is not an absolute path`,
    );
  return path;
}
