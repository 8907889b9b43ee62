import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuiltInPlugins } from '../../cni/built-in-plugins.ts';
import { type ConfigList, parseConfigList, type JsonObject } from '../../cni/config-list.ts';
import {
  addToNetwork,
  checkOnNetwork,
  deleteFromNetwork,
  executionConfig,
  type PodInterface,
} from '../../cni/network-list.ts';
import { type PluginCaller, PluginRunner } from '../../cni/plugin-runner.ts';
import { ExitWatcher } from '../../native/exits.ts';
import { sleep } from '../../ground/wait.ts';
import { makeNetns, removePin } from '../../native/namespaces.ts';
import { type Firewall, type FirewallSetting, openFirewall } from '../../network/firewall.ts';
import type { PodFirewall } from '../../network/plugins/pod-firewall.ts';
import { ownPlugins } from '../../network/plugins/own-plugins.ts';

const REFERENCE = ['/usr/lib/cni'];

/**
 * Runs the same configuration by Berth's plugins and by the reference ones, and tells what each left in the kernel
 * and on disk. For tests in namespaces of their own.
 */
export class PluginRig {
  readonly directory = mkdtempSync(join(tmpdir(), 'berth-plugins-'));
  readonly dataDir = join(this.directory, 'networks');
  readonly ours: PluginCaller;
  readonly reference: PluginCaller;
  /** For `ownPlugins` of the test's own. */
  readonly firewall: PodFirewall;
  readonly #exits: ExitWatcher;
  readonly #opened: Firewall;
  readonly #pins: string[] = [];

  private constructor(exits: ExitWatcher, firewall: Firewall) {
    this.#exits = exits;
    this.#opened = firewall;
    this.firewall = firewall.pods;
    this.reference = new PluginRunner(exits, REFERENCE);
    // What is not built in fails: nothing of the reference may slip in.
    this.ours = new BuiltInPlugins(ownPlugins({ firewall: firewall.pods }), new PluginRunner(exits, []));
  }

  static async open(firewall: FirewallSetting = 'iptables'): Promise<PluginRig> {
    const exits = await ExitWatcher.start();
    return new PluginRig(exits, await openFirewall(firewall, exits));
  }

