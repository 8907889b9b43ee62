import { Fault } from '../ground/fault.ts';
import {
  CNI_VERSIONS,
  type CniVersion,
  isJsonObject,
  type JsonObject,
  versionAtLeast,
} from './config-list.ts';

/** An interface that an ADD made or uses. `sandbox` is the namespace's path, absent for one on the node. */
export interface ResultInterface {
  name: string;
  mac?: string;
  mtu?: number;
  sandbox?: string;
  socketPath?: string;
  pciID?: string;
}

export interface ResultIp {
  /** With prefix length: `10.1.0.7/24`. */
  address: string;
  gateway?: string;
  /** Index into `interfaces`. */
  interface?: number;
}

export interface ResultRoute {
  dst: string;
  gw?: string;
  mtu?: number;
  advmss?: number;
  priority?: number;
  table?: number;
  scope?: number;
}

export interface ResultDns {
  nameservers?: string[];
  domain?: string;
  search?: string[];
  options?: string[];
}

/** What an ADD gives (CNI specification 1.1, section 5, "Success"), in the newest version's form. */
export interface Result {
  interfaces: ResultInterface[];
  ips: ResultIp[];
  routes: ResultRoute[];
  dns: ResultDns;
}

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

/**
 * Checks what an ADD printed, and gives it in the list's version: what the next plugin gets is of the version that its
 * configuration says (CNI specification, "Version considerations"). A result of that very version stays as it is,
 * fields of the plugin's own included; one that says no version is taken for it. Throws Fault `internal`.
 */
export function resultIn(version: CniVersion, value: unknown, subject: string): JsonObject {
  const given = checkResult(value, subject);
  const said = given['cniVersion'] ?? '';
  if (said === version) return given;
  if (said === '') return { ...given, cniVersion: version };
  if (!CNI_VERSIONS.includes(said as CniVersion))
    throw new Fault(
      'internal',
      `The result is of version ${JSON.stringify(said)}, which is none of ${CNI_VERSIONS.join(', ')}`,
      { subject },
    );
  return resultAs(version, resultFrom(given, subject));
}

/**
 * Reads a result of any version from 0.3.0 on into the newest form; fields that are not there are empty. Throws
 * Fault `internal`, as `checkResult` does.
 */
export function resultFrom(value: unknown, subject: string): Result {
  const given = checkResult(value, subject);
  const list = <T>(name: string): T[] => {
    const found = given[name] ?? [];
    if (!Array.isArray(found) || !found.every(isJsonObject))
      throw new Fault('internal', `${name} in the result is no list of objects`, { subject });
    return found as T[];
  };
  return {
    interfaces: list<ResultInterface>('interfaces'),
    // Before 1.0.0 each address said its family.
    ips: list<ResultIp & { version?: string }>('ips').map(({ version: _family, ...ip }) => ip),
    routes: list<ResultRoute>('routes'),
    dns: isJsonObject(given['dns']) ? given['dns'] : {},
  };
}

/**
 * The result as a plugin of `version` prints it: fields that came later are left out, those that the version demands
 * are put in (CNI specification, "Released versions").
 */
export function resultAs(version: CniVersion, result: Result): JsonObject {
  const newest = versionAtLeast(version, '1.1.0');
  const { interfaces, ips, routes, dns } = result;
  return {
    cniVersion: version,
    ...(interfaces.length > 0 && {
      interfaces: newest ? interfaces : interfaces.map(({ name, mac, sandbox }) => ({ name, mac, sandbox })),
    }),
    ...(ips.length > 0 && {
      ips: versionAtLeast(version, '1.0.0')
        ? ips
        : ips.map((ip) => ({ version: ip.address.includes(':') ? '6' : '4', ...ip })),
    }),
    ...(routes.length > 0 && { routes: newest ? routes : routes.map(({ dst, gw }) => ({ dst, gw })) }),
    dns,
  };
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
