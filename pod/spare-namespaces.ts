import { closeFd, O, openPath } from '../native/fd.ts';
import { CLONE, setns, unshare } from '../native/namespaces.ts';
import { linkUp, LOOPBACK_INDEX, Rtnl } from '../native/netlink.ts';

const KINDS = ['net', 'ipc', 'uts'] as const;
const FLAGS = { net: CLONE.NEWNET, ipc: CLONE.NEWIPC, uts: CLONE.NEWUTS } as const;

/**
 * One set of network, IPC and UTS namespaces, made while nobody waits for it: the next pod gets them. A network
 * namespace takes most of a sandbox's time, and much longer while the kernel takes others apart.
 *
 * Only file descriptors hold the spare, so it goes with the process: no record has to name it.
 */
export class SpareNamespaces {
  #spare: Record<(typeof KINDS)[number], number> | undefined;

  get there(): boolean {
    return this.#spare !== undefined;
  }

  /** Makes the spare. The calling thread is in it afterwards and has to return home by itself. */
  make(): void {
    unshare(CLONE.NEWNET | CLONE.NEWIPC | CLONE.NEWUTS);
    loopbackUp();
    const open = (kind: string): number => openPath(`/proc/thread-self/ns/${kind}`, O.RDONLY);
    this.#spare = { net: open('net'), ipc: open('ipc'), uts: open('uts') };
  }

  /** Moves the calling thread into the spare, which is then nobody's any more. False when there is none. */
  enter(): boolean {
    const spare = this.#spare;
    if (spare === undefined) return false;
    this.#spare = undefined;
    try {
      for (const kind of KINDS) setns(spare[kind], FLAGS[kind]);
    } finally {
      for (const kind of KINDS) closeFd(spare[kind]);
    }
    return true;
  }

  /** Drops the spare: the kernel takes it apart. */
  close(): void {
    for (const fd of Object.values(this.#spare ?? {})) closeFd(fd);
    this.#spare = undefined;
  }
}

/** Brings the loopback of the thread's network namespace up. */
export function loopbackUp(): void {
  using rtnl = new Rtnl();
  rtnl.exec([linkUp(LOOPBACK_INDEX)]);
}
