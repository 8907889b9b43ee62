import { Fault, messageOf } from '../../ground/fault.ts';
import type { Log } from '../../ground/log.ts';
import type { RecordStore, RecordTable } from '../../ground/records.ts';
import type { OverlayStatus } from '../pod-network.ts';
import { parsePodRanges } from '../pod-range.ts';
import { planPeers } from './cluster-node.ts';
import type { NodesReport } from './kubernetes-nodes.ts';
import { KnownNodes } from './known-nodes.ts';
import type { NodesSource } from './nodes-thread.ts';
import { ensureVxlan, leadTo, presentAddress, removeVxlan, type VxlanSettings } from './vxlan-link.ts';

export interface OverlayOptions {
  records: RecordStore;
  log: Log;
  link: VxlanSettings;
  /** This node's name in the cluster. */
  node: string;
  source: NodesSource;
  /** Makes the node's own part serve these ranges, with pods' links of this MTU. Rejects when it cannot. */
  serve(podCidr: string, mtu: number): Promise<void>;
}

/** Links, routes and entries can be taken away by others: looks now and then, and mends. */
const MEND_INTERVAL_MS = 60_000;

/**
 * Joins the pods of a cluster's nodes: a VXLAN link whose routes, neighbours and forwarding entries follow the nodes
 * of the cluster. The last known nodes are durable, so that all of it is there again after a restart without the API
 * server. The link is named by a record before it is made.
 *
 *     waiting (no range of this node is known) --Node object with podCIDRs--> applying --> leading
 *                                                                               ^  \-- failed <--.
 *                                                                               '-- report, mending, retry --'
 */
export class Overlay {
  readonly #options: OverlayOptions;
  readonly #known: KnownNodes;
  readonly #made: RecordTable<{ link: string }>;
  readonly #closing = new AbortController();
  #following: Promise<void> | undefined;
  #applying: Promise<void> | undefined;
  #again = false;
  #mender: NodeJS.Timeout | undefined;
  #apiTrouble = 'It has not been asked yet';
  #trouble = 'It has not been started yet';
  #address = '';
  #mtu = 0;
  #plan: ReturnType<typeof planPeers> = { peers: [], refused: [] };

  constructor(options: OverlayOptions) {
    this.#options = options;
    this.#known = new KnownNodes(options.records);
    this.#made = linkTable(options.records);
  }

  /** Why pods cannot be served; empty when they can. */
  get trouble(): string {
    return this.#trouble;
  }

  /** This node's ranges as they were last heard of, with a comma between; empty: none. */
  get podCidr(): string {
    return this.#known.get(this.#options.node)?.podCidrs.join(',') ?? '';
  }

  /** Applies what is known, and follows the nodes from now on. Does not reject: `trouble` says what is wrong. */
  async start(): Promise<void> {
    await this.apply();
    this.#following = this.#options.source.follow((report) => this.#hear(report), this.#closing.signal);
    this.#mender = setInterval(() => void this.apply(), MEND_INTERVAL_MS).unref();
  }

