import type { Plugin } from '../../cni/plugin.ts';
import { hostLocal } from './host-local/host-local.ts';
import { loopback } from './loopback.ts';

/** Every CNI plugin that Berth brings: the daemon calls them as functions, `berth cni install` as executables. */
export function ownPlugins(): Plugin[] {
  return [hostLocal, loopback];
}
