import { Fault } from '../ground/fault.ts';
import type { HostPort } from './pod-network.ts';
import { addressFamily } from './pod-range.ts';
import { isAnyAddress } from './rule-text.ts';

export interface HostPortOwner {
  /** The sandbox's id. */
  id: string;
  /** `namespace/name` of the pod, for people; empty when it is not known. */
  name: string;
  ports: HostPort[];
}

/** Which sandbox has which port of the node, whoever leads it there. In memory: the networks' records are the truth. */
export class HostPortOwners {
  readonly #owners = new Map<string, HostPortOwner>();

  /**
   * Gives the ports to a sandbox. Throws Fault `exists` that names the owner when one is taken, `invalid` when one is
   * asked for twice.
   */
  claim(owner: HostPortOwner): void {
    const subject = `sandbox ${owner.id}`;
    for (const [index, port] of owner.ports.entries()) {
      if (owner.ports.slice(0, index).some((other) => collide(port, other)))
        throw new Fault('invalid', `Host port ${portText(port)} is asked for twice`, { subject });
      const other = this.#others(owner.id).find(({ ports }) => ports.some((one) => collide(port, one)));
      if (other === undefined) continue;
      const of = other.name === '' ? '' : ` (pod ${other.name})`;
      throw new Fault('exists', `Host port ${portText(port)} belongs to sandbox ${other.id}${of}`, {
        subject,
        hint: 'remove that pod first, or take another port',
      });
    }
    this.restore(owner);
  }

  /** As `claim`, for one that was claimed in an earlier run. */
  restore(owner: HostPortOwner): void {
    if (owner.ports.length > 0) this.#owners.set(owner.id, owner);
  }

  /** The sandboxes that have any of these ports. */
  rivals(id: string, ports: readonly HostPort[]): string[] {
    return this.#others(id)
      .filter((other) => other.ports.some((one) => ports.some((port) => collide(port, one))))
      .map((other) => other.id);
  }

  /** The sandbox's ports are free. */
  free(id: string): void {
    this.#owners.delete(id);
  }

  #others(id: string): HostPortOwner[] {
    return [...this.#owners.values()].filter((other) => other.id !== id);
  }
}

/** A port for people: `192.0.2.1:80/tcp`. */
export function portText({ hostIp, hostPort, protocol }: HostPort): string {
  return `${hostIp === '' ? '' : `${hostIp.includes(':') ? `[${hostIp}]` : hostIp}:`}${hostPort}/${protocol}`;
}

function collide(a: HostPort, b: HostPort): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort) return false;
  const families = [a, b].map(({ hostIp }) => (hostIp === '' ? undefined : addressFamily(hostIp)));
  if (families[0] !== undefined && families[1] !== undefined && families[0] !== families[1]) return false;
  return isAnyAddress(a.hostIp) || isAnyAddress(b.hostIp) || a.hostIp === b.hostIp;
}
