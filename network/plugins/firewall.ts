import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { Plugin, PluginCallInput, PluginConfig } from '../../cni/plugin.ts';
import type { Result } from '../../cni/result.ts';
import { type PodFirewall, type PodWish, subjectOf } from './pod-firewall.ts';

/**
 * The plugin firewall: lets packets of the pod pass where the node forwards nothing by itself.
 * Rules of the operator in the chain CNI-ADMIN (or the one of the configuration) come before all others.
 */
export class Firewall implements Plugin {
  readonly type = 'firewall';
  readonly #firewall: PodFirewall;

  constructor({ firewall }: { firewall: PodFirewall }) {
    this.#firewall = firewall;
  }

  async add(input: PluginCallInput): Promise<Result> {
    const { prevResult } = input;
    if (prevResult === undefined)
      throw new PluginError(this.type, CNI_ERROR.invalidConfig, 'must be called as a chained plugin');
    this.#firewall.put(subjectOf(input), this.#wish(input.config, prevResult));
    return await Promise.resolve(prevResult);
  }

  async del(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    const { prevResult } = input;
    adminChain(input.config, this.#firewall.kind);
    // Without the result there is nothing by which the rules could be known.
    if (prevResult !== undefined)
      await this.#firewall.remove(subjectOf(input), this.#wish(input.config, prevResult), signal);
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    await this.#firewall.settle(containerId, signal);
  }

  async check(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    const { prevResult } = input;
    if (prevResult === undefined) return;
    if (await this.#firewall.has(subjectOf(input), this.#wish(input.config, prevResult), signal)) return;
    throw new PluginError(this.type, CNI_ERROR.failed, 'rules of the pod are gone');
  }

  #wish(config: PluginConfig, { ips }: Result): PodWish {
    const chain = adminChain(config, this.#firewall.kind);
    return { kind: 'forward', ips: ips.map(({ address }) => address), adminChain: chain };
  }
}

function adminChain(config: PluginConfig, kind: PodFirewall['kind']): string {
  const { backend = '', ingressPolicy = '', iptablesAdminChainName: name = 'CNI-ADMIN' } = config;
  const refuse = (what: string): never => {
    throw new PluginError('firewall', CNI_ERROR.invalidConfig, what);
  };
  if (backend !== '' && backend !== 'iptables' && backend !== kind)
    return refuse(`backend ${JSON.stringify(backend)} is not served: ${kind} is`);
  if (ingressPolicy !== '' && ingressPolicy !== 'open')
    return refuse(`ingressPolicy ${JSON.stringify(ingressPolicy)} is not served: open is`);
  if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{1,28}$/.test(name))
    return refuse(`iptablesAdminChainName ${JSON.stringify(name)} is no name of a chain`);
  return name;
}
