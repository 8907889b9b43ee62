import type { ConfigList } from '../cni/config-list.ts';
import { ConfigDirectory } from '../cni/config-directory.ts';
import { BuiltInPlugins } from '../cni/built-in-plugins.ts';
import { PluginRunner } from '../cni/plugin-runner.ts';
import { Fault, messageOf } from '../ground/fault.ts';
import { Limit } from '../ground/limit.ts';
import type { Log } from '../ground/log.ts';
import type { RecordStore, RecordTable } from '../ground/records.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { BridgeNetwork } from './bridge-network.ts';
import { HostPortOwners } from './host-port-owners.ts';
import { CniNetwork } from './cni-network.ts';
import { type Firewall, type FirewallSetting, openFirewall } from './firewall.ts';
import { NetworkReadiness } from './network-readiness.ts';
import type { AttachRequest, Attachment, NetworkShape, NetworkStatus, PodNetwork } from './pod-network.ts';
import { ownPlugins } from './plugins/own-plugins.ts';
import { parsePodRanges } from './pod-range.ts';
import { NodesThread } from './vxlan/nodes-thread.ts';
import { leaveOverlay, Overlay } from './vxlan/overlay.ts';
import type { VxlanSettings } from './vxlan/vxlan-link.ts';

export interface NetworkOptions {
  records: RecordStore;
  exits: ExitWatcher;
  log: Log;
  config: {
    /** Where CNI configurations lie. */
    confDir: string;
    /** Where CNI plugins lie, in order of preference. */
    binDirs: string[];
    /** Types of plugins that are run by exec although they are built in. */
    execPlugins: string[];
    /** `10.1.0.0/24`, or with a second range of the other family after a comma; empty: the kubelet says it. */
    podCidr: string;
    /** Name of the built-in network's bridge. */
    bridge: string;
    /** Who writes the node's packet filter. */
    firewall: FirewallSetting;
    /** Joins the nodes of a cluster; absent: this node is alone, or others join it. */
    overlay?: OverlayConfig;
  };
  /** How often the configuration directory is looked at. */
  pollMs?: number;
  /** How long plugins that were ready may fail before the node counts as not ready. */
  graceMs?: number;
  /** Hears of each step that a plugin in this process has taken: `ADD bridge`, `settle`, `DEL portmap`. */
  step?: (name: string) => void;
}

/** What of the configuration can change while the network serves. */
export type LiveNetworkConfig = Pick<NetworkOptions['config'], 'confDir' | 'binDirs' | 'execPlugins'>;

/** The network, with what can change while it serves: from then on for new pods, and for all calls of plugins. */
export interface LiveNetwork extends PodNetwork {
  reconfigure(config: LiveNetworkConfig): Promise<void>;
}

export interface OverlayConfig {
  /** A kubeconfig whose user may list and watch nodes. */
  kubeconfig: string;
  /** This node's name in the cluster. */
  node: string;
  link: VxlanSettings;
}

const POLL_MS = 3000;
/** Plugins are asked for their status in one of so many looks. */
const PROBE_EVERY = 4;
/** The kernel changes links one after the other: more at once only wait for each other. */
const CONCURRENCY = 8;
const REASON = 'NetworkPluginNotReady';

/** What serves new pods. */
type Choice = { by: 'cni'; list: ConfigList } | { by: 'bridge'; podCidr: string } | { by: 'none' };

/**
 * Opens the network of a node: the first CNI list in `confDir` if there is one, else the built-in bridge network if a
 * range is known, else none yet. It chooses again when that changes; a pod leaves the way it came.
 * Throws Fault `invalid` when `podCidr` is malformed.
 */
export async function openNetwork(options: NetworkOptions): Promise<LiveNetwork> {
  const firewall = await openFirewall(options.config.firewall, options.exits);
  options.log.info({ firewall: firewall.kind, why: firewall.why }, 'Chose how the packet filter is written');
  const network = new NodeNetwork(options, firewall);
  await network.look();
  return network;
}

