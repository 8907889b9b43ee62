import { Fault } from '../ground/fault.ts';
import { type ConfigList, isJsonObject, type JsonObject, versionAtLeast } from './config-list.ts';
import type { PluginCaller, Verb } from './plugin-runner.ts';
import { resultIn } from './result.ts';

/** The pod side of a call: what the specification names container ID, network namespace, interface and arguments. */
export interface PodInterface {
  containerId: string;
  /** Path of the namespace; empty on DEL when it is gone. */
  netns: string;
  ifName: string;
  args: Record<string, string>;
  /** What the runtime offers by capability name; a plugin gets those that its configuration declares. */
  capabilities: Record<string, unknown>;
}

type Call = (verb: Verb, plugin: JsonObject & { type: string }, prevResult?: JsonObject) => Promise<unknown>;

/**
 * ADD of each plugin in order, each with the result of the one before it. Returns the last result. When one fails,
 * DEL of all has run in reverse order; `undoFailed` hears of what went wrong in that. Throws the Fault of the ADD.
 * `keep` gets the result so far before an executable goes on with it, and at the end before what plugins have put off
 * is done: who is cut off there needs it for DEL.
 */
export async function addToNetwork(
  runner: PluginCaller,
  list: ConfigList,
  pod: PodInterface,
  undoFailed: (error: unknown) => void,
  signal?: AbortSignal,
  keep: (result: JsonObject) => void = () => undefined,
): Promise<JsonObject> {
  const call = caller(runner, list, pod, signal);
  let result: JsonObject | undefined;
  try {
    for (const plugin of list.plugins) {
      if (result !== undefined && runner.inProcess?.(plugin) !== true) keep(result);
      const printed = await call('ADD', plugin, result);
      result = resultIn(list.cniVersion, printed, `CNI plugin ${plugin.type}`);
    }
    keep(result!);
    await runner.settle?.(pod.containerId, signal);
  } catch (error) {
    // Not with the caller's signal: that it fired may be why we are here.
    await deleteFromNetwork(runner, list, pod, result).catch(undoFailed);
    throw error;
  }
  return result!;
}

/**
 * DEL of each plugin in reverse order, with the result of ADD when there is one. One that fails does not keep the
 * others from theirs; throws the first Fault at the end. `part`: only the plugins from one index to before another.
 */
export async function deleteFromNetwork(
  runner: PluginCaller,
  list: ConfigList,
  pod: PodInterface,
  result: JsonObject | undefined,
  signal?: AbortSignal,
  part: { from: number; to: number } = { from: 0, to: list.plugins.length },
): Promise<void> {
  const call = caller(runner, list, pod, signal);
  const failures: unknown[] = [];
  for (const plugin of list.plugins.slice(part.from, part.to).toReversed()) {
    try {
      // Before 0.4.0 DEL had none; a function of ours finds by it what to take away.
      const takes = versionAtLeast(list.cniVersion, '0.4.0') || runner.inProcess?.(plugin) === true;
      await call('DEL', plugin, takes ? result : undefined);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** CHECK of each plugin: throws the first Fault. Does nothing when the list forbids it or is older than 0.4.0. */
export async function checkOnNetwork(
  runner: PluginCaller,
  list: ConfigList,
  pod: PodInterface,
  result: JsonObject,
  signal?: AbortSignal,
): Promise<void> {
  if (list.disableCheck || !versionAtLeast(list.cniVersion, '0.4.0')) return;
  const call = caller(runner, list, pod, signal);
  for (const plugin of list.plugins) await call('CHECK', plugin, result);
}

/**
 * Whether the network is ready for ADD: every executable is there, speaks the list's version, and from version
 * 1.1.0 on answers STATUS with success. Throws a Fault that says what is missing.
 */
export async function probeNetwork(
  runner: PluginCaller,
  list: ConfigList,
  signal?: AbortSignal,
): Promise<void> {
  const call = caller(runner, list, NOBODY, signal);
  for (const plugin of list.plugins) {
    const said = await call('VERSION', plugin);
    const versions: unknown = isJsonObject(said) ? said['supportedVersions'] : undefined;
    if (!Array.isArray(versions) || !versions.includes(list.cniVersion))
      throw new Fault('precondition', `It does not speak version ${list.cniVersion} of the configuration`, {
        subject: `CNI plugin ${plugin.type}`,
        hint: `it speaks ${JSON.stringify(versions) ?? 'no version'}`,
      });
  }
  await statusOfNetwork(runner, list, signal);
}

/** STATUS of each plugin: throws the first Fault. Does nothing for lists older than 1.1.0. */
export async function statusOfNetwork(
  runner: PluginCaller,
  list: ConfigList,
  signal?: AbortSignal,
): Promise<void> {
  if (!versionAtLeast(list.cniVersion, '1.1.0')) return;
  const call = caller(runner, list, NOBODY, signal);
  for (const plugin of list.plugins) await call('STATUS', plugin);
}

/**
 * GC of each plugin with the attachments that are valid: plugins free what belongs to none of them. Throws the first
 * Fault. Does nothing when the list forbids it or is older than 1.1.0.
 */
export async function collectGarbage(
  runner: PluginCaller,
  list: ConfigList,
  valid: { containerID: string; ifname: string }[],
  signal?: AbortSignal,
): Promise<void> {
  if (list.disableGC || !versionAtLeast(list.cniVersion, '1.1.0')) return;
  const call = caller(runner, list, NOBODY, signal);
  for (const plugin of list.plugins) await call('GC', { ...plugin, 'cni.dev/valid-attachments': valid });
}

const NOBODY: PodInterface = { containerId: '', netns: '', ifName: '', args: {}, capabilities: {} };

function caller(runner: PluginCaller, list: ConfigList, pod: PodInterface, signal?: AbortSignal): Call {
  const env: Record<string, string> =
    pod === NOBODY
      ? {}
      : {
          CNI_CONTAINERID: pod.containerId,
          CNI_NETNS: pod.netns,
          CNI_IFNAME: pod.ifName,
          CNI_ARGS: argsText(pod.args),
        };
  return (verb, plugin, prevResult) => {
    const config =
      verb === 'VERSION'
        ? { cniVersion: list.cniVersion }
        : executionConfig(list, plugin, pod.capabilities, prevResult);
    return runner.call({ verb, type: plugin.type, config, env }, signal);
  };
}

/** What a plugin reads: its own object, named and versioned as the list, with what it may know of this run. */
export function executionConfig(
  list: ConfigList,
  plugin: JsonObject & { type: string },
  offered: Record<string, unknown>,
  prevResult?: JsonObject,
): JsonObject {
  const { capabilities, runtimeConfig: _ours, prevResult: _theirs, ...own } = plugin;
  const wanted = isJsonObject(capabilities) ? capabilities : {};
  const runtimeConfig = Object.fromEntries(
    Object.entries(offered).filter(([name, value]) => wanted[name] === true && value !== undefined),
  );
  return {
    ...own,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(Object.keys(runtimeConfig).length > 0 && { runtimeConfig }),
    ...(prevResult !== undefined && { prevResult }),
  };
}

/** `K=V;K=V`. There is no escape: a `;` would forge a further argument. */
function argsText(args: Record<string, string>): string {
  const pairs = Object.entries(args);
  for (const [name, value] of pairs)
    if (/[;=]/.test(name) || value.includes(';'))
      throw new Fault('invalid', `CNI_ARGS cannot carry ${name}=${JSON.stringify(value)}`);
  return pairs.map(([name, value]) => `${name}=${value}`).join(';');
}
