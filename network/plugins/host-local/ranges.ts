import ipaddr from 'ipaddr.js';
import { CNI_ERROR, PluginError } from '../../../cni/plugin-error.ts';
import { isJsonObject, type JsonObject } from '../../../cni/config-list.ts';
import { numberOf } from '../../ip-number.ts';

/** A range of addresses that are given out, first and last one included. */
export interface IpamRange {
  family: 4 | 6;
  prefix: number;
  start: bigint;
  end: bigint;
  /** Never given out; what pods route over. */
  gateway: bigint | undefined;
}

/** Ranges of one family. A pod gets one address from each set. */
export type RangeSet = IpamRange[];

const invalid = (what: string): never => {
  throw new PluginError('host-local', CNI_ERROR.invalidConfig, what);
};

/**
 * Reads the range sets of a host-local configuration in the order in which addresses are given: those of the
 * capability `ipRanges`, then `ranges`, the older single range on the top level first among these. Throws PluginError.
 */
export function rangeSetsOf(ipam: JsonObject, runtimeRanges: unknown): RangeSet[] {
  const older = ipam['subnet'] === undefined ? [] : [[ipam]];
  const sets = [...older, ...listOf(ipam['ranges'], 'ranges')];
  const given = [...listOf(runtimeRanges, 'runtimeConfig.ipRanges'), ...sets];
  if (given.length === 0) return invalid('no IP ranges specified');
  const read = given.map((set, index) => rangeSet(set, index));
  for (const [index, set] of read.entries())
    for (const other of read.slice(0, index))
      if (set.some((a) => other.some((b) => overlap(a, b))))
        return invalid(`range set ${index} overlaps one before it`);
  return read;
}

function listOf(value: unknown, name: string): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : invalid(`${name} is no list`);
}

function rangeSet(value: unknown, index: number): RangeSet {
  const name = `range set ${index}`;
  if (!Array.isArray(value) || value.length === 0) return invalid(`${name} is no list of ranges`);
  const ranges = value.map((each: unknown) => range(each, name));
  if (ranges.some(({ family }) => family !== ranges[0]!.family))
    return invalid(`${name} mixes address families`);
  for (const [at, one] of ranges.entries())
    if (ranges.slice(0, at).some((other) => overlap(one, other)))
      return invalid(`${name} has ranges that overlap`);
  return ranges;
}

function range(value: unknown, set: string): IpamRange {
  if (!isJsonObject(value) || typeof value['subnet'] !== 'string')
    return invalid(`${set} has a range without subnet`);
  const text = value['subnet'];
  const [address, prefix] = parseSubnet(text);
  const family = address.kind() === 'ipv4' ? 4 : 6;
  const hostBits = BigInt((family === 4 ? 32 : 128) - prefix);
  if (hostBits < 2n) return invalid(`${text} is too small to give addresses from`);
  const base = numberOf(address);
  if ((base >> hostBits) << hostBits !== base)
    return invalid(`subnet ${text} has host bits set: it has to be a network address`);
  const last = base + (1n << hostBits) - (family === 4 ? 2n : 1n);
  const within = (key: string): bigint | undefined => {
    const given = value[key];
    if (given === undefined || given === '') return undefined;
    if (typeof given !== 'string' || !ipaddr.isValid(given))
      return invalid(`${key} ${JSON.stringify(given)} is no address`);
    const number = numberOf(ipaddr.parse(given));
    if (
      ipaddr.parse(given).kind() !== address.kind() ||
      number < base ||
      number > base + (1n << hostBits) - 1n
    )
      return invalid(`${key} ${given} is not in network ${text}`);
    return number;
  };
  const [start, end] = [within('rangeStart') ?? base + 1n, within('rangeEnd') ?? last];
  if (start > end) return invalid(`rangeStart lies behind rangeEnd in ${text}`);
  return { family, prefix, start, end, gateway: within('gateway') ?? base + 1n };
}

function parseSubnet(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  try {
    return ipaddr.parseCIDR(text);
  } catch {
    return invalid(`subnet ${JSON.stringify(text)} is no range like 10.1.0.0/24`);
  }
}

function overlap(a: IpamRange, b: IpamRange): boolean {
  return a.family === b.family && a.start <= b.end && b.start <= a.end;
}

/** The range of a set that holds this address. */
export function rangeWith(set: RangeSet, family: 4 | 6, number: bigint): IpamRange | undefined {
  return set.find((one) => one.family === family && number >= one.start && number <= one.end);
}

/**
 * All addresses of a set, each once, beginning behind `last` (from the start when that is in none of its ranges) and
 * going round. Gateways are left out.
 */
export function* candidates(set: RangeSet, last: bigint | undefined): Generator<[IpamRange, bigint]> {
  const at = last === undefined ? -1 : set.findIndex((one) => last >= one.start && last <= one.end);
  const first = at < 0 ? 0 : at;
  for (let turn = 0; turn <= set.length; turn++) {
    const one = set[(first + turn) % set.length]!;
    const from = turn === 0 && at >= 0 ? last! + 1n : one.start;
    // The last turn comes back to the range it began with, for what stands before the beginning.
    const to = turn === set.length ? (at >= 0 ? last! : one.start - 1n) : one.end;
    for (let number = from; number <= to; number++) if (number !== one.gateway) yield [one, number];
  }
}
