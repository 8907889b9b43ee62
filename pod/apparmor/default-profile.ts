/** The name of Berth's own AppArmor profile, as `RuntimeDefault` means it. */
export const DEFAULT_APPARMOR_PROFILE = 'berth-default';

export interface ProfileOptions {
  /** Whether the policy's language is fixed with `abi <abi/3.0>` (apparmor.d(5)): that file is installed. */
  abi: boolean;
}

/**
 * What a confined container may not write in /proc: all but what begins with a digit, a process (`self` is a link to
 * one), and below /proc/sys all but System V shared memory, whose settings belong to the container's IPC namespace.
 */
const PROC_READ_ONLY = [
  '/proc/*',
  '/proc/[^0-9s]*/**',
  '/proc/s[^y]*/**',
  '/proc/sy[^s]*/**',
  '/proc/sys/[^k]**',
  '/proc/sys/k[^e]**',
  '/proc/sys/kernel/[^s]**',
  '/proc/sys/kernel/s[^h]**',
  '/proc/sys/kernel/sh[^m]**',
];
/** And what it may not even read: an unprivileged process of the node cannot, but root of a container could. */
const PROC_CLOSED = ['/proc/sysrq-trigger', '/proc/kcore'];

/** All of /sys but the cgroups, which a container with a cgroup namespace may have been given to write. */
const SYS_READ_ONLY = ['/sys/[^f]**', '/sys/f[^s]**', '/sys/fs/[^c]**', '/sys/fs/c[^g]**'];
const SYS_CLOSED = ['/sys/firmware/**', '/sys/devices/virtual/powercap/**', '/sys/kernel/security/**'];

/**
 * The text of the profile, in the language of apparmor.d(5). It confines what capabilities, seccomp and read-only
 * paths confine as well, for the case that one of them is missing: files, the network, capabilities and unmounting
 * are the container's matter; settings of the node in /proc and /sys, mounting, and processes with other labels are
 * not. It allows what Docker documents of its default profile (docs.docker.com/engine/security/apparmor), so that
 * what runs there runs here; the rules and their reasons are Berth's own. It includes no other file: a node needs
 * the parser and nothing else.
 */
export function defaultApparmorProfile({ abi }: ProfileOptions): string {
  const deny = (paths: readonly string[], access: string): string[] =>
    paths.map((path) => `  deny ${path} ${access},`);
  return [
    ...(abi ? ['abi <abi/3.0>,', ''] : []),
    `profile ${DEFAULT_APPARMOR_PROFILE} flags=(attach_disconnected,mediate_deleted) {`,
    '  file,',
    '  network,',
    '  unix,',
    '  capability,',
    '  umount,',
    '  dbus,',
    '',
    '  # The daemon, its monitor and the OCI runtime end and look at the container; some nodes label the runtimes.',
    '  signal (receive) peer=unconfined,',
    '  signal (receive) peer={crun,runc},',
    `  signal (send, receive) peer=${DEFAULT_APPARMOR_PROFILE},`,
    `  ptrace (trace, tracedby, read, readby) peer=${DEFAULT_APPARMOR_PROFILE},`,
    '',
    '  deny mount,',
    ...deny(PROC_READ_ONLY, 'wkl'),
    ...deny(PROC_CLOSED, 'rwklx'),
    ...deny(SYS_READ_ONLY, 'wkl'),
    ...deny(SYS_CLOSED, 'rwklx'),
    '}',
    '',
  ].join('\n');
}
