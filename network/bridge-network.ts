import { randomBytes } from 'node:crypto';
import { Fault, messageOf } from '../ground/fault.ts';
import type { Log } from '../ground/log.ts';
import type { RecordStore } from '../ground/records.ts';
import { UndoStack } from '../ground/undo.ts';
import { isErrno } from '../native/errno.ts';
import { isNsfs } from '../native/namespaces.ts';
import { linkIndex } from '../native/netlink.ts';
import { AddressLeases, type Lease } from './address-leases.ts';
import { forgetUdpFlows } from './host-port-flows.ts';
import type { HostPortOwners } from './host-port-owners.ts';
import { HostPortClaims } from './host-ports.ts';
import { LeaseSweep } from './lease-sweep.ts';
import { linkNames } from './link-names.ts';
import { enableForwarding, enableLocalHostPorts } from './node-sysctls.ts';
import { NodeRules } from './node-rules.ts';
import {
  type BridgeLink,
  deleteLinks,
  dropGateways,
  enslave,
  ensureBridge,
  linksOn,
  makePodLink,
} from './pod-link.ts';
import type { AttachRequest, Attachment, NetworkShape } from './pod-network.ts';
import { type PodRange, rangeSize } from './pod-range.ts';
import type { PodPorts } from './rule-text.ts';
import type { RuleWriter } from './rule-writer.ts';

const LINK_PREFIX = 'berth-';
const LINK_NAME = /^berth-[0-9a-f]{8}$/;
/** How often the shared parts are looked at, while there are pods. */
const GUARD_INTERVAL_MS = 60_000;

export interface BridgeOptions {
  records: RecordStore;
  log: Log;
  /** The bridge's name. */
  bridge: string;
  /** One of each family: who reads and writes the node's rules. */
  rules: RuleWriter[];
  /** Those who may have written before: what they left goes when ours stand. */
  others?: Pick<RuleWriter, 'clear'>[];
  /** Who has which port of the node by any of its networks. */
  owners?: HostPortOwners;
}

/**
 * The built-in network: every pod hangs on one bridge with an address from the node's range. It works in the network
 * namespace that the process is in.
 *
 * The order of an attach is: lease and claims (durable), rules, link. So whatever a crash leaves behind is named by a
 * record, and `gc` finds it. The order of a detach is: rules, claims, lease; the link goes with its namespace, which
 * the caller drops, and the addresses are free when it is gone (see `LeaseSweep`).
 */
export class BridgeNetwork {
  readonly #log: Log;
  readonly #name: string;
  readonly #leases: AddressLeases;
  readonly #claims: HostPortClaims;
  readonly #rules: NodeRules;
  readonly #sweep: LeaseSweep;
  #others: Pick<RuleWriter, 'clear'>[];
  #ranges: PodRange[] = [];
  /** Ranges of before whose gateway addresses the bridge still has. */
  #former: PodRange[] = [];
  #mtu: number | 'uplink' | undefined;
  /** What the bridge was found with. */
  #bridgeMtu = 0;
  #prepared: Promise<BridgeLink> | undefined;
  #guard: NodeJS.Timeout | undefined;

  constructor(options: BridgeOptions) {
    this.#log = options.log;
    this.#others = options.others ?? [];
    this.#name = options.bridge;
    this.#leases = new AddressLeases(options.records);
    this.#claims = new HostPortClaims(options.records, options.owners);
    this.#rules = new NodeRules(options.bridge, options.rules, this.#claims, () => [
      ...new Set([...this.#ranges.map(({ cidr }) => cidr), ...this.#leases.ranges()]),
    ]);
    this.#sweep = new LeaseSweep(this.#leases, deleteLinks, options.log);
  }

  /** Whether the sandbox has anything here. */
  has(id: string): boolean {
    return this.#leases.get(id) !== undefined || this.#claims.get(id) !== undefined;
  }