  /** Makes the kernel's state follow what is known. Calls never overlap: one that comes meanwhile is done after it. */
  apply(): Promise<void> {
    this.#again = true;
    this.#applying ??= (async () => {
      while (this.#again && !this.#closing.signal.aborted) {
        this.#again = false;
        await this.#applyOnce();
      }
    })().finally(() => (this.#applying = undefined));
    return this.#applying;
  }

  /** From memory. */
  status(): OverlayStatus {
    const { node, link } = this.#options;
    return {
      node,
      link: link.name,
      address: this.#address,
      podCidrs: this.#known.get(node)?.podCidrs ?? [],
      mtu: this.#mtu,
      apiTrouble: this.#apiTrouble,
      peers: this.#plan.peers.map(({ name, address, ranges }) => ({
        name,
        address,
        podCidrs: ranges.map(({ cidr }) => cidr),
      })),
      refused: this.#plan.refused,
    };
  }

  /** Ends following. The link stays: pods live on. */
  async close(): Promise<void> {
    clearInterval(this.#mender);
    this.#closing.abort();
    await this.#following;
    await this.#applying;
  }

  #hear(report: NodesReport): void {
    if (this.#closing.signal.aborted) return;
    const { node, log } = this.#options;
    if ('trouble' in report) {
      if (report.trouble !== '')
        log.warn({ error: report.trouble }, 'The nodes of the cluster are not followed');
      else log.info({}, 'The nodes of the cluster are followed');
      this.#apiTrouble = report.trouble;
      if (report.trouble !== '' && this.#known.get(node) === undefined) void this.apply();
      return;
    }
    // A list without this node is that of another cluster, or of one that is being restored.
    if (report.nodes.every(({ name }) => name !== node)) {
      log.warn(
        { node, nodes: report.nodes.length },
        'The cluster does not know this node: the nodes stay as they were',
      );
      this.#apiTrouble = `the cluster has no node ${node}`;
    } else {
      this.#apiTrouble = '';
      try {
        this.#known.replace(report.nodes);
      } catch (error) {
        log.error({ error: messageOf(error) }, 'The nodes of the cluster cannot be recorded');
        return;
      }
    }
    void this.apply();
  }

  async #applyOnce(): Promise<void> {
    const { node, log } = this.#options;
    const before = this.#trouble;
    try {
      const changed = await this.#lead();
      this.#trouble = '';
      const { peers, refused } = this.#plan;
      if (changed > 0)
        log.info(
          { peers: peers.length, refused, changed, address: this.#address },
          'The VXLAN follows the nodes',
        );
    } catch (error) {
      this.#trouble = messageOf(error);
      if (this.#trouble !== before) log.warn({ node, error: this.#trouble }, 'The VXLAN is not ready');
    }
  }

  async #lead(): Promise<number> {
    const { node, link: settings, serve } = this.#options;
    const own = this.#known.get(node);
    const hint = 'see [network] node_name and kubeconfig';
    if (own === undefined)
      throw new Fault('unavailable', `The Node object ${node} is not known yet`, {
        cause: this.#apiTrouble === '' ? undefined : this.#apiTrouble,
        hint: this.#apiTrouble === '' ? hint : undefined,
      });
    if (own.podCidrs.length === 0)
      throw new Fault('unavailable', `The Node object ${node} has no podCIDR yet`, {
        hint: "the cluster's controller manager gives them (--allocate-node-cidrs)",
      });
    const podCidr = own.podCidrs.join(',');
    const ranges = parsePodRanges(podCidr);
    const address = presentAddress(own.addresses);
    if (address === undefined)
      throw new Fault('precondition', `No link of this node has an InternalIP of its Node object`, {
        hint: `${node} has ${own.addresses.join(', ') || 'none'} there: see the kubelet's --node-ip`,
      });
    if (this.#made.get(LINK)?.link !== settings.name) {
      await removeOverlay(this.#options.records);
      this.#made.put(LINK, { link: settings.name });
    }
    const link = await ensureVxlan(settings, { name: node, address, ranges });
    this.#address = address;
    this.#mtu = link.mtu;
    await serve(podCidr, link.mtu);
    this.#plan = planPeers(node, address, this.#known.list());
    return await leadTo(link, this.#plan.peers, ranges);
  }
}

/** Takes away the link that an overlay made. Whether there was a record of one. */
export async function removeOverlay(records: RecordStore): Promise<boolean> {
  const table = linkTable(records);
  const made = table.get(LINK);
  if (made === undefined) return false;
  await removeVxlan(made.link);
  table.delete(LINK);
  return true;
}

/** The same for a node that has no overlay any more: what was known of the other nodes goes, too. */
export async function leaveOverlay(records: RecordStore): Promise<boolean> {
  const was = await removeOverlay(records);
  if (was) new KnownNodes(records).replace([]);
  return was;
}

const LINK = 'link';

function linkTable(records: RecordStore): RecordTable<{ link: string }> {
  return records.table('overlay', (value) => {
    const row = value as { link: string };
    if (typeof row.link !== 'string') throw new TypeError('Not the link of an overlay');
    return row;
  });
}
