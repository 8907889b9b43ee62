import { Fault } from '../../ground/fault.ts';
import { DEFAULT_APPARMOR_PROFILE } from '../apparmor/default-profile.ts';
import type { SeccompProfile } from '../config.ts';
import type { ApparmorFacts, SpecInput } from './input.ts';
import type { OciSeccomp } from './oci-spec.ts';
import { asksForLabels, checkSelinuxOptions, selinuxLabels } from './selinux.ts';
import { defaultSeccompProfile } from './seccomp/default-profile.ts';

/**
 * The system call filter (CRI SecurityProfile). A privileged container has none, whatever it asks for, as with the
 * peers; no profile at all means unconfined (the kubelet always names one when it wants one).
 *
 * Throws `precondition` when a filter is asked for and the node cannot filter.
 */
export function seccompOf(input: SpecInput, granted: string[]): OciSeccomp | undefined {
  const { security } = input.container;
  const type = security.seccomp?.type ?? 'unconfined';
  if (security.privileged || type === 'unconfined') return undefined;
  if (!input.node.seccomp)
    throw new Fault(
      'precondition',
      `The seccomp profile ${type} cannot be applied: this node does not filter calls`,
    );
  switch (type) {
    case 'runtime-default':
      return defaultSeccompProfile(input.node.arch, granted);
    case 'localhost':
      if (input.localhostSeccomp === undefined)
        throw new Fault('internal', `The seccomp profile ${security.seccomp?.localhostRef} was not read`);
      return input.localhostSeccomp;
    default:
      return type satisfies never;
  }
}

/**
 * The AppArmor profile's name, when there is one to set (CRI SecurityProfile; the wire lets the newer field win over the
 * deprecated one). Where the kernel has AppArmor, `runtime-default` and no profile at all mean Berth's own (the kubelet
 * names none for pods that ask for none: kubernetes#51746); where it has not, a named one is left out with a note. A
 * privileged container is unconfined.
 *
 * Throws `precondition` for a profile that was asked for and is not loaded.
 */
export function apparmorOf(
  profile: SeccompProfile | undefined,
  privileged: boolean,
  { available, loaded, noDefault = '' }: ApparmorFacts,
  notes: string[],
): string | undefined {
  if (profile?.type === 'unconfined' || privileged) return undefined;
  if (profile === undefined || profile.type === 'runtime-default') {
    if (!available) return undefined;
    if (loaded.has(DEFAULT_APPARMOR_PROFILE)) return DEFAULT_APPARMOR_PROFILE;
    const what = `The AppArmor profile ${DEFAULT_APPARMOR_PROFILE} is not loaded`;
    if (profile !== undefined) throw new Fault('precondition', what, { hint: noDefault });
    notes.push(`${what}, so the process is not confined by AppArmor: ${noDefault}`);
    return undefined;
  }
  const name = profile.localhostRef.replace(/^localhost\//, '');
  if (!available) {
    notes.push(`AppArmor profile ${name} left out: this node's kernel has no AppArmor`);
    return undefined;
  }
  if (!loaded.has(name))
    throw new Fault('precondition', `The AppArmor profile ${JSON.stringify(name)} is not loaded`, {
      hint: 'load it with apparmor_parser; /sys/kernel/security/apparmor/profiles lists those that are',
    });
  return name;
}

/** Whether a container gets the default AppArmor profile where there is AppArmor. */
export function wantsDefaultApparmor(profile: SeccompProfile | undefined, privileged: boolean): boolean {
  return !privileged && (profile === undefined || profile.type === 'runtime-default');
}

/**
 * The labels of a container's process and files. Where SELinux is off (there is no `selinux` then) what is asked for is
 * left out with a note, as with the peers. A container that names nothing gets what its sandbox names. The process of a
 * privileged one that names nothing is not confined; its files have labels all the same.
 *
 * Throws `invalid` for a label that cannot be one.
 */
export function selinuxOf(
  { sandbox, container, selinux }: Pick<SpecInput, 'sandbox' | 'container' | 'selinux'>,
  notes: string[],
): { process?: string; file: string } | undefined {
  checkSelinuxOptions(container.security.selinux);
  const own = asksForLabels(container.security.selinux);
  const asked = own ? container.security.selinux : sandbox.security.selinux;
  if (selinux === undefined) {
    if (asksForLabels(asked)) notes.push('SELinux label left out: SELinux is off on this node');
    return undefined;
  }
  const { process, file } = selinuxLabels(selinux.contexts, asked, selinux.level);
  return container.security.privileged && !own ? { file } : { process, file };
}

/**
 * Notes that the sources of mounts are not relabelled (CRI Mount.selinux_relabel) where SELinux is off: there is nothing
 * to relabel. Where it is on, `relabelMounts` does it.
 */
export function noteRelabels({ container, selinux }: SpecInput, notes: string[]): void {
  const asked = container.mounts.filter(({ selinuxRelabel }) => selinuxRelabel);
  if (asked.length === 0 || selinux !== undefined) return;
  const paths = asked.map(({ containerPath }) => containerPath).join(', ');
  notes.push(`relabelling of the mounts at ${paths} left out: SELinux is off on this node`);
}
