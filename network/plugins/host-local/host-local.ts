import { readFileSync } from 'node:fs';
import ipaddr from 'ipaddr.js';
import { isJsonObject, type JsonObject } from '../../../cni/config-list.ts';
import { CNI_ERROR, PluginError } from '../../../cni/plugin-error.ts';
import type { Plugin, PluginCallInput, PluginNodeInput } from '../../../cni/plugin.ts';
import type { Result, ResultDns, ResultIp, ResultRoute } from '../../../cni/result.ts';
import { canonical, numberOf, textOf } from '../../ip-number.ts';
import { candidates, type RangeSet, rangeSetsOf, rangeWith } from './ranges.ts';
import { AddressFiles } from './store.ts';

const TYPE = 'host-local';
const DATA_DIR = '/var/lib/cni/networks';

/**
 * The IPAM plugin host-local: gives each pod one address from each range set, by files that the reference plugin
 * shares (`store.ts`). The same configuration: `ranges` (or the older `subnet`, `rangeStart`, `rangeEnd`, `gateway`),
 * `routes`, `dataDir`, `resolvConf`; the capabilities `ipRanges` and `ips`; `IP` in CNI_ARGS and `args.cni.ips`.
 * Beyond the reference it serves GC.
 */
export const hostLocal: Plugin = {
  type: TYPE,

  async add(input: PluginCallInput, signal?: AbortSignal): Promise<Result> {
    const ipam = ipamOf(input.config);
    const sets = rangeSetsOf(ipam, runtimeOf(input.config)['ipRanges']);
    const wanted = wantedAddresses(input);
    const { containerId, ifName } = input;
    using files = await openFiles(input.config, ipam, signal);
    const taken: string[] = [];
    try {
      const ips = sets.map((set, index): ResultIp => {
        const [address, number] = take(files, set, index, wanted, containerId, ifName);
        taken.push(address);
        const range = rangeWith(set, set[0]!.family, number)!;
        const gateway = range.gateway === undefined ? undefined : textOf(range.gateway, range.family);
        return { address: `${address}/${range.prefix}`, gateway };
      });
      if (wanted.length > 0)
        throw new PluginError(TYPE, CNI_ERROR.failed, `requested IPs are in no range: ${wanted.join(', ')}`);
      return { interfaces: [], ips, routes: routesOf(ipam), dns: dnsOf(ipam) };
    } catch (error) {
      for (const address of taken) files.release(address);
      throw error;
    }
  },

  async del(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    using files = await openFiles(input.config, ipamOf(input.config), signal);
    for (const address of files.of(input.containerId, input.ifName)) files.release(address);
  },

  async check(input: PluginCallInput, signal?: AbortSignal): Promise<void> {
    using files = await openFiles(input.config, ipamOf(input.config), signal);
    const has = files.of(input.containerId, input.ifName);
    const lost = input.prevResult?.ips.find(({ address }) => !has.includes(address.split('/')[0]!));
    if (has.length === 0 || lost !== undefined)
      throw new PluginError(
        TYPE,
        CNI_ERROR.failed,
        `container ${input.containerId} does not hold ${lost?.address ?? 'any address'}`,
      );
  },

  async status(input: PluginNodeInput, signal?: AbortSignal): Promise<void> {
    rangeSetsOf(ipamOf(input.config), runtimeOf(input.config)['ipRanges']);
    using _files = await openFiles(input.config, ipamOf(input.config), signal);
  },

  async gc(input, signal?: AbortSignal): Promise<void> {
    using files = await openFiles(input.config, ipamOf(input.config), signal);
    const owners = new Set(
      input.valid.flatMap(({ containerId, ifName }) => [`${containerId}\r\n${ifName}`, containerId]),
    );
    for (const { address, owner } of files.all()) if (!owners.has(owner)) files.release(address);
  },
};

