import { hash } from 'node:crypto';
import { isJsonObject } from '../../cni/config-list.ts';
import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { Plugin, PluginCallInput, PluginConfig } from '../../cni/plugin.ts';
import type { Result } from '../../cni/result.ts';
import { isErrno } from '../../native/errno.ts';
import { inNetns } from '../../native/namespaces.ts';
import {
  ifb,
  type Link,
  linkDel,
  ingressQueue,
  redirectIngress,
  Rtnl,
  tokenBucket,
} from '../../native/netlink.ts';

/** Bits a second, and bits. */
interface Limits {
  ingressRate: number;
  ingressBurst: number;
  egressRate: number;
  egressBurst: number;
}

const NAME_MAX = 15;

/**
 * The plugin bandwidth: what the pod receives passes a token bucket on the node's end of its link; what it sends is
 * led through an ifb with a token bucket of its own. Limits come from the capability `bandwidth`, else from the
 * configuration.
 */
export const bandwidth: Plugin = {
  type: 'bandwidth',

  async add(input: PluginCallInput): Promise<Result> {
    const { prevResult } = input;
    const limits = limitsOf(input.config);
    if (limits === undefined) return prevResult ?? { interfaces: [], ips: [], routes: [], dns: {} };
    if (prevResult === undefined)
      throw new PluginError('bandwidth', CNI_ERROR.invalidConfig, 'must be called as a chained plugin');
    using rtnl = new Rtnl();
    const port = nodeEnd(rtnl, input);
    if (limits.ingressRate > 0)
      await rtnl.execInPool([tokenBucket(port.index, limits.ingressRate / 8, limits.ingressBurst / 8)]);
    if (limits.egressRate === 0) return prevResult;
    const name = ifbName(input);
    await rtnl.execInPool([ifb({ name, mtu: port.mtu })]);
    try {
      const block = rtnl.linkByName(name);
      if (block === undefined)
        throw new PluginError('bandwidth', CNI_ERROR.failed, `${name} went away at once`);
      await rtnl.execInPool([
        ingressQueue(port.index),
        redirectIngress(port.index, block.index),
        tokenBucket(block.index, limits.egressRate / 8, limits.egressBurst / 8),
      ]);
      const { mac, mtu } = block;
      return { ...prevResult, interfaces: [...prevResult.interfaces, { name, mac, mtu }] };
    } catch (error) {
      await remove(rtnl, name);
      throw error;
    }
  },

  async del(input: PluginCallInput): Promise<void> {
    if ((limitsOf(input.config)?.egressRate ?? 0) === 0) return;
    using rtnl = new Rtnl();
    await remove(rtnl, ifbName(input));
  },

  async check(input: PluginCallInput): Promise<void> {
    const limits = limitsOf(input.config);
    if (limits === undefined) return;
    using rtnl = new Rtnl();
    const fail = (what: string): never => {
      throw new PluginError('bandwidth', CNI_ERROR.failed, what);
    };
    const port = nodeEnd(rtnl, input);
    const has = rtnl.queues().map(({ index, kind }) => `${index} ${kind}`);
    if (limits.ingressRate > 0 && !has.includes(`${port.index} tbf`))
      fail(`${port.name} has lost its token bucket`);
    if (limits.egressRate === 0) return;
    const block = rtnl.linkByName(ifbName(input)) ?? fail(`${ifbName(input)} is gone`);
    if (!has.includes(`${port.index} ingress`)) fail(`${port.name} leads to ${block.name} no more`);
    if (!has.includes(`${block.index} tbf`)) fail(`${block.name} has lost its token bucket`);
  },
};

function limitsOf(config: PluginConfig): Limits | undefined {
  for (const key of ['shapedSubnets', 'unshapedSubnets'])
    if (Array.isArray(config[key]) && config[key].length > 0)
      throw new PluginError(
        'bandwidth',
        CNI_ERROR.invalidConfig,
        `${key} is not served here; the reference plugin does, with "berth.exec": true`,
      );
  const runtime = isJsonObject(config['runtimeConfig']) ? config['runtimeConfig']['bandwidth'] : undefined;
  const given = isJsonObject(runtime) && Object.keys(runtime).length > 0 ? runtime : config;
  const number = (key: keyof Limits): number => {
    const value = given[key] ?? 0;
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
    throw new PluginError(
      'bandwidth',
      CNI_ERROR.invalidConfig,
      `${key} ${JSON.stringify(value)} is no number of bits`,
    );
  };
  const limits: Limits = {
    ingressRate: number('ingressRate'),
    ingressBurst: number('ingressBurst'),
    egressRate: number('egressRate'),
    egressBurst: number('egressBurst'),
  };
  for (const way of ['ingress', 'egress'] as const) {
    const [rate, burst] = [limits[`${way}Rate`], limits[`${way}Burst`]];
    const refuse = (what: string): never => {
      throw new PluginError('bandwidth', CNI_ERROR.invalidConfig, what);
    };
    if ((rate === 0) !== (burst === 0))
      refuse(`${way}Rate and ${way}Burst belong together: one of them is missing`);
    if (burst / 8 >= 2 ** 32) refuse(`${way}Burst cannot be more than 4 GB`);
  }
  return limits.ingressRate === 0 && limits.egressRate === 0 ? undefined : limits;
}

/** The link on the node that is the other end of the pod's interface. */
function nodeEnd(rtnl: Rtnl, { netns, ifName }: PluginCallInput): Link {
  using pod = inNetns(netns, () => new Rtnl());
  const peer = pod.linkByName(ifName)?.peer;
  const port = rtnl.links().find((link) => link.index === peer && link.kind === 'veth');
  if (port !== undefined) return port;
  throw new PluginError('bandwidth', CNI_ERROR.failed, `${ifName} in ${netns} has no other end on the node`);
}

function ifbName({ config, containerId }: PluginCallInput): string {
  return `bwp${hash('sha512', `${config.name}${containerId}`)}`.slice(0, NAME_MAX);
}

async function remove(rtnl: Rtnl, name: string): Promise<void> {
  try {
    await rtnl.execInPool([linkDel(name)]);
  } catch (error) {
    if (!isErrno(error, 'ENODEV')) throw error;
  }
}