class NodeNetwork implements LiveNetwork {
  readonly #log: Log;
  readonly #directory: ConfigDirectory;
  readonly #executables: PluginRunner;
  readonly #plugins: BuiltInPlugins;
  readonly #bridge: BridgeNetwork;
  readonly #cni: CniNetwork;
  readonly #readiness: NetworkReadiness;
  readonly #firewall: Firewall;
  readonly #overlay: Overlay | undefined;
  readonly #records: RecordStore;
  readonly #settings: RecordTable<{ podCidr: string }>;
  readonly #configuredCidr: string;
  /** What the kubelet has said. */
  #givenCidr: string;
  readonly #arrivals = new Limit(CONCURRENCY);
  /** Of pods with host ports, which may wait for the lock of the node's rules: the others do not wait behind them. */
  readonly #mappedArrivals = new Limit(CONCURRENCY);
  readonly #departures = new Limit(CONCURRENCY);
  readonly #pollMs: number;
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #looking: Promise<void> | undefined;
  #started = false;
  #starting: Promise<void> | undefined;
  #choice: Choice = { by: 'none' };
  /** Why the built-in network is not ready; empty when it is. */
  #bridgeTrouble = 'It has not been started yet';

  constructor({ records, exits, log, config, pollMs, graceMs, step }: NetworkOptions, firewall: Firewall) {
    this.#executables = new PluginRunner(exits, config.binDirs);
    const plugins = ownPlugins({ firewall: firewall.pods });
    const runner = new BuiltInPlugins(plugins, this.#executables, config.execPlugins, step);
    this.#plugins = runner;
    const owners = new HostPortOwners();
    this.#log = log;
    this.#directory = new ConfigDirectory(config.confDir);
    this.#cni = new CniNetwork({ records, runner, log, owners, step });
    this.#readiness = new NetworkReadiness(runner, graceMs);
    this.#firewall = firewall;
    const { rules, others } = firewall;
    this.#bridge = new BridgeNetwork({ records, log, bridge: config.bridge, rules, others, owners });
    const { overlay } = config;
    this.#overlay =
      overlay &&
      new Overlay({
        records,
        log,
        ...overlay,
        source: new NodesThread(overlay.kubeconfig),
        serve: (podCidr, mtu) => this.#serve(podCidr, overlay.link.name, mtu),
      });
    this.#records = records;
    this.#settings = records.table('network-settings');
    this.#givenCidr = this.#settings.get('kubelet')?.podCidr ?? '';
    parsePodRanges(config.podCidr);
    this.#configuredCidr = config.podCidr;
    this.#pollMs = pollMs ?? POLL_MS;
  }

  /** Does not reject when the network cannot serve yet: `status` says why, and it is tried again. */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    this.#started = true;
    if (this.#overlay === undefined) await this.#leaveOverlay();
    else await this.#overlay.start();
    await this.#apply();
    this.#schedule();
  }

  async reconfigure({ confDir, binDirs, execPlugins }: LiveNetworkConfig): Promise<void> {
    // A look that runs reads the directory of before.
    while (this.#looking !== undefined) await this.#looking;
    this.#executables.setDirectories(binDirs);
    this.#plugins.force(execPlugins);
    this.#directory.path = confDir;
    await this.look();
  }

  /** Reads the configuration directory if it changed, and chooses. Looks never overlap. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async attach(request: AttachRequest, signal?: AbortSignal): Promise<Attachment> {
    const limit = request.hostPorts.length > 0 ? this.#mappedArrivals : this.#arrivals;
    return await limit.run(async () => {
      const choice = this.#choice;
      switch (choice.by) {
        case 'cni':
          return await this.#cni.attach(request, choice.list, this.#podCidr(), signal);
        case 'bridge': {
          const attached = await this.#bridge.attach(request, signal);
          this.#bridgeTrouble = '';
          return attached;
        }
        case 'none':
          throw new Fault('unavailable', 'The node has no pod network yet', { hint: this.status().message });
        default:
          return choice satisfies never;
      }
    }, signal);
  }

  async detach(request: AttachRequest, attachment?: Attachment, signal?: AbortSignal): Promise<void> {
    await this.#departures.run(async () => {
      // By the records and not by the attachment alone: after a crash there may be none.
      if (this.#bridge.has(request.id)) await this.#bridge.detach(request);
      if (attachment?.network === 'cni' || this.#cni.has(request.id))
        await this.#cni.detach(request, attachment, signal);
    }, signal);
  }

  async gc(live: Set<string>, progress?: (step: string) => void): Promise<void> {
    await this.#starting;
    await this.#bridge.gc(live);
    await this.#cni.gc(live, this.#choice.by === 'cni' ? this.#choice.list : undefined, progress);
  }

  status(): NetworkStatus {
    const trouble = this.#trouble();
    const passedOver = this.#directory.bad.map(({ file, reason }) => `${file} was passed over: ${reason}`);
    const message = [trouble, ...passedOver].filter((part) => part !== '').join('; ');
    const overlay = this.#overlay?.status();
    const podCidr = this.#podCidr();
    return {
      ready: trouble === '',
      reason: trouble === '' ? '' : REASON,
      message,
      ...(podCidr === '' ? {} : { range: { podCidr, by: this.#rangeBy() } }),
      ...(overlay === undefined ? {} : { overlay }),
    };
  }

  shape(): NetworkShape {
    const choice = this.#choice;
    const none = { name: '', plugins: [], mtu: 0, ranges: [], firewall: this.#firewall.kind };
    switch (choice.by) {
      case 'cni':
        return {
          ...none,
          by: 'cni',
          name: choice.list.name,
          plugins: choice.list.plugins.map(({ type }) => type),
        };
      case 'bridge':
        return { ...none, by: 'bridge', ...this.#bridge.shape() };
      case 'none':
        return { ...none, by: 'none' };
      default:
        return choice satisfies never;
    }
  }

  async setPodCidr(cidr: string): Promise<void> {
    if (cidr === '') return;
    parsePodRanges(cidr);
    if (this.#configuredCidr !== '') {
      if (cidr !== this.#configuredCidr)
        this.#log.warn({ given: cidr, configured: this.#configuredCidr }, 'The configured pod range stays');
      return;
    }
    // The kubelet has it from the Node object, where the overlay reads it, too.
    if (this.#overlay !== undefined) return;
    // The kubelet says it once: it must be known after a restart of ours.
    if (cidr !== this.#givenCidr) this.#settings.put('kubelet', { podCidr: cidr });
    this.#givenCidr = cidr;
    await this.#looking;
    await this.look();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#closing.abort();
    await this.#overlay?.close();
    await this.#starting?.catch(() => undefined);
    await this.#looking?.catch(() => undefined);
    await this.#bridge.close();
    await this.#executables.close();
    await this.#cni.close();
    this.#firewall.close();
  }

  #podCidr(): string {
    if (this.#overlay !== undefined) return this.#overlay.podCidr;
    return this.#configuredCidr === '' ? this.#givenCidr : this.#configuredCidr;
  }

  #rangeBy(): 'configuration' | 'overlay' | 'caller' {
    if (this.#overlay !== undefined) return 'overlay';
    return this.#configuredCidr === '' ? 'caller' : 'configuration';
  }

  /** The overlay says which ranges are this node's, and what fits its link. */
  async #serve(podCidr: string, link: string, mtu: number): Promise<void> {
    const same = (one: string, other: string): boolean =>
      parsePodRanges(one)
        .map(({ cidr }) => cidr)
        .join() ===
      parsePodRanges(other)
        .map(({ cidr }) => cidr)
        .join();
    if (this.#configuredCidr !== '' && !same(podCidr, this.#configuredCidr))
      throw new Fault(
        'precondition',
        `The Node object says ${podCidr}, the configuration ${this.#configuredCidr}`,
        {
          hint: 'leave [network] pod_cidr empty',
        },
      );
    this.#bridge.setOverlay(link, mtu);
    this.#choose();
    if (this.#choice.by !== 'bridge') return;
    await this.#bridge.prepare();
    this.#bridgeTrouble = '';
  }

  async #leaveOverlay(): Promise<void> {
    try {
      if (!(await leaveOverlay(this.#records))) return;
      this.#bridge.setOverlay('', 'uplink');
      this.#log.info({}, 'The VXLAN of an earlier configuration is gone');
    } catch (error) {
      this.#log.warn({ error: messageOf(error) }, 'The VXLAN of an earlier configuration is still there');
    }
  }

  #trouble(): string {
    switch (this.#choice.by) {
      case 'cni':
        return this.#readiness.ready ? '' : this.#readiness.message;
      case 'bridge':
        return this.#overlay?.trouble || this.#bridgeTrouble;
      case 'none':
        if (this.#overlay !== undefined) return this.#overlay.trouble;
        return `No network is configured: put a CNI list into ${this.#directory.path}, or set [network] pod_cidr for the built-in bridge network (the kubelet may give it, too)`;
      default:
        return this.#choice satisfies never;
    }
  }

  async #look(): Promise<void> {
    const changed = await this.#directory.refresh();
    if (changed)
      for (const { file, reason } of this.#directory.bad)
        this.#log.warn({ file, reason }, 'A CNI configuration cannot be used');
    this.#choose();
    const turn = this.#looks++ % PROBE_EVERY === 0;
    const choice = this.#choice;
    if (choice.by === 'cni' && (changed || turn || !this.#readiness.sound))
      await this.#readiness.probe(choice.list, this.#closing.signal);
    if (turn) await this.#cni.retry();
    if (this.#started) await this.#apply();
  }

  /** Brings about what was chosen, where it is not there yet. */
  async #apply(): Promise<void> {
    if (this.#choice.by === 'bridge' && this.#bridgeTrouble !== '') await this.#prepareBridge();
    if (this.#overlay !== undefined && this.#overlay.trouble !== '') await this.#overlay.apply();
  }

  #choose(): void {
    const list = this.#directory.current;
    const podCidr = this.#podCidr();
    const before = this.#choice;
    if (list !== undefined) {
      if (before.by === 'cni' && before.list === list) return;
      this.#choice = { by: 'cni', list };
      this.#log.info(
        { network: list.name, version: list.cniVersion },
        'New pods get their network from CNI plugins',
      );
    } else if (podCidr !== '') {
      if (before.by === 'bridge' && before.podCidr === podCidr) return;
      this.#bridge.setRanges(parsePodRanges(podCidr));
      this.#bridgeTrouble = 'It has not been started yet';
      this.#choice = { by: 'bridge', podCidr };
      this.#log.info({ podCidr }, 'New pods get their network from the built-in bridge');
    } else this.#choice = { by: 'none' };
  }

  async #prepareBridge(): Promise<void> {
    try {
      await this.#bridge.prepare();
      this.#bridgeTrouble = '';
    } catch (error) {
      const text = messageOf(error);
      if (text !== this.#bridgeTrouble) this.#log.warn({ error: text }, 'The built-in network is not ready');
      this.#bridgeTrouble = text;
    }
  }

  #schedule(): void {
    if (this.#closing.signal.aborted) return;
    this.#timer = setTimeout(() => {
      this.look()
        .catch((error: unknown) =>
          this.#log.warn({ error: messageOf(error) }, 'The network cannot be looked at'),
        )
        .finally(() => this.#schedule());
    }, this.#pollMs).unref();
  }
}