function take(
  files: AddressFiles,
  set: RangeSet,
  index: number,
  wanted: string[],
  containerId: string,
  ifName: string,
): [address: string, number: bigint] {
  const asked = wanted.findIndex((address) => inSet(set, address) !== undefined);
  if (asked >= 0) {
    const [address] = wanted.splice(asked, 1) as [string];
    const number = inSet(set, address)!;
    if (set.some(({ gateway }) => gateway === number))
      throw new PluginError(TYPE, CNI_ERROR.failed, `requested IP ${address} is the gateway`);
    if (!files.reserve(address, containerId, ifName, index))
      throw new PluginError(TYPE, CNI_ERROR.failed, `requested IP ${address} is taken`);
    return [address, number];
  }
  const twin = files.of(containerId, ifName).find((address) => inSet(set, address) !== undefined);
  if (twin !== undefined)
    throw new PluginError(
      TYPE,
      CNI_ERROR.failed,
      `${containerId} has ${twin} already: it cannot be added twice`,
    );
  const last = files.last(index);
  for (const [{ family }, number] of candidates(set, last === undefined ? undefined : numberOf(last))) {
    const address = textOf(number, family);
    if (files.reserve(address, containerId, ifName, index)) return [address, number];
  }
  const texts = set.map(({ start, end, family }) => `${textOf(start, family)}-${textOf(end, family)}`);
  throw new PluginError(TYPE, CNI_ERROR.failed, `no IP addresses available in range set: ${texts.join(',')}`);
}

/** The number of an address that a set can give. */
function inSet(set: RangeSet, text: string): bigint | undefined {
  const address = ipaddr.parse(text);
  const number = numberOf(address);
  return rangeWith(set, address.kind() === 'ipv4' ? 4 : 6, number) === undefined ? undefined : number;
}

/** Addresses that the caller asks for, in canonical text. */
function wantedAddresses({ config, args }: PluginCallInput): string[] {
  const cni = isJsonObject(config['args']) ? config['args']['cni'] : undefined;
  const lists: unknown[] = [runtimeOf(config)['ips'], isJsonObject(cni) ? cni['ips'] : undefined];
  const given: unknown[] = [
    ...(args['IP'] ?? '').split(','),
    ...lists.flatMap((list): unknown[] => (Array.isArray(list) ? list : [])),
  ];
  return given
    .filter((text) => text !== '')
    .map((text) => {
      const address = typeof text === 'string' ? text.split('/')[0]! : '';
      if (!ipaddr.isValid(address))
        throw new PluginError(
          TYPE,
          CNI_ERROR.invalidConfig,
          `requested IP ${JSON.stringify(text)} is no address`,
        );
      return canonical(ipaddr.parse(address));
    });
}

function ipamOf(config: JsonObject): JsonObject {
  const ipam = config['ipam'];
  if (isJsonObject(ipam)) return ipam;
  throw new PluginError(TYPE, CNI_ERROR.invalidConfig, "the configuration has no 'ipam'");
}

function runtimeOf(config: JsonObject): JsonObject {
  return isJsonObject(config['runtimeConfig']) ? config['runtimeConfig'] : {};
}

async function openFiles(
  config: PluginCallInput['config'],
  ipam: JsonObject,
  signal?: AbortSignal,
): Promise<AddressFiles> {
  const dataDir = ipam['dataDir'];
  return await AddressFiles.open(
    typeof dataDir === 'string' && dataDir !== '' ? dataDir : DATA_DIR,
    config.name,
    signal,
  );
}

function routesOf(ipam: JsonObject): ResultRoute[] {
  const routes = ipam['routes'] ?? [];
  if (
    !Array.isArray(routes) ||
    !routes.every((route) => isJsonObject(route) && typeof route['dst'] === 'string')
  )
    throw new PluginError(TYPE, CNI_ERROR.invalidConfig, 'routes is no list of routes with dst');
  return routes as ResultRoute[];
}

/** As resolv.conf(5) has it. */
function dnsOf(ipam: JsonObject): ResultDns {
  const path = ipam['resolvConf'];
  if (typeof path !== 'string' || path === '') return {};
  const dns: Required<ResultDns> = { nameservers: [], search: [], options: [], domain: '' };
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new PluginError(TYPE, CNI_ERROR.io, `resolvConf ${path} cannot be read`, String(error));
  }
  for (const line of text.split('\n')) {
    const [key, ...words] = line.trim().split(/\s+/);
    if (key === 'nameserver' && words[0] !== undefined) dns.nameservers.push(words[0]);
    if (key === 'domain' && words[0] !== undefined) dns.domain = words[0];
    if (key === 'search') dns.search.push(...words);
    if (key === 'options') dns.options.push(...words);
  }
  return Object.fromEntries(Object.entries(dns).filter(([, value]) => value.length > 0));
}
