import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isJsonObject } from '../../cni/config-list.ts';
import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { Plugin, PluginCallInput } from '../../cni/plugin.ts';
import type { Result } from '../../cni/result.ts';
import { isErrno } from '../../native/errno.ts';
import { inNetns, isNsfs } from '../../native/namespaces.ts';
import {
  type Link,
  linkAllMulticast,
  linkDown,
  linkPromiscuous,
  linkSet,
  linkUp,
  Rtnl,
} from '../../native/netlink.ts';
import { wantedMac } from './pod-interface.ts';

const DATA_DIR = '/run/cni/tuning';

interface Settings {
  /** Names below /proc/sys, with slashes. */
  sysctl: [name: string, value: string][];
  mac: string | undefined;
  mtu: number | undefined;
  promisc: boolean | undefined;
  allmulti: boolean | undefined;
  txQLen: number | undefined;
  dataDir: string;
}

/** How the interface was before, in the file that the reference plugin writes. */
interface Saved {
  mac?: string;
  promisc?: boolean;
  mtu?: number;
  allmulti?: boolean;
  txQLen?: number;
}

/**
 * The plugin tuning: switches of the pod's network namespace, and hardware address, MTU and flags of its interface.
 * What the interface was before is kept in `dataDir/<container>_<interface>.json` and comes back with DEL.
 */
export const tuning: Plugin = {
  type: 'tuning',

  async add(input: PluginCallInput): Promise<Result> {
    const { prevResult, netns, ifName } = input;
    if (prevResult === undefined)
      throw new PluginError('tuning', CNI_ERROR.invalidConfig, 'must be called as a chained plugin');
    const settings = settingsOf(input);
    inNetns(netns, () => {
      for (const [name, value] of settings.sysctl) writeSwitch(name, value);
    });
    if (!changesLink(settings)) return prevResult;
    using pod = inNetns(netns, () => new Rtnl());
    const link = linkOf(pod, input);
    keep(settings, input, link);
    await apply(pod, link, settings);
    const { mac, mtu } = settings;
    const interfaces = prevResult.interfaces.map((one) =>
      one.name === ifName && Boolean(one.sandbox)
        ? { ...one, ...(mac !== undefined && { mac }), ...(mtu !== undefined && { mtu }) }
        : one,
    );
    return { ...prevResult, interfaces };
  },

  async del(input: PluginCallInput): Promise<void> {
    const settings = settingsOf(input);
    const file = fileOf(settings, input);
    const saved = savedIn(file);
    if (saved !== undefined && input.netns !== '' && isNsfs(input.netns)) {
      using pod = inNetns(input.netns, () => new Rtnl());
      const link = pod.linkByName(input.ifName);
      if (link !== undefined) await apply(pod, link, saved);
    }
    rmSync(file, { force: true });
  },

  async check(input: PluginCallInput): Promise<void> {
    const settings = settingsOf(input);
    const fail = (what: string): never => {
      throw new PluginError('tuning', CNI_ERROR.failed, what);
    };
    inNetns(input.netns, () => {
      for (const [name, value] of settings.sysctl) {
        const is = readFileSync(`/proc/sys/${name}`, 'utf8').trim().replaceAll(/\s+/g, ' ');
        if (is !== value.trim().replaceAll(/\s+/g, ' ')) fail(`${name} is ${is}, not ${value}`);
      }
    });
    using pod = inNetns(input.netns, () => new Rtnl());
    const link = linkOf(pod, input);
    const { mac, mtu, promisc, allmulti, txQLen } = settings;
    if (mac !== undefined && mac.toLowerCase() !== link.mac)
      fail(`the hardware address is ${link.mac}, not ${mac}`);
    if (mtu !== undefined && mtu !== link.mtu) fail(`the MTU is ${link.mtu}, not ${mtu}`);
    if (promisc === true && !link.promiscuous) fail('the interface is not promiscuous any more');
    if (allmulti !== undefined && allmulti !== link.allMulticast) fail('all-multicast is not as it was set');
    if (txQLen !== undefined && txQLen !== link.txQueueLength)
      fail(`the length of the send queue is ${link.txQueueLength}, not ${txQLen}`);
  },
};

