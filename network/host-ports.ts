import { Fault } from '../ground/fault.ts';
import type { RecordStore, RecordTable } from '../ground/records.ts';
import { HostPortOwners, portText } from './host-port-owners.ts';
import type { HostPort } from './pod-network.ts';
import { addressFamily } from './pod-range.ts';
import type { PodPorts } from './rule-text.ts';

/** The host ports of pods on the built-in bridge, in memory and in the table `host-ports`; durable before their rules. */
export class HostPortClaims {
  readonly #table: RecordTable<PodPorts>;
  readonly #owners: HostPortOwners;
  readonly #claims = new Map<string, PodPorts>();
  /** Those whose rules are being removed: they still hold their ports. */
  readonly #leaving = new Set<string>();

  /** `owners`: who has which port by any network of the node. */
  constructor(records: RecordStore, owners: HostPortOwners = new HostPortOwners()) {
    this.#owners = owners;
    this.#table = records.table('host-ports', checkClaim);
    for (const { id, value } of this.#table.all()) {
      this.#claims.set(id, value);
      owners.restore({ id, name: value.name ?? '', ports: value.ports });
    }
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
    for (const port of claim.ports) checkPort(port, claim.addresses);
    this.#owners.claim({ id: claim.id, name: claim.name ?? '', ports: claim.ports });
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
    this.#owners.free(id);
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

/** Throws Fault `invalid` when the port cannot lead to a pod with these addresses. */
export function checkPort(port: HostPort, addresses: string[]): void {
  const refuse = (what: string): never => {
    throw new Fault('invalid', `Host port ${portText(port)}: ${what}`);
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

function checkClaim(value: unknown): PodPorts {
  const claim = value as PodPorts;
  for (const port of claim.ports) checkPort(port, claim.addresses);
  return claim;
}
