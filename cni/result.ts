import { Fault } from '../ground/fault.ts';
import { isJsonObject, type JsonObject } from './config-list.ts';

/**
 * Checks what an ADD printed: an object whose `ips`, if any, have addresses (CNI specification, section 5, versions
 * 0.3.0 to 1.1.0). The object itself is kept as it is: later plugins get it as `prevResult`. Throws Fault `internal`.
 */
export function checkResult(value: unknown, subject: string): JsonObject {
  if (!isJsonObject(value)) throw new Fault('internal', 'The result is no JSON object', { subject });
  const ips = value['ips'] ?? [];
  if (!Array.isArray(ips)) throw new Fault('internal', 'ips in the result is no list', { subject });
  for (const ip of ips as unknown[])
    if (
      !isJsonObject(ip) ||
      typeof ip['address'] !== 'string' ||
      !/^[0-9a-fA-F.:]+\/\d{1,3}$/.test(ip['address'])
    )
      throw new Fault('internal', `The result has an unusable address ${JSON.stringify(ip)}`, { subject });
  return value;
}

/** The addresses of the pod's interface in a checked result, without prefix length, in the plugins' order. */
export function podAddresses(result: JsonObject, ifName: string): string[] {
  const interfaces: unknown[] = Array.isArray(result['interfaces']) ? result['interfaces'] : [];
  const ips = (result['ips'] ?? []) as { address: string; interface?: unknown }[];
  return ips
    .filter(({ interface: index }) => {
      // Without an index the address belongs to the pod; with one, to the interface it points at.
      const link = typeof index === 'number' ? interfaces[index] : undefined;
      return !isJsonObject(link) || (link['name'] === ifName && Boolean(link['sandbox']));
    })
    .map(({ address }) => address.slice(0, address.indexOf('/')));
}
