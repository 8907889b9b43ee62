import { type Link, linkIndex, type Rtnl } from '../../../native/netlink.ts';
import type { BridgeSettings } from './settings.ts';

/** How long what was found counts. A burst of pods looks once; somebody's change is met by the next pod after it. */
const GOOD_FOR_MS = 3000;

interface Known {
  link: Link;
  gateways: Set<string>;
  until: number;
}

/**
 * Bridges that were found as the configuration wants them, a moment ago. Asking the kernel again for each pod of a burst
 * would wait for its lock of link changes; whether the bridge is still the same one is asked without it.
 */
export class KnownBridges {
  readonly #known = new Map<string, Known>();

  /** The bridge, when nothing about it has to be asked or changed. */
  get(settings: BridgeSettings): Link | undefined {
    return this.#current(settings)?.link;
  }

  /** Whether the bridge is known to have this gateway address. */
  serves(settings: BridgeSettings, gateway: string): boolean {
    return this.#current(settings)?.gateways.has(gateway) === true;
  }

  /** The bridge's hardware address: asked for while it may still follow its ports. */
  macOf(rtnl: Rtnl, bridge: Link, settings: BridgeSettings): string {
    return this.get(settings)?.mac ?? rtnl.linkByName(bridge.name)?.mac ?? '';
  }

  /** Takes down what was found, and that the bridge has this address. */
  keep(settings: BridgeSettings, link: Link | undefined, gateway: string): void {
    if (link === undefined) return;
    const before = this.#current(settings);
    const until = before?.until ?? performance.now() + GOOD_FOR_MS;
    this.#known.set(keyOf(settings), {
      link,
      gateways: new Set([...(before?.gateways ?? []), gateway]),
      until,
    });
  }

  /** What was known may be wrong: something has failed. */
  forget(settings: BridgeSettings): void {
    this.#known.delete(keyOf(settings));
  }

  #current(settings: BridgeSettings): Known | undefined {
    const known = this.#known.get(keyOf(settings));
    if (known === undefined) return undefined;
    if (performance.now() < known.until && linkIndex(settings.bridge) === known.link.index) return known;
    this.#known.delete(keyOf(settings));
    return undefined;
  }
}

/** Other settings may want other switches of the same bridge. */
function keyOf(settings: BridgeSettings): string {
  return JSON.stringify(settings);
}
