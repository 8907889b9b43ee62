import { Fault } from '../ground/fault.ts';

/** Namespaces that a pod has for itself. UTS goes with the network. */
export interface OwnNamespaces {
  net: boolean;
  ipc: boolean;
}

/** Kernel settings that belong to an IPC namespace (ipc_namespaces(7)). */
const IPC_SYSCTLS = [
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
];

/**
 * Lets through the kernel settings that live in a namespace of the pod's own; any other one would change the node.
 * Names may be spelled with dots or slashes (sysctl.d(5)). Throws `invalid` that names the setting and the reason.
 */
export function checkSysctls(sysctls: Record<string, string>, own: OwnNamespaces): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const dotted = dottedName(name);
    if (!/^[a-z0-9_]+(\.[A-Za-z0-9_@:*-]+(\/[A-Za-z0-9_.-]+)*)+$/.test(dotted))
      throw refused(name, 'is not the name of one');
    if (/[\0\n]/.test(value)) throw refused(name, 'has a value with a line break or NUL');
    const namespace = namespaceOf(dotted);
    if (namespace === undefined)
      throw refused(name, 'is not bound to a namespace: it would change the whole node');
    if (!own[namespace])
      throw refused(
        name,
        `belongs to the ${NAMESPACE_TEXT[namespace]} namespace, and the pod uses the node's`,
      );
  }
}

const NAMESPACE_TEXT = { net: 'network', ipc: 'IPC' } as const;

function namespaceOf(name: string): keyof OwnNamespaces | undefined {
  if (name.startsWith('net.')) return 'net';
  // The UTS namespace is the pod's own exactly when the network is.
  if (name === 'kernel.domainname') return 'net';
  if (name.startsWith('fs.mqueue.') || IPC_SYSCTLS.includes(name)) return 'ipc';
  return undefined;
}

/** With a slash as its first separator a name is spelled with slashes, and a dot is then a part of a word. */
function dottedName(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  if (first !== '/') return name;
  return name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}

function refused(name: string, why: string): Fault {
  return new Fault('invalid', `The sysctl ${JSON.stringify(name)} ${why}`);
}
