import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { Plugin, PluginCallInput, PluginConfig } from '../../cni/plugin.ts';
import type { Result } from '../../cni/result.ts';
import { split } from './pod-interface.ts';
import type { PodChains, PodRules, SharedChain } from './pod-chains.ts';

const FORWARD = 'CNI-FORWARD';

/**
 * The plugin firewall with its iptables backend: lets packets of the pod pass where the node forwards nothing by itself.
 * Rules of the operator in the chain CNI-ADMIN (or the one of the configuration) come before all others.
 */
export class Firewall implements Plugin {
  readonly type = 'firewall';
  readonly #chains: PodChains;

  constructor({ chains }: { chains: PodChains }) {
    this.#chains = chains;
  }

  async add(input: PluginCallInput): Promise<Result> {
    const { prevResult } = input;
    if (prevResult === undefined)
      throw new PluginError(this.type, CNI_ERROR.invalidConfig, 'must be called as a chained plugin');
    this.#chains.put(input.containerId, rulesOf(prevResult), sharedChains(adminChain(input.config)));
    return prevResult;
  }

  async del({ prevResult, config, containerId }: PluginCallInput, signal?: AbortSignal): Promise<void> {
    adminChain(config);
    // Without the result there is nothing by which the rules could be known.
    if (prevResult !== undefined) await this.#chains.remove(containerId, rulesOf(prevResult), signal);
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    await this.#chains.settle(containerId, signal);
  }

  async check({ prevResult }: PluginCallInput, signal?: AbortSignal): Promise<void> {
    if (prevResult === undefined || (await this.#chains.has(rulesOf(prevResult), signal))) return;
    throw new PluginError(this.type, CNI_ERROR.failed, 'rules of the pod are gone');
  }
}

function adminChain(config: PluginConfig): string {
  const { backend = '', ingressPolicy = '', iptablesAdminChainName: name = 'CNI-ADMIN' } = config;
  const refuse = (what: string): never => {
    throw new PluginError('firewall', CNI_ERROR.invalidConfig, what);
  };
  if (backend !== '' && backend !== 'iptables')
    return refuse(`backend ${JSON.stringify(backend)} is not served: iptables is`);
  if (ingressPolicy !== '' && ingressPolicy !== 'open')
    return refuse(`ingressPolicy ${JSON.stringify(ingressPolicy)} is not served: open is`);
  if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{1,28}$/.test(name))
    return refuse(`iptablesAdminChainName ${JSON.stringify(name)} is no name of a chain`);
  return name;
}

function rulesOf({ ips }: Result): PodRules[] {
  return ([4, 6] as const).flatMap((family): PodRules[] => {
    const ours = ips.map(({ address }) => split(address)).filter((one) => one.family === family);
    const bits = family === 4 ? 32 : 128;
    const entries = ours.flatMap(({ address }) => [
      { chain: FORWARD, rule: `-d ${address}/${bits} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT` },
      { chain: FORWARD, rule: `-s ${address}/${bits} -j ACCEPT` },
    ]);
    return entries.length === 0 ? [] : [{ family, table: 'filter', entries }];
  });
}

function sharedChains(admin: string): SharedChain[] {
  return ([4, 6] as const).flatMap((family): SharedChain[] => [
    {
      family,
      table: 'filter',
      name: FORWARD,
      rules: [],
      jumps: [{ from: 'FORWARD', match: '-m comment --comment "CNI firewall plugin rules"', first: true }],
    },
    {
      family,
      table: 'filter',
      name: admin,
      rules: [],
      jumps: [
        { from: FORWARD, match: '-m comment --comment "CNI firewall plugin admin overrides"', first: true },
      ],
    },
  ]);
}
