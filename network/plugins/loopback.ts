import { CNI_ERROR, PluginError } from '../../cni/plugin-error.ts';
import type { Plugin, PluginCallInput } from '../../cni/plugin.ts';
import type { Result } from '../../cni/result.ts';
import { inNetns, isNsfs } from '../../native/namespaces.ts';
import { linkDown, linkUp, LOOPBACK_INDEX, Rtnl } from '../../native/netlink.ts';

/** The plugin loopback: brings `lo` up, or down on DEL, and tells its addresses. */
export const loopback: Plugin = {
  type: 'loopback',

  async add({ netns, prevResult }: PluginCallInput): Promise<Result> {
    using pod = inNetns(netns, () => new Rtnl());
    await pod.execInPool([linkUp(LOOPBACK_INDEX)]);
    if (prevResult !== undefined) return prevResult;
    const ips = pod
      .addrs()
      .filter(({ index }) => index === LOOPBACK_INDEX)
      .map(({ address, prefix }) => ({ address: `${address}/${prefix}`, interface: 0 }));
    return {
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: netns }],
      ips,
      routes: [],
      dns: {},
    };
  },

  async del({ netns }: PluginCallInput): Promise<void> {
    if (netns === '' || !isNsfs(netns)) return;
    using pod = inNetns(netns, () => new Rtnl());
    await pod.execInPool([linkDown(LOOPBACK_INDEX)]);
  },

  async check({ netns }: PluginCallInput): Promise<void> {
    using pod = inNetns(netns, () => new Rtnl());
    if (pod.linkByName('lo')?.up !== true)
      throw new PluginError('loopback', CNI_ERROR.failed, `lo is down in ${netns}`);
  },
};
