import ipaddr from 'ipaddr.js';
import { Fault, messageOf } from '../ground/fault.ts';
import { numberOf, textOf } from './ip-number.ts';

/** One range that pods get their addresses from. */
export interface PodRange {
  family: 4 | 6;
  /** Canonical text: network address and prefix length. */
  cidr: string;
  prefix: number;
  /** The first usable address: the bridge's own. */
  gateway: string;
  /** First and last address for pods, as numbers. */
  first: bigint;
  last: bigint;
}

/**
 * Reads `10.1.0.0/24`, `fd00:1::/64` or one of each, separated by a comma. The first one gives the primary address.
 * Throws Fault `invalid` for malformed text, two ranges of one family, or a range without room for a pod.
 */
export function parsePodRanges(text: string): PodRange[] {
  const ranges = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseRange);
  if (ranges.length > 2 || (ranges.length === 2 && ranges[0]!.family === ranges[1]!.family))
    throw new Fault('invalid', 'At most one range of each address family can serve', {
      subject: `pod range ${text}`,
    });
  return ranges;
}

function parseRange(text: string): PodRange {
  const subject = `pod range ${text}`;
  let address: ipaddr.IPv4 | ipaddr.IPv6;
  let prefix: number;
  try {
    [address, prefix] = ipaddr.parseCIDR(text);
  } catch (cause) {
    throw new Fault('invalid', 'Not a range', { subject, cause, hint: 'write it like 10.1.0.0/24' });
  }
  const family = address.kind() === 'ipv4' ? 4 : 6;
  const bits = family === 4 ? 32 : 128;
  const hostBits = BigInt(bits - prefix);
  if (hostBits < 2n)
    throw new Fault('invalid', `A range of prefix length ${prefix} has no room for pods`, { subject });
  const base = (numberOf(address) >> hostBits) << hostBits;
  const size = 1n << hostBits;
  return {
    family,
    cidr: `${textOf(base, family)}/${prefix}`,
    prefix,
    gateway: textOf(base + 1n, family),
    first: base + 2n,
    // The last address of an IPv4 range is its broadcast address; IPv6 has none.
    last: base + size - (family === 4 ? 2n : 1n),
  };
}

/** An address as a number. Throws Fault `invalid` when it is none. */
export function addressNumber(text: string): bigint {
  try {
    return numberOf(ipaddr.parse(text));
  } catch (cause) {
    throw new Fault('invalid', `Not an address: ${text}: ${messageOf(cause)}`);
  }
}

/** The family of an address, undefined when the text is no address. Four-part decimal only for IPv4. */
export function addressFamily(text: string): 4 | 6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return 4;
  return ipaddr.IPv6.isValid(text) ? 6 : undefined;
}

/** The address with this number in the range, in canonical text. */
export function addressAt(range: PodRange, number: bigint): string {
  return textOf(number, range.family);
}

/** How many pods the range has room for. */
export function rangeSize(range: PodRange): bigint {
  return range.last - range.first + 1n;
}