  /** For people, from memory. */
  shape(): Pick<NetworkShape, 'name' | 'mtu' | 'ranges'> {
    const inUse = this.#leases.countByRange();
    const ranges = this.#ranges.map((range) => ({
      cidr: range.cidr,
      size: String(rangeSize(range)),
      inUse: inUse.get(range.cidr) ?? 0,
    }));
    return { name: this.#name, mtu: this.#bridgeMtu, ranges };
  }

  /** The ranges that new pods get addresses from. */
  setRanges(ranges: PodRange[]): void {
    this.#former = [...this.#former, ...this.#ranges].filter(({ cidr }) =>
      ranges.every((range) => range.cidr !== cidr),
    );
    this.#ranges = ranges;
    this.#prepared = undefined;
  }

  /**
   * The link that leads to the pods of other nodes, and the MTU that fits it. Without one, `link` is empty. `mtu`: see
   * `ensureBridge`.
   */
  setOverlay(link: string, mtu: number | 'uplink' | undefined): void {
    if (this.#rules.overlay === link && this.#mtu === mtu) return;
    this.#rules.overlay = link;
    this.#mtu = mtu;
    this.#prepared = undefined;
  }

  /** Makes what all pods share, once; after a failure and after `setRanges` and `setOverlay` again. */
  async prepare(): Promise<BridgeLink> {
    this.#prepared ??= this.#prepare();
    const prepared = this.#prepared;
    try {
      return await prepared;
    } catch (error) {
      if (this.#prepared === prepared) this.#prepared = undefined;
      throw error;
    }
  }

  async attach(request: AttachRequest, signal?: AbortSignal): Promise<Attachment> {
    const bridge = await this.prepare();
    signal?.throwIfAborted();
    const { id, hostPorts } = request;
    const ranges = this.#ranges;
    const lease = this.#take(id, ranges);
    const undo = new UndoStack();
    undo.push('lease', () => this.#giveBack(id, lease));
    try {
      if (hostPorts.length > 0) {
        const name = `${request.podNamespace}/${request.podName}`;
        const claim = { id, name, addresses: lease.addresses, ports: hostPorts };
        this.#claims.claim(claim);
        undo.push('host ports', () => this.#leavePorts(id));
        enableLocalHostPorts(this.#name, this.#log);
        await this.#rules.write();
        await this.#forgetFlows(claim);
        signal?.throwIfAborted();
      }
      const addresses = lease.addresses.map((address, index) => ({ address, range: ranges[index]! }));
      const plan = { hostName: lease.link, netnsPath: request.netnsPath, addresses };
      try {
        await makePodLink({ ...plan, bridge });
      } catch (error) {
        // What the kernel says of a bridge that is gone.
        if (!isErrno(error, 'ENODEV', 'EINVAL')) throw error;
        if (linkIndex(this.#name) === bridge.index) throw error;
        this.#log.warn({ bridge: this.#name }, 'The bridge was taken away; it is made again');
        this.#prepared = undefined;
        await makePodLink({ ...plan, bridge: await this.prepare() });
      }
      undo.keep();
    } catch (error) {
      for (const { name, error: failure } of await undo.rollback())
        this.#log.warn({ sandbox: id, step: name, error: messageOf(failure) }, 'A step back has failed');
      throw error;
    }
    this.#watch();
    const detail = { link: lease.link, ranges: lease.ranges };
    return { network: 'bridge', addresses: lease.addresses, detail };
  }

  /** Idempotent. Rejects when rules are left: they stay claimed and are tried again by the next call. */
  async detach(request: AttachRequest): Promise<void> {
    const { id, netnsPath } = request;
    await this.#leavePorts(id);
    if (this.#leases.get(id) === undefined) return;
    this.#leases.release(id);
    this.#sweep.watch(id, isNsfs(netnsPath));
  }

  /** Takes away all that belongs to sandboxes that are not in `live`, links included. */
  async gc(live: Set<string>): Promise<void> {
    for (const [id] of this.#leases.entries()) if (!live.has(id)) this.#leases.release(id);
    const leaving = this.#claims.ids().filter((id) => !live.has(id));
    try {
      await this.#leavePorts(...leaving);
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'Rules of dead sandboxes could not be removed');
    }
    const leases = this.#leases.entries().map(([, lease]) => lease);
    const held = new Set(leases.filter(({ state }) => state === 'held').map(({ link }) => link));
    const known = new Set(leases.map(({ link }) => link));
    const bridge = linkIndex(this.#name);
    const present = [...linkNames()].filter((name) => LINK_NAME.test(name) && !held.has(name));
    // Another Berth may share the namespace: only links that our leases name, or that hang on our bridge.
    const strays = present.some((name) => !known.has(name)) && bridge !== undefined ? linksOn(bridge) : [];
    await deleteLinks(present.filter((name) => known.has(name) || strays.includes(name)));
    this.#sweep.now();
  }

  async close(): Promise<void> {
    clearInterval(this.#guard);
    this.#guard = undefined;
    await this.#sweep.close();
  }

  async #prepare(): Promise<BridgeLink> {
    for (const family of new Set(this.#ranges.map((range) => range.family)))
      enableForwarding(family, this.#log);
    // The rules name the bridge and do not need it: both take their time side by side.
    const [link, rules] = await Promise.allSettled([
      ensureBridge(this.#name, this.#ranges, this.#mtu),
      this.#rules.ensure(),
    ]);
    if (link.status === 'rejected') throw link.reason;
    const { made, ...bridge } = link.value;
    if (made) {
      this.#log.info({ bridge: this.#name, mtu: bridge.mtu }, 'Made the bridge for pods');
      const present = linkNames();
      const orphans = this.#leases.entries().filter(([, { link }]) => present.has(link));
      await enslave(
        bridge.index,
        orphans.map(([, { link }]) => link),
      );
    }
    this.#bridgeMtu = bridge.mtu;
    await this.#dropFormer(bridge.index);
    if (rules.status === 'rejected') throw rules.reason;
    if (rules.value) this.#log.info({ bridge: this.#name }, 'Wrote the rules for pods');
    await this.#clearOthers();
    if (this.#claims.ids().length > 0) enableLocalHostPorts(this.#name, this.#log);
    return bridge;
  }

  /** Once; what fails is tried again by the next look. Rules that stand twice do no harm meanwhile. */
  async #clearOthers(): Promise<void> {
    const left: Pick<RuleWriter, 'clear'>[] = [];
    for (const other of this.#others)
      try {
        if (await other.clear())
          this.#log.info({}, 'Removed rules that another firewall backend had written');
      } catch (error) {
        left.push(other);
        this.#log.warn({ error: messageOf(error) }, 'Rules of another firewall backend cannot be removed');
      }
    this.#others = left;
  }

  /** A range may be another node's next: its gateway address goes with the last pod. */
  async #dropFormer(bridgeIndex: number): Promise<void> {
    if (this.#former.length === 0) return;
    const leased = this.#leases.ranges();
    const unused = this.#former.filter(({ cidr }) => !leased.has(cidr));
    await dropGateways(bridgeIndex, unused);
    this.#former = this.#former.filter((range) => !unused.includes(range));
  }

  #take(id: string, ranges: PodRange[]): Lease {
    const link = LINK_PREFIX + randomBytes(4).toString('hex');
    try {
      return this.#leases.take(id, ranges, link);
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== 'exhausted') throw error;
      // Links that have gone since the last look may have left room.
      this.#sweep.now();
      return this.#leases.take(id, ranges, link);
    }
  }

  async #giveBack(id: string, lease: Lease): Promise<void> {
    this.#leases.release(id);
    if (linkNames().has(lease.link)) await deleteLinks([lease.link]);
    this.#sweep.now();
  }

  async #leavePorts(...ids: string[]): Promise<void> {
    const claims = ids.flatMap((id) => this.#claims.get(id) ?? []);
    if (claims.length === 0) return;
    for (const { id } of claims) this.#claims.leave(id);
    await this.#rules.write();
    for (const claim of claims) {
      await this.#forgetFlows(claim);
      this.#claims.drop(claim.id);
    }
  }

  /** Stale flows end by themselves some minutes after their last packet: failing here fails nothing else. */
  async #forgetFlows(claim: PodPorts): Promise<void> {
    try {
      await forgetUdpFlows(claim);
    } catch (error) {
      this.#log.warn(
        { sandbox: claim.id, error: messageOf(error) },
        'UDP flows to host ports cannot be reset',
      );
    }
  }

  /** Rules can be flushed and bridges removed by others: looks now and then, and mends. Attaches do not wait for it. */
  #watch(): void {
    this.#guard ??= setInterval(() => {
      if (this.#leases.entries().length > 0 || this.#former.length > 0) void this.#mend();
    }, GUARD_INTERVAL_MS).unref();
  }

  async #mend(): Promise<void> {
    const ranges = this.#ranges;
    try {
      const bridge = await this.#prepare();
      if (ranges === this.#ranges) this.#prepared = Promise.resolve(bridge);
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'What pods share cannot be mended');
    }
  }
}
