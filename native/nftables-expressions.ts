import { attribute, nested, text } from './netlink-attributes.ts';

/**
 * The steps of a rule (linux/netfilter/nf_tables.h): each reads the packet or a register, and ends the rule when it does
 * not match. Registers are numbered by words of four bytes: `register 0` is NFT_REG32_00.
 */
export interface Expression {
  name: string;
  attributes: Buffer[];
}

/** What becomes of a packet. */
export type Verdict = 'accept' | 'drop' | 'return' | { jump: string };

const REG32_00 = 8;
const CMP = { equal: 0, other: 1 };
const META = { iifname: 6, oifname: 7, nfproto: 15, l4proto: 16 } as const;
const CT = { state: 0, status: 2, originalPort: 12 } as const;
const CODES = { accept: 1, drop: 0, return: -5 } as const;
const JUMP = -3;
const NETWORK_HEADER = 1;
const TRANSPORT_HEADER = 2;
const FIB_ADDRESS_TYPE = 3;
const FIB_DESTINATION = 2;
const RTN_LOCAL = 2;
const IFNAMSIZ = 16;

/** Bits of conntrack's state and status as rules see them, in the machine's order. */
export const CT_BITS = { established: 2, related: 4, dnat: 0x20 } as const;

function be32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function register(at: number): Buffer {
  return be32(REG32_00 + at);
}

/** A value as data of an expression or element. */
export function data(value: Uint8Array): Buffer {
  return attribute(1, value);
}

/** A verdict as data of an expression or element. */
export function verdictData(verdict: Verdict): Buffer {
  if (typeof verdict === 'string') return nested(2, attribute(1, be32(CODES[verdict])));
  return nested(2, attribute(1, be32(JUMP)), attribute(2, text(verdict.jump)));
}

/** Ends the rule with this verdict. */
export function verdict(what: Verdict): Expression {
  return { name: 'immediate', attributes: [attribute(1, be32(0)), nested(2, verdictData(what))] };
}

/** Counts packets and bytes. */
export function counter(): Expression {
  return { name: 'counter', attributes: [attribute(1, Buffer.alloc(8)), attribute(2, Buffer.alloc(8))] };
}

/** Reads `length` bytes of a header into a register. */
function payload(at: number, base: number, offset: number, length: number): Expression {
  const attributes = [register(at), be32(base), be32(offset), be32(length)];
  return { name: 'payload', attributes: attributes.map((bytes, index) => attribute(index + 1, bytes)) };
}

/** Reads something known of the packet. */
export function meta(at: number, key: keyof typeof META): Expression {
  return { name: 'meta', attributes: [attribute(1, register(at)), attribute(2, be32(META[key]))] };
}

/** Goes on when the register is this value, or with `not` when it is not. */
export function compare(at: number, value: Uint8Array, not = false): Expression {
  return {
    name: 'cmp',
    attributes: [
      attribute(1, register(at)),
      attribute(2, be32(not ? CMP.other : CMP.equal)),
      nested(3, data(value)),
    ],
  };
}

function mask(at: number, bits: Buffer): Expression {
  return {
    name: 'bitwise',
    attributes: [
      attribute(1, register(at)),
      attribute(2, register(at)),
      attribute(3, be32(bits.length)),
      nested(4, data(bits)),
      nested(5, data(Buffer.alloc(bits.length))),
    ],
  };
}

/** Reads the source or destination address into a register and those that follow. */
export function address(at: number, family: 4 | 6, which: 'source' | 'destination'): Expression {
  const [start, length] = family === 4 ? [12, 4] : [8, 16];
  return payload(at, NETWORK_HEADER, which === 'source' ? start : start + length, length);
}

/** Goes on when the address lies in the range, or with `not` when it does not. */
export function within(
  family: 4 | 6,
  which: 'source' | 'destination',
  range: { bytes: Buffer; prefix: number },
  not = false,
): Expression[] {
  const { bytes, prefix } = range;
  const bits = Buffer.from(bytes.map((_, index) => 0xff00 >> Math.min(8, Math.max(0, prefix - 8 * index))));
  const wanted = Buffer.from(bytes.map((byte, index) => byte & bits[index]!));
  return [address(0, family, which), mask(0, bits), compare(0, wanted, not)];
}

/** Reads the destination port. */
export function destinationPort(at: number): Expression {
  return payload(at, TRANSPORT_HEADER, 2, 2);
}

/** Reads the port that the connection was made to, before it was translated. */
export function originalPort(at: number): Expression {
  return {
    name: 'ct',
    attributes: [
      attribute(1, register(at)),
      attribute(2, be32(CT.originalPort)),
      attribute(3, Buffer.from([0])),
    ],
  };
}

/** Goes on when one of the bits is set, or with `none` when none is. */
export function connection(what: 'state' | 'status', bits: number, none = false): Expression[] {
  return [
    { name: 'ct', attributes: [attribute(1, register(0)), attribute(2, be32(CT[what]))] },
    mask(0, word(bits)),
    compare(0, Buffer.alloc(4), !none),
  ];
}

/** Goes on when the packet came in, or goes out, by this link; `not`: by another one. */
export function link(which: 'iifname' | 'oifname', name: string, not = false): Expression[] {
  const bytes = Buffer.alloc(IFNAMSIZ);
  bytes.write(name);
  return [meta(0, which), compare(0, bytes, not)];
}

/** Goes on when the packet is for an address of the node. */
export function forThisNode(): Expression[] {
  const fib = [register(0), be32(FIB_ADDRESS_TYPE), be32(FIB_DESTINATION)];
  return [
    { name: 'fib', attributes: fib.map((bytes, index) => attribute(index + 1, bytes)) },
    compare(0, word(RTN_LOCAL)),
  ];
}

/** Goes on when the set has the key that begins in register 0; a map's data goes to register `into`, a verdict is taken. */
export function lookup(set: string, into?: number | 'verdict'): Expression {
  const target = into === 'verdict' ? be32(0) : into === undefined ? undefined : register(into);
  return {
    name: 'lookup',
    attributes: [
      attribute(1, text(set)),
      attribute(2, register(0)),
      ...(target === undefined ? [] : [attribute(3, target)]),
    ],
  };
}

/** Leads the connection to the address in register `at` and the port in the register behind it. */
export function dnat(family: 4 | 6, at: number): Expression {
  return {
    name: 'nat',
    attributes: [
      attribute(1, be32(1)),
      attribute(2, be32(family === 4 ? 2 : 10)),
      attribute(3, register(at)),
      attribute(5, register(at + (family === 4 ? 1 : 4))),
    ],
  };
}

/** Gives the connection the address of the link that it leaves by. */
export function masquerade(): Expression {
  return { name: 'masq', attributes: [] };
}
