import { Fault, messageOf } from '../ground/fault.ts';
import { CNI_VERSIONS, type CniVersion, isJsonObject, type JsonObject } from './config-list.ts';
import { CNI_ERROR, PluginError } from './plugin-error.ts';
import type { Delegate, Plugin, PluginCallInput, PluginConfig } from './plugin.ts';
import type { PluginCall } from './plugin-runner.ts';
import { properNames } from './runtime-config.ts';
import { type Result, resultAs, resultFrom } from './result.ts';

/**
 * Calls a plugin that is a function, by what an executable would read: the CNI_* variables and the configuration on
 * stdin. Resolves with what the executable would print, undefined for nothing. Throws PluginError.
 * (CNI specification 1.1, sections 2 and 4.)
 */
export async function callPlugin(
  plugin: Plugin,
  { verb, env, config }: Omit<PluginCall, 'type'>,
  delegate: Delegate,
  signal?: AbortSignal,
): Promise<JsonObject | undefined> {
  try {
    if (verb === 'VERSION') return { cniVersion: CNI_VERSIONS.at(-1), supportedVersions: [...CNI_VERSIONS] };
    const own = checkConfig(plugin.type, config);
    const input = (): PluginCallInput => ({
      ...podOf(plugin.type, verb, env),
      config: own,
      prevResult: prevResultOf(plugin.type, config),
      delegate,
    });
    switch (verb) {
      case 'ADD':
        return resultAs(own.cniVersion, await plugin.add(input(), signal));
      case 'DEL':
        await plugin.del(input(), signal);
        return undefined;
      case 'CHECK':
        await plugin.check(input(), signal);
        return undefined;
      case 'STATUS':
        await plugin.status?.({ config: own, delegate }, signal);
        return undefined;
      case 'GC': {
        const valid = validAttachments(plugin.type, config);
        await plugin.gc?.({ config: own, delegate, valid }, signal);
        return undefined;
      }
      default:
        throw new PluginError(
          plugin.type,
          CNI_ERROR.invalidEnvironment,
          `unknown CNI_COMMAND ${String(verb satisfies never)}`,
        );
    }
  } catch (error) {
    throw asPluginError(plugin.type, error);
  }
}

/** The error as the specification has it; an abort stays what it is. */
export function asPluginError(type: string, error: unknown): unknown {
  if (error instanceof PluginError || (error instanceof DOMException && error.name === 'AbortError'))
    return error;
  if (error instanceof Fault) {
    if (error.cause instanceof PluginError) return error.cause;
    const code =
      error.kind === 'invalid'
        ? CNI_ERROR.invalidConfig
        : error.kind === 'unavailable'
          ? CNI_ERROR.tryAgainLater
          : CNI_ERROR.failed;
    return new PluginError(type, code, error.message);
  }
  return new PluginError(type, CNI_ERROR.failed, messageOf(error));
}

function checkConfig(type: string, config: JsonObject): PluginConfig {
  const { cniVersion, name } = config;
  const version = cniVersion ?? '0.1.0';
  if (!CNI_VERSIONS.includes(version as CniVersion))
    throw new PluginError(
      type,
      CNI_ERROR.incompatibleVersion,
      `incompatible CNI version ${JSON.stringify(version)}`,
      `it speaks ${CNI_VERSIONS.join(', ')}`,
    );
  if (typeof name !== 'string' || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name))
    throw new PluginError(type, CNI_ERROR.invalidConfig, `${JSON.stringify(name)} is no network name`);
  const { runtimeConfig } = config;
  return {
    ...config,
    ...(runtimeConfig !== undefined && { runtimeConfig: properNames(runtimeConfig) }),
    cniVersion: version as CniVersion,
    name,
    type,
  };
}

function podOf(
  type: string,
  verb: string,
  env: Record<string, string>,
): Pick<PluginCallInput, 'containerId' | 'netns' | 'ifName' | 'args'> {
  const refuse = (what: string): never => {
    throw new PluginError(type, CNI_ERROR.invalidEnvironment, what);
  };
  const { CNI_CONTAINERID: containerId = '', CNI_NETNS: netns = '', CNI_IFNAME: ifName = '' } = env;
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(containerId))
    refuse(`CNI_CONTAINERID ${JSON.stringify(containerId)} is no container id`);
  if (netns === '' && verb !== 'DEL') refuse('CNI_NETNS is empty');
  // The kernel's own limits on names of interfaces.
  if (!/^[^/:\s]{1,15}$/.test(ifName) || ifName === '.' || ifName === '..')
    refuse(`CNI_IFNAME ${JSON.stringify(ifName)} is no interface name`);
  const args: Record<string, string> = {};
  for (const pair of (env['CNI_ARGS'] ?? '').split(';')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    if (at <= 0) refuse(`CNI_ARGS has ${JSON.stringify(pair)}, which is no pair of key and value`);
    args[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return { containerId, netns, ifName, args };
}

function prevResultOf(type: string, config: JsonObject): Result | undefined {
  const given = config['prevResult'];
  if (given === undefined || given === null) return undefined;
  try {
    return resultFrom(given, 'prevResult');
  } catch (error) {
    throw new PluginError(type, CNI_ERROR.decoding, messageOf(error));
  }
}

function validAttachments(type: string, config: JsonObject): { containerId: string; ifName: string }[] {
  // Named so by 1.1.0, and by libcni before.
  const given = config['cni.dev/valid-attachments'] ?? config['cni.dev/attachments'];
  if (!Array.isArray(given))
    throw new PluginError(type, CNI_ERROR.invalidConfig, 'GC needs the list cni.dev/valid-attachments');
  return given.map((each: unknown) => {
    if (isJsonObject(each)) {
      const { containerID: containerId, ifname: ifName } = each;
      if (typeof containerId === 'string' && typeof ifName === 'string') return { containerId, ifName };
    }
    throw new PluginError(type, CNI_ERROR.invalidConfig, `${JSON.stringify(each)} is no attachment`);
  });
}
