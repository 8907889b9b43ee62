import { isJsonObject } from '../../cni/config-list.ts';
import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { PluginCallInput, PluginNodeInput } from '../../cni/plugin.ts';
import { type Result, resultFrom } from '../../cni/result.ts';

/** The type of the IPAM plugin that the configuration names; empty when it names none. */
export function ipamType(config: PluginNodeInput['config']): string {
  const ipam = config['ipam'];
  const type = isJsonObject(ipam) ? ipam['type'] : undefined;
  return typeof type === 'string' ? type : '';
}

/**
 * Takes addresses from the IPAM plugin and hands them to `use`; when that fails they are given back. Throws PluginError
 * when the plugin gave none.
 */
export async function withAddresses(
  input: PluginCallInput,
  use: (ipam: Result) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const type = ipamType(input.config);
  const ipam = resultFrom(await input.delegate('ADD', type, signal), `CNI plugin ${type}`);
  try {
    if (ipam.ips.length === 0)
      throw new PluginError(input.config.type, CNI_ERROR.failed, `IPAM plugin ${type} gave no address`);
    return await use(ipam);
  } catch (error) {
    // Not with the caller's signal: that it fired may be why we are here.
    await input.delegate('DEL', type).catch(() => undefined);
    throw error;
  }
}

/** Gives the pod's addresses back. */
export async function releaseAddresses(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
  const type = ipamType(input.config);
  if (type !== '') await input.delegate('DEL', type, signal);
}

/** CHECK, STATUS or GC of the IPAM plugin. */
export async function askIpam(
  verb: 'CHECK' | 'STATUS' | 'GC',
  { config, delegate }: PluginNodeInput,
  signal?: AbortSignal,
): Promise<void> {
  const type = ipamType(config);
  if (type !== '') await delegate(verb, type, signal);
}