  async close(): Promise<void> {
    this.#opened.close();
    await this.#exits.close();
    for (const pin of this.#pins) removePin(pin);
    rmSync(this.directory, { recursive: true });
  }

  list(plugins: JsonObject[], cniVersion = '1.0.0'): ConfigList {
    return parseConfigList(JSON.stringify({ cniVersion, name: 'pods', plugins }), 'test.conflist');
  }

  /** A pod with a namespace of its own, always by the same path. */
  pod(id: string, capabilities: Record<string, unknown> = {}): PodInterface {
    const netns = join(this.directory, `netns-${id}`);
    if (existsSync(netns)) removePin(netns);
    else this.#pins.push(netns);
    makeNetns(netns);
    return { containerId: id, netns, ifName: 'eth0', args: {}, capabilities };
  }

  async add(caller: PluginCaller, list: ConfigList, pod: PodInterface): Promise<JsonObject> {
    return await addToNetwork(caller, list, pod, (error) => {
      throw error;
    });
  }

  /** ADD of the first plugin alone, without the DEL that a runtime sends after a failure. */
  async addOnce(caller: PluginCaller, list: ConfigList, pod: PodInterface): Promise<unknown> {
    const [plugin] = list.plugins as [JsonObject & { type: string }];
    const env = { CNI_CONTAINERID: pod.containerId, CNI_NETNS: pod.netns, CNI_IFNAME: pod.ifName };
    const config = executionConfig(list, plugin, pod.capabilities);
    return await caller.call({ verb: 'ADD', type: plugin.type, config, env });
  }

  async check(caller: PluginCaller, list: ConfigList, pod: PodInterface, result: JsonObject): Promise<void> {
    await checkOnNetwork(caller, list, pod, result);
  }

  async del(
    caller: PluginCaller,
    list: ConfigList,
    pod: PodInterface,
    result: JsonObject | undefined,
  ): Promise<void> {
    await deleteFromNetwork(caller, list, pod, result);
  }

  /**
   * Waits until the kernel has asked for duplicates of the node's addresses, and has given pods' links on the node theirs:
   * it does that when it looks at links again, up to a second later.
   */
  async settle(): Promise<void> {
    let waiting: string[] = [];
    for (let tries = 0; tries < 100; tries++) {
      waiting = unsettled();
      if (waiting.length === 0) return;
      await sleep(100);
    }
    throw new Error(`The addresses of ${waiting.join(', ')} are not settled`);
  }

  /** The node and these pods as text, with everything that is random named in the order of its appearance. */
  state(...pods: PodInterface[]): Record<string, string[]> {
    const names = new Names();
    return Object.fromEntries([
      ...Object.entries(kernelState(names)).map(([key, value]) => [`node ${key}`, value] as const),
      ...pods.flatMap((pod) =>
        Object.entries(kernelState(names, pod.netns)).map(
          ([key, value]) => [`${pod.containerId} ${key}`, value] as const,
        ),
      ),
      ['files', this.files().map((line) => names.replace(line))],
    ]);
  }

  /** A result with everything random named alike. */
  named(result: JsonObject): unknown {
    const text = new Names().replace(JSON.stringify(result));
    return JSON.parse(text) as unknown;
  }

  /** Runs a program in the pod's network namespace; its output. */
  inPod(pod: PodInterface, ...argv: string[]): string {
    return this.onNode('nsenter', `--net=${pod.netns}`, ...argv);
  }

  onNode(...argv: string[]): string {
    const { status, stdout, stderr } = spawnSync(argv[0]!, argv.slice(1), { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** The name of the node's link that matches. */
  linkLike(pattern: RegExp): string {
    const names = (JSON.parse(this.onNode('ip', '-j', 'link')) as { ifname: string }[]).map(
      (one) => one.ifname,
    );
    const found = names.find((name) => pattern.test(name));
    if (found === undefined) throw new Error(`no link like ${pattern} among ${names.join(', ')}`);
    return found;
  }

  /** Sends datagrams from a pod to an address of the node, all at once; how many arrived within half a second. */
  async burst(
    pod: PodInterface,
    to: string,
    count: number,
    size: number,
  ): Promise<{ sent: number; received: number }> {
    const socket = createSocket('udp4');
    let received = 0;
    socket.on('message', () => received++);
    await new Promise<void>((resolve) => socket.bind(0, to, resolve));
    try {
      const script = `
        const s = require('node:dgram').createSocket('udp4');
        let left = ${count};
        for (let i = 0; i < ${count}; i++)
          s.send(Buffer.alloc(${size}), ${socket.address().port}, '${to}', () => { if (--left === 0) s.close(); });`;
      this.inPod(pod, process.execPath, '-e', script);
      await sleep(500);
      return { sent: count, received };
    } finally {
      socket.close();
    }
  }

  files(): string[] {
    if (!existsSync(this.dataDir)) return [];
    return readdirSync(this.dataDir, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(this.dataDir, name)).isFile())
      .map((name) => `${name}: ${JSON.stringify(readFileSync(join(this.dataDir, name), 'latin1'))}`)
      .sort();
  }

  /** Takes away what all pods of a network share, which DEL leaves. */
  clear(...links: string[]): void {
    for (const link of links) spawnSync('ip', ['link', 'del', link]);
    for (const family of ['iptables', 'ip6tables'])
      for (const table of ['nat', 'filter', 'mangle', 'raw']) {
        spawnSync(family, ['-t', table, '-F']);
        spawnSync(family, ['-t', table, '-X']);
      }
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** Random names and addresses by the order in which they are met. */
class Names {
  readonly #known = new Map<string, string>();

  replace(text: string): string {
    return text
      .replaceAll(/\bveth[0-9a-f]{8}\b/g, (name) => this.#name(name, 'veth'))
      .replaceAll(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, (mac) =>
        // Whose address a bridge has hangs on luck.
        /^(00:){5}|^(ff:){5}/.test(mac) ? mac : '<mac>',
      )
      .replaceAll(/fe80::[0-9a-f:]+/g, 'fe80::…');
  }

  #name(text: string, kind: string): string {
    const known = this.#known.get(text) ?? `<${kind} ${this.#known.size}>`;
    this.#known.set(text, known);
    return known;
  }
}

/** The node's links with addresses that are still being tried, and pods' links that are up and have none of IPv6 yet. */
function unsettled(): string[] {
  interface Link {
    ifname: string;
    flags: string[];
    linkinfo?: { info_kind?: string };
    addr_info: { family: string; scope: string; tentative?: boolean }[];
  }
  const { stdout } = spawnSync('ip', ['-j', '-d', 'addr'], { encoding: 'utf8' });
  return (JSON.parse(stdout) as Link[])
    .filter(({ flags, linkinfo, addr_info: addresses }) => {
      const of6 = addresses.filter(({ family }) => family === 'inet6');
      const bare = linkinfo?.info_kind === 'veth' && flags.includes('UP') && of6.length === 0;
      return bare || of6.some(({ scope, tentative }) => scope === 'global' && tentative === true);
    })
    .map(({ ifname }) => ifname);
}

function kernelState(names: Names, netns?: string): Record<string, string[]> {
  const run = (...argv: string[]): string[] => {
    const full = netns === undefined ? argv : ['nsenter', `--net=${netns}`, ...argv];
    const { status, stdout, stderr } = spawnSync(full[0]!, full.slice(1), { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${full.join(' ')}: ${stderr}`);
    return stdout.split('\n').filter((line) => line.trim() !== '');
  };
  const ip = (...argv: string[]): string[] =>
    names
      .replace(run('ip', ...argv).join('\n'))
      .split('\n')
      // Indexes, and what follows the traffic of the moment.
      .map((line) =>
        line
          .replace(/^\d+: /, '')
          .replace(/@if\d+|@[\w<> ]+(?=:)/, '')
          .replaceAll(
            / (link-netnsid \d+|link-netns \S+|qlen \d+|state \w+|NO-CARRIER,|,?LOWER_UP|M-DOWN)/g,
            '',
          )
          .replace(/<[A-Z_,-]*>/, (flags) => flags.replaceAll(/NO-CARRIER,?|,?LOWER_UP|,?M-DOWN/g, ''))
          .trim(),
      )
      .filter((line) => line !== '');
  const rules = (family: string): string[] =>
    run(`${family}-save`)
      .filter((line) => !line.startsWith('#'))
      .map((line) => line.replace(/\[\d+:\d+\]/, ''));
  return {
    links: links(run('ip', '-j', '-d', 'link')).map((line) => names.replace(line)),
    // Ours are usable at once (nodad); with the reference plugin `settle` waits for those of the node.
    addresses: ip('-o', 'addr').map((line) =>
      line.replaceAll(/ nodad\b|(?<=scope link) tentative/g, '').replaceAll(/\s+/g, ' '),
    ),
    routes: [...ip('-4', 'route', 'show', 'table', 'all'), ...ip('-6', 'route', 'show', 'table', 'all')]
      .filter((line) => !/fe80|ff00::\/8|multicast|anycast/.test(line))
      .map((line) => line.replaceAll(/ linkdown| pref medium/g, ''))
      .sort(),
    neighbours: ip('neigh', 'show', 'nud', 'permanent').sort(),
    qdiscs: run('tc', 'qdisc').map((line) => names.replace(line).replace(/qdisc (\w+) \d+:/, 'qdisc $1')),
    filters: (JSON.parse(run('ip', '-j', 'link').join('')) as { ifname: string }[]).flatMap(({ ifname }) =>
      [[], ['parent', 'ffff:']].flatMap((where) =>
        run('tc', 'filter', 'show', 'dev', ifname, ...where)
          // The reference plugin adds the redirection twice; the first one takes every packet.
          .filter((line) => !/action order 2|index 2 ref/.test(line))
          .map((line) => names.replace(`${ifname}: ${line}`)),
      ),
    ),
    vlans: names.replace(run('bridge', 'vlan').join('\n')).split('\n'),
    rules4: rules('iptables'),
    rules6: rules('ip6tables'),
    switches: [
      'net.ipv4.ip_forward',
      'net.ipv6.conf.all.forwarding',
      'net.core.somaxconn',
      ...(netns === undefined
        ? []
        : [
            'net.ipv4.conf.eth0.arp_notify',
            'net.ipv6.conf.eth0.disable_ipv6',
            'net.ipv6.conf.eth0.accept_dad',
            'net.ipv4.conf.eth0.arp_filter',
          ]),
    ].flatMap((name) => run('sysctl', '-e', name)),
  };
}

/** What ip(8) says of links, without what follows time and traffic. */
function links(output: string[]): string[] {
  const passing =
    /timer|_id$|_port$|cost|index|state|^address$|^broadcast$|promiscuity|allmulti|^(min|max)_mtu$|_queues$|gso|gro|tso|txqlen|netns|^link$|topology/;
  const dull = (value: unknown): unknown => {
    if (Array.isArray(value))
      return value.filter((flag) => !/^(NO-CARRIER|LOWER_UP|M-DOWN)$/.test(String(flag)));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value)
        .filter(([key]) => !passing.test(key))
        .map(([key, inner]) => [key, dull(inner)]),
    );
  };
  return (JSON.parse(output.join('')) as object[]).map((link) => JSON.stringify(dull(link)));
}
