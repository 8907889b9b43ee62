import ipaddr from 'ipaddr.js';

/** An address as one number, for arithmetic over ranges. */
export function numberOf(address: ipaddr.IPv4 | ipaddr.IPv6): bigint {
  return address.toByteArray().reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The canonical text of the address with this number (RFC 5952 for IPv6). */
export function textOf(number: bigint, family: 4 | 6): string {
  const length = family === 4 ? 4 : 16;
  const place = (index: number): bigint => BigInt(8 * (length - 1 - index));
  return canonical(
    ipaddr.fromByteArray(Array.from({ length }, (_, index) => Number((number >> place(index)) & 255n))),
  );
}

/** An address as Linux writes it. */
export function canonical(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}
