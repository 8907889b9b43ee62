import { type ConfigList, isJsonObject, type JsonObject } from './config-list.ts';
import { PluginError } from './plugin-error.ts';
import { asPluginError, callPlugin } from './plugin-call.ts';
import type { Delegate, Plugin } from './plugin.ts';
import { faultOf, type PluginCall, type PluginCaller } from './plugin-runner.ts';

/**
 * Plugins that are functions run in this process, all others by `external`. A configuration object with
 * `"berth.exec": true`, or a type in `forced`, goes to the executable although there is a function for it.
 */
export class BuiltInPlugins implements PluginCaller {
  readonly #all: readonly Plugin[];
  #plugins: ReadonlyMap<string, Plugin> = new Map();
  readonly #external: PluginCaller;
  readonly #done: (step: string) => void;

  /** `done` hears of each call of a function that has succeeded: `ADD bridge`, `settle`. */
  constructor(
    plugins: readonly Plugin[],
    external: PluginCaller,
    forced: readonly string[] = [],
    done: (step: string) => void = () => undefined,
  ) {
    this.#all = plugins;
    this.force(forced);
    this.#external = external;
    this.#done = done;
  }

  /** Types that go to their executables from now on although there are functions for them. */
  force(forced: readonly string[]): void {
    this.#plugins = new Map(
      this.#all.filter(({ type }) => !forced.includes(type)).map((plugin) => [plugin.type, plugin]),
    );
  }

  inProcess(plugin: JsonObject & { type: string }): boolean {
    return plugin['berth.exec'] !== true && this.#plugins.has(plugin.type);
  }

  /** Whether nothing of a list needs an executable: neither its plugins nor those that give their addresses. */
  servesAll({ plugins }: ConfigList): boolean {
    return plugins.every((plugin) => {
      const ipam = isJsonObject(plugin['ipam']) ? plugin['ipam']['type'] : undefined;
      return this.inProcess(plugin) && (typeof ipam !== 'string' || this.#plugins.has(ipam));
    });
  }

  async call(call: PluginCall, signal?: AbortSignal): Promise<unknown> {
    const plugin = this.#plugins.get(call.type);
    if (plugin === undefined || call.config['berth.exec'] === true)
      return await this.#external.call(call, signal);
    try {
      const printed = await callPlugin(plugin, call, this.#delegate(call), signal);
      this.#done(`${call.verb} ${call.type}`);
      return printed;
    } catch (error) {
      throw error instanceof PluginError ? faultOf(call.verb, error) : error;
    }
  }

  async settle(containerId: string, signal?: AbortSignal): Promise<void> {
    for (const plugin of this.#plugins.values()) {
      try {
        await plugin.settle?.(containerId, signal);
      } catch (error) {
        const known = asPluginError(plugin.type, error);
        throw known instanceof PluginError ? faultOf('ADD', known) : known;
      }
    }
    this.#done('settle');
  }

  #delegate({ env, config }: PluginCall): Delegate {
    return async (verb, type, signal) => {
      const { 'berth.exec': _ours, ...same } = config as JsonObject & { 'berth.exec'?: unknown };
      return await this.call({ verb, type, config: same, env }, signal);
    };
  }
}
