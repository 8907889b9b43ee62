import { Fault } from '../ground/fault.ts';
import { isErrno } from '../native/errno.ts';

/**
 * The file of a kernel setting. Names may be spelled with dots or with slashes (sysctl.d(5)): the separator that
 * comes first separates, the other one then stands for itself: `net.ipv4.conf.eth0/1.forwarding` and
 * `net/ipv4/conf/eth0.1/forwarding` are the same. Throws `invalid` when the name would lead elsewhere.
 */
export function sysctlFile(name: string): string {
  const dotsSeparate = /[./]/.exec(name)?.[0] !== '/';
  const path = dotsSeparate ? name.replace(/[./]/g, (c) => (c === '.' ? '/' : '.')) : name;
  if (path.includes('\0') || path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw new Fault('invalid', `The sysctl ${JSON.stringify(name)} is not the name of one`);
  return `/proc/sys/${path}`;
}

/** Why a kernel setting could not be set, from what the kernel said. */
export function sysctlFault(name: string, value: string, error: unknown): Fault {
  const what = isErrno(error, 'ENOENT')
    ? `The sysctl ${JSON.stringify(name)} does not exist on this node`
    : `The sysctl ${JSON.stringify(name)} cannot be set to ${JSON.stringify(value)}`;
  return new Fault('invalid', what, { cause: error });
}
