import { Fault } from '../ground/fault.ts';
import type { RecordStore, RecordTable } from '../ground/records.ts';
import type { HostPort } from './pod-network.ts';
import { addressFamily } from './pod-range.ts';
import { isAnyAddress, type PodPorts } from './rule-text.ts';

/** Who has which port of the node: in memory and in the table `host-ports`, durable before any rule is written. */
export class HostPortClaims {
  readonly #table: RecordTable<PodPorts>;
  readonly #claims = new Map<string, PodPorts>();
  /** Those whose rules are being removed: they still hold their ports. */
  readonly #leaving = new Set<string>();

  constructor(records: RecordStore) {
    this.#table = records.table('host-ports', checkClaim);
    for (const { id, value } of this.#table.all()) this.#claims.set(id, value);
  }

  get(id: string): PodPorts | undefined {
    return this.#claims.get(id);
  }

  ids(): string[] {
    return [...this.#claims.keys()];
  }

  /** The claims that are to have rules. */
  staying(): PodPorts[] {
    return [...this.#claims.values()].filter(({ id }) => !this.#leaving.has(id));
  }

  /**
   * Claims the ports for a sandbox. Throws Fault `exists` that names the owner when one is taken, `invalid` when a
   * port, protocol or host address cannot be served.
   */
  claim(claim: PodPorts): void {
    for (const [index, port] of claim.ports.entries()) {
      checkPort(port, claim.addresses);
      const twin = claim.ports.slice(0, index).find((other) => collide(port, other));
      if (twin !== undefined)
        throw new Fault('invalid', `Host port ${describe(port)} is asked for twice`, {
          subject: `sandbox ${claim.id}`,
        });
      const owner = [...this.#claims.values()].find(
        (other) => other.id !== claim.id && other.ports.some((p) => collide(port, p)),
      );
      if (owner !== undefined)
        throw new Fault('exists', `Host port ${describe(port)} belongs to sandbox ${owner.id}`, {
          subject: `sandbox ${claim.id}`,
          hint: 'remove that pod first, or take another port',
        });
    }
    this.#table.put(claim.id, claim);
    this.#claims.set(claim.id, claim);
  }

  /** From the next write on it has no rules. */
  leave(id: string): void {
    if (this.#claims.has(id)) this.#leaving.add(id);
  }

  /** Its rules are gone: the ports are free. */
  drop(id: string): void {
    this.#table.delete(id);
    this.#claims.delete(id);
    this.#leaving.delete(id);
  }
}

/** The pods' claims as rules of one family need them. A port with a host address concerns that one's family only. */
export function hostPortsOf(
  family: 4 | 6,
  claims: PodPorts[],
): { id: string; address: string; ports: HostPort[] }[] {
  return claims.flatMap(({ id, addresses, ports }) => {
    const address = addresses.find((text) => addressFamily(text) === family);
    if (address === undefined) return [];
    const ours = ports.filter(({ hostIp }) => hostIp === '' || addressFamily(hostIp) === family);
    return ours.length === 0 ? [] : [{ id, address, ports: ours }];
  });
}

function collide(a: HostPort, b: HostPort): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort) return false;
  const families = [a, b].map(({ hostIp }) => (hostIp === '' ? undefined : addressFamily(hostIp)));
  if (families[0] !== undefined && families[1] !== undefined && families[0] !== families[1]) return false;
  return isAnyAddress(a.hostIp) || isAnyAddress(b.hostIp) || a.hostIp === b.hostIp;
}

function checkPort(port: HostPort, addresses: string[]): void {
  const refuse = (what: string): never => {
    throw new Fault('invalid', `Host port ${describe(port)}: ${what}`);
  };
  for (const number of [port.hostPort, port.containerPort])
    if (!Number.isInteger(number) || number < 1 || number > 65535) refuse(`${number} is no port`);
  if (!['tcp', 'udp', 'sctp'].includes(port.protocol)) refuse('the protocol is none of tcp, udp, sctp');
  if (port.hostIp === '') return;
  const family = addressFamily(port.hostIp);
  if (family === undefined) refuse('the host address is no address');
  if (!addresses.some((address) => addressFamily(address) === family))
    refuse(`the pod has no IPv${family} address to lead it to`);
}

function describe({ hostIp, hostPort, protocol }: HostPort): string {
  return `${hostIp === '' ? '' : `${hostIp.includes(':') ? `[${hostIp}]` : hostIp}:`}${hostPort}/${protocol}`;
}

function checkClaim(value: unknown): PodPorts {
  const claim = value as PodPorts;
  for (const port of claim.ports) checkPort(port, claim.addresses);
  return claim;
}
