import { Fault } from '../ground/fault.ts';
import type { RecordStore, RecordTable } from '../ground/records.ts';
import { addressAt, addressNumber, type PodRange, rangeSize } from './pod-range.ts';

/**
 * The addresses that sandboxes hold. A lease is durable before the kernel changes, and names the host link that
 * will carry its addresses:
 *
 *     (none) --take--> held --release--> releasing --drop--> (none)
 *
 * `releasing` means that the sandbox is gone for its owner while its link may still live in the kernel, which takes
 * links away some time after their namespace. Its addresses are given to nobody before `drop`.
 */
export interface Lease {
  state: 'held' | 'releasing';
  /** In the order of the ranges: the primary one first. */
  addresses: string[];
  /** The ranges that they were taken from. */
  ranges: string[];
  /** Name of the host end of the pod's link. */
  link: string;
}

/** The leases of all sandboxes, in memory and in the tables `addresses` and `address-cursors`. */
export class AddressLeases {
  readonly #records: RecordStore;
  readonly #table: RecordTable<Lease>;
  readonly #cursors: RecordTable<{ last: bigint }>;
  readonly #leases = new Map<string, Lease>();
  /** Which sandbox has which address. */
  readonly #owners = new Map<string, string>();

  constructor(records: RecordStore) {
    this.#records = records;
    this.#table = records.table('addresses', checkLease);
    this.#cursors = records.table('address-cursors');
    for (const { id, value } of this.#table.all()) this.#keep(id, value);
  }

  get(id: string): Lease | undefined {
    return this.#leases.get(id);
  }

  entries(): [id: string, lease: Lease][] {
    return [...this.#leases];
  }

  /** The ranges that any lease was taken from. */
  ranges(): Set<string> {
    return new Set(this.entries().flatMap(([, lease]) => lease.ranges));
  }

  /** How many addresses of each range are held or being released. */
  countByRange(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { ranges } of this.#leases.values())
      for (const range of ranges) counts.set(range, (counts.get(range) ?? 0) + 1);
    return counts;
  }

  /**
   * Takes one address from each range, the next one after the last taken, so that an address rests as long as
   * possible after its release. Throws Fault `exhausted` when a range has none left, `exists` when `id` holds a lease.
   */
  take(id: string, ranges: PodRange[], link: string): Lease {
    if (this.#leases.has(id))
      throw new Fault('exists', 'The sandbox holds addresses already', { subject: `sandbox ${id}` });
    const numbers = ranges.map((range) => this.#next(range));
    const lease: Lease = {
      state: 'held',
      addresses: ranges.map((range, index) => addressAt(range, numbers[index]!)),
      ranges: ranges.map((range) => range.cidr),
      link,
    };
    this.#records.transaction(() => {
      this.#table.put(id, lease);
      for (const [index, range] of ranges.entries()) this.#cursors.put(range.cidr, { last: numbers[index]! });
    });
    this.#keep(id, lease);
    return lease;
  }

  /** The owner has given up; the link may live on. Without a lease: nothing. */
  release(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined || lease.state === 'releasing') return;
    const releasing: Lease = { ...lease, state: 'releasing' };
    this.#table.put(id, releasing);
    this.#leases.set(id, releasing);
  }

  /** The link is gone: the addresses are free. */
  drop(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    this.#table.delete(id);
    this.#leases.delete(id);
    for (const address of lease.addresses) this.#owners.delete(address);
  }

  #keep(id: string, lease: Lease): void {
    this.#leases.set(id, lease);
    for (const address of lease.addresses) this.#owners.set(address, id);
  }

  #next(range: PodRange): bigint {
    const cursor = this.#cursors.get(range.cidr)?.last ?? range.last;
    const size = rangeSize(range);
    // Among one more candidates than there are addresses in use, one is free.
    const tries = Math.min(Number(size), this.#owners.size + 1);
    let number = cursor >= range.first && cursor < range.last ? cursor + 1n : range.first;
    for (let i = 0; i < tries; i++) {
      if (!this.#owners.has(addressAt(range, number))) return number;
      number = number < range.last ? number + 1n : range.first;
    }
    const leaving = this.entries().filter(([, lease]) => lease.state === 'releasing').length;
    throw new Fault(
      'exhausted',
      `No address is left in ${range.cidr} (${size} in all, ${leaving} being released)`,
      { hint: 'remove pods, or give the node a larger range' },
    );
  }
}

function checkLease(value: unknown): Lease {
  const lease = value as Lease;
  if (typeof lease.link !== 'string' || (lease.state !== 'held' && lease.state !== 'releasing'))
    throw new Fault('data-loss', 'Not a lease');
  for (const address of lease.addresses) addressNumber(address);
  if (!Array.isArray(lease.ranges)) throw new Fault('data-loss', 'Not a lease');
  return lease;
}