function settingsOf(input: PluginCallInput): Settings {
  const { config, ifName } = input;
  const refuse = (what: string): never => {
    throw new PluginError('tuning', CNI_ERROR.invalidConfig, what);
  };
  const size = (key: 'mtu' | 'txQLen'): number | undefined => {
    const value = config[key] ?? 0;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
      return refuse(`${key} ${JSON.stringify(value)} is no number`);
    return value === 0 && key === 'mtu' ? undefined : config[key] === undefined ? undefined : value;
  };
  const flag = (key: 'promisc' | 'allmulti'): boolean | undefined => {
    const value = config[key];
    return value === undefined || typeof value === 'boolean'
      ? value
      : refuse(`${key} is neither true nor false`);
  };
  const switches = config['sysctl'] ?? {};
  if (!isJsonObject(switches)) return refuse('sysctl is no object');
  const sysctl = Object.entries(switches).map(([name, value]): [string, string] => {
    if (typeof value !== 'string') return refuse(`sysctl ${name} is no text`);
    // A name with slashes may hold an interface name with dots.
    const path = (name.includes('/') ? name : name.replaceAll('.', '/')).replaceAll('IFNAME', ifName);
    if (!/^net(\/[^/]+)+$/.test(path) || path.split('/').some((part) => part === '.' || part === '..'))
      return refuse(`invalid net sysctl key: ${JSON.stringify(name)}`);
    return [path, value];
  });
  const dataDir = config['dataDir'] ?? DATA_DIR;
  if (typeof dataDir !== 'string' || !dataDir.startsWith('/')) return refuse('dataDir is no absolute path');
  return {
    sysctl,
    mac: wantedMac(input),
    mtu: size('mtu'),
    promisc: flag('promisc'),
    allmulti: flag('allmulti'),
    txQLen: size('txQLen'),
    dataDir,
  };
}

function changesLink({ mac, mtu, promisc, allmulti, txQLen }: Settings): boolean {
  return [mac, mtu, promisc || undefined, allmulti, txQLen].some((value) => value !== undefined);
}

function linkOf(pod: Rtnl, { netns, ifName }: PluginCallInput): Link {
  const link = pod.linkByName(ifName);
  if (link !== undefined) return link;
  throw new PluginError('tuning', CNI_ERROR.failed, `no interface ${ifName} in ${netns}`);
}

async function apply(pod: Rtnl, link: Link, to: Saved): Promise<void> {
  const { index } = link;
  // Some drivers change the address only while the link is down; its routes would go with that.
  const { mac, mtu, promisc, allmulti, txQLen } = to;
  const changes = [
    ...(mac === undefined ? [] : [linkSet(index, { mac })]),
    ...(promisc === undefined ? [] : [linkPromiscuous(index, promisc)]),
    ...(mtu === undefined ? [] : [linkSet(index, { mtu })]),
    ...(allmulti === undefined ? [] : [linkAllMulticast(index, allmulti)]),
    ...(txQLen === undefined ? [] : [linkSet(index, { txQueueLength: txQLen })]),
  ];
  if (changes.length === 0) return;
  try {
    await pod.execInPool(changes);
  } catch (error) {
    if (mac === undefined || !isErrno(error, 'EBUSY')) throw error;
    await pod.execInPool([linkDown(index), ...changes, linkUp(index)]);
  }
}

function fileOf({ dataDir }: Settings, { containerId, ifName }: PluginCallInput): string {
  return join(dataDir, `${containerId}_${ifName}.json`);
}

function keep(settings: Settings, input: PluginCallInput, link: Link): void {
  const { mac, mtu, promisc, allmulti, txQLen } = settings;
  const saved: Saved = {
    ...(mac !== undefined && { mac: link.mac }),
    ...(promisc !== undefined && { promisc: link.promiscuous }),
    ...(mtu !== undefined && { mtu: link.mtu }),
    ...(allmulti !== undefined && { allmulti: link.allMulticast }),
    ...(txQLen !== undefined && { txQLen: link.txQueueLength }),
  };
  mkdirSync(settings.dataDir, { recursive: true, mode: 0o700 });
  writeFileSync(fileOf(settings, input), JSON.stringify(saved, undefined, 1), { mode: 0o600 });
}

function savedIn(file: string): Saved | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Saved;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function writeSwitch(name: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/${name}`, value);
  } catch (error) {
    throw new PluginError('tuning', CNI_ERROR.failed, `${name} cannot be set to ${value}`, String(error));
  }
}
