import ipaddr from 'ipaddr.js';

/** One request of rtnetlink(7). Builders make them; `name` says in errors what it was to do. */
export interface RtMessage {
  name: string;
  type: number;
  flags: number;
  body: Buffer;
}

/** The bytes of netlink attributes (netlink(7): length, type, data, padding to four), in the machine's order. */

const HEADER = 4;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;

/** The size with its padding: attributes and messages start where four divides. */
export function align4(size: number): number {
  return (size + 3) & ~3;
}

/** One attribute. */
export function attribute(type: number, data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(align4(HEADER + data.length));
  bytes.writeUInt16LE(HEADER + data.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(data, HEADER);
  return bytes;
}

/** An attribute that holds attributes. */
export function nested(type: number, ...attributes: Uint8Array[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(attributes));
}

/** One byte as the data of an attribute. */
export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

/** An unsigned 32-bit number as the data of an attribute. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}

/** A string with its NUL. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/** The attributes that stand in `bytes`, by type; of several of one type the last. */
export function attributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + HEADER <= bytes.length;) {
    const size = bytes.readUInt16LE(at);
    if (size < HEADER || at + size > bytes.length) break;
    found.set(bytes.readUInt16LE(at + 2) & TYPE_MASK, bytes.subarray(at + HEADER, at + size));
    at += align4(size);
  }
  return found;
}

/** The data of the attributes of a list, whatever their types. */
export function listed(bytes: Buffer | undefined): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; bytes !== undefined && at + HEADER <= bytes.length;) {
    const size = bytes.readUInt16LE(at);
    if (size < HEADER || at + size > bytes.length) break;
    found.push(bytes.subarray(at + HEADER, at + size));
    at += align4(size);
  }
  return found;
}

/** A string attribute without its NUL. */
export function textOf(data: Buffer | undefined): string {
  if (data === undefined) return '';
  const end = data.indexOf(0);
  return data.toString('utf8', 0, end === -1 ? data.length : end);
}

/** The number that an attribute holds, undefined when there is none. */
export function u32Of(data: Buffer | undefined): number | undefined {
  return data === undefined || data.length < 4 ? undefined : data.readUInt32LE(0);
}

/** `02:00:0a:00:00:01` as six bytes. */
export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** A hardware address as text, empty when there is none. */
export function macOf(data: Buffer | undefined): string {
  return data === undefined ? '' : data.toString('hex').replace(/(..)(?=.)/g, '$1:');
}

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;

/** The family and the bytes of an IPv4 or IPv6 address. Throws when it is none. */
export function ipBytes(address: string): { family: number; bytes: Buffer } {
  const parsed = ipaddr.parse(address);
  return { family: parsed.kind() === 'ipv4' ? AF_INET : AF_INET6, bytes: Buffer.from(parsed.toByteArray()) };
}

/** An address as text; IPv6 in its short form. */
export function ipOf(data: Buffer): string {
  return ipaddr.fromByteArray([...data]).toString();
}
