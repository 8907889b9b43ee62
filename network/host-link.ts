import { isJsonObject } from '../cni/config-list.ts';
import type { Attachment } from './pod-network.ts';

/**
 * The node's end of a pod's link, by what its attachment says; empty when it does not say. A CNI result lists the host's
 * interfaces before those of the pod, a bridge before the link that hangs on it (CNI specification, section 5).
 */
export function hostLinkOf({ network, detail }: Attachment): string {
  if (network === 'bridge') return typeof detail['link'] === 'string' ? detail['link'] : '';
  const result = detail['result'];
  const interfaces = isJsonObject(result) ? result['interfaces'] : undefined;
  if (!Array.isArray(interfaces)) return '';
  const host = interfaces
    .filter(isJsonObject)
    .filter(({ sandbox }) => sandbox === undefined || sandbox === '');
  const name = host.at(-1)?.['name'];
  return typeof name === 'string' ? name : '';
}
