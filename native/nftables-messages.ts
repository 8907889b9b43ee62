import { attribute, attributes, listed, nested, text } from './netlink-attributes.ts';
import { data, type Expression, verdictData, type Verdict } from './nftables-expressions.ts';

/** One change of nf_tables in a transaction. `name` says in errors what it was to do. */
export interface NfMessage {
  name: string;
  type: number;
  flags: number;
  /** NFPROTO_*. */
  family: number;
  body: Buffer;
}

/** NFPROTO_* numbers. */
export const NFPROTO = { inet: 1, ip: 2, ip6: 10 } as const;

/** The messages that ask (enum nf_tables_msg_types). */
export const NFT_GET = { table: 1, chain: 4, rule: 7, set: 10, element: 13 } as const;

const NEW = { table: 0, chain: 3, rule: 6, set: 9, element: 12 } as const;
const DEL = { table: 2, chain: 5, rule: 8, set: 11, element: 14 } as const;
const NLM_F_CREATE = 0x400;
const NLM_F_APPEND = 0x800;

/** Attribute numbers that dumps are read by. */
export const NFTA = {
  table: { name: 1, userdata: 6 },
  chain: { table: 1, name: 3, hook: 4, policy: 5, type: 7, hookNumber: 1 },
  rule: { table: 1, chain: 2, handle: 3, expressions: 4, userdata: 7 },
  set: { table: 1, name: 2 },
  elements: { table: 1, set: 2, list: 3, key: 1, data: 2, userdata: 6, value: 1 },
} as const;

/** Hooks of IPv4, IPv6 and inet. */
export const NF_HOOK = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

/** A table, or a place in one. */
export interface TableRef {
  family: number;
  table: string;
}

export interface ChainPlan {
  name: string;
  /** Absent: a chain that others jump to. */
  hook?: { type: 'nat' | 'filter'; hook: keyof typeof NF_HOOK; priority: number };
}

export interface SetPlan {
  name: string;
  keyType: number;
  /** Bytes; each part of a key takes a multiple of four. */
  keyLength: number;
  /** Makes it a map. */
  data?: { type: number; length: number } | 'verdict';
}

/** An element of a set, with the data that the key leads to in a map. */
export interface SetElement {
  key: Buffer;
  data?: Buffer | Verdict;
  /** What nft(8) shows as its comment. */
  comment: string;
}

/** Number types of nft(8), so that it shows what is in a set. Parts of a joined type take six bits each. */
export const DATA_TYPE = { ip: 7, ip6: 8, protocol: 12, port: 13 } as const;
const VERDICT_TYPE = 0xffffff00;
const SET_FLAG_MAP = 8;
/** Of one message: lengths of attributes are 16 bits. */
const ELEMENTS_A_MESSAGE = 200;

function be32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

function be64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** A comment as nft(8) keeps it: type 0, length, text with its NUL. */
export function commentData(comment: string): Buffer {
  const bytes = text(comment);
  return Buffer.concat([Buffer.from([0, bytes.length]), bytes]);
}

/** The comment in the user data of a rule or element; empty when there is none. */
export function commentOf(userdata: Buffer | undefined): string {
  if (userdata === undefined || userdata[0] !== 0) return '';
  return userdata
    .subarray(2, 2 + userdata[1]!)
    .toString('utf8')
    .replace(/\0$/, '');
}

/** Makes the table unless it is there. `note`: its comment. */
export function tableAdd({ family, table }: TableRef, note?: string): NfMessage {
  const body = [
    attribute(NFTA.table.name, text(table)),
    ...(note === undefined ? [] : [attribute(NFTA.table.userdata, commentData(note))]),
  ];
  return message(`add table ${table}`, NEW.table, NLM_F_CREATE, family, body);
}

/** Takes the table away with all that is in it. Fails with ENOENT when there is none. */
export function tableDel({ family, table }: TableRef): NfMessage {
  return message(`delete table ${table}`, DEL.table, 0, family, [attribute(NFTA.table.name, text(table))]);
}

/** Makes the chain unless it is there. */
export function chainAdd({ family, table }: TableRef, { name, hook }: ChainPlan): NfMessage {
  const body = [
    attribute(NFTA.chain.table, text(table)),
    attribute(NFTA.chain.name, text(name)),
    ...(hook === undefined
      ? []
      : [
          nested(NFTA.chain.hook, attribute(1, be32(NF_HOOK[hook.hook])), attribute(2, be32(hook.priority))),
          attribute(NFTA.chain.type, text(hook.type)),
        ]),
  ];
  return message(`add chain ${table} ${name}`, NEW.chain, NLM_F_CREATE, family, body);
}

/** Takes away an empty chain that nothing leads to. */
export function chainDel({ family, table }: TableRef, name: string): NfMessage {
  const body = [attribute(NFTA.chain.table, text(table)), attribute(NFTA.chain.name, text(name))];
  return message(`delete chain ${table} ${name}`, DEL.chain, 0, family, body);
}

/** Takes all rules out of the chain, or the one with this handle. */
export function ruleDel({ family, table }: TableRef, chain: string, handle?: bigint): NfMessage {
  const body = [
    attribute(NFTA.rule.table, text(table)),
    attribute(NFTA.rule.chain, text(chain)),
    ...(handle === undefined ? [] : [attribute(NFTA.rule.handle, be64(handle))]),
  ];
  return message(`delete rule ${table} ${chain}`, DEL.rule, 0, family, body);
}

/** Adds a rule after all others of the chain, or before them. */
export function ruleAdd(
  { family, table }: TableRef,
  chain: string,
  expressions: Expression[],
  { comment, first = false }: { comment?: string; first?: boolean } = {},
): NfMessage {
  const body = [
    attribute(NFTA.rule.table, text(table)),
    attribute(NFTA.rule.chain, text(chain)),
    nested(
      NFTA.rule.expressions,
      ...expressions.map(({ name, attributes }) =>
        nested(1, attribute(1, text(name)), nested(2, ...attributes)),
      ),
    ),
    ...(comment === undefined ? [] : [attribute(NFTA.rule.userdata, commentData(comment))]),
  ];
  const flags = NLM_F_CREATE | (first ? 0 : NLM_F_APPEND);
  return message(`add rule ${table} ${chain}`, NEW.rule, flags, family, body);
}

/** Makes the set or map unless it is there. */
export function setAdd({ family, table }: TableRef, { name, keyType, keyLength, data }: SetPlan): NfMessage {
  const [dataType, dataLength] =
    data === 'verdict' ? [VERDICT_TYPE, 16] : [data?.type ?? 0, data?.length ?? 0];
  const body = [
    attribute(NFTA.set.table, text(table)),
    attribute(NFTA.set.name, text(name)),
    attribute(3, be32(data === undefined ? 0 : SET_FLAG_MAP)),
    attribute(4, be32(keyType)),
    attribute(5, be32(keyLength)),
    ...(data === undefined ? [] : [attribute(6, be32(dataType)), attribute(7, be32(dataLength))]),
    // Names the set within the transaction.
    attribute(10, be32(1)),
  ];
  return message(`add set ${table} ${name}`, NEW.set, NLM_F_CREATE, family, body);
}

/** Takes away a set that no rule looks into. */
export function setDel({ family, table }: TableRef, name: string): NfMessage {
  const body = [attribute(NFTA.set.table, text(table)), attribute(NFTA.set.name, text(name))];
  return message(`delete set ${table} ${name}`, DEL.set, 0, family, body);
}

/** The body of a request for one set. */
export function setOf({ table }: TableRef, name: string): Buffer {
  return Buffer.concat([attribute(NFTA.set.table, text(table)), attribute(NFTA.set.name, text(name))]);
}

/** Adds elements. One that is there with other data fails with EEXIST. */
export function elementsAdd(ref: TableRef, set: string, elements: SetElement[]): NfMessage[] {
  return inParts('add', NEW.element, NLM_F_CREATE, ref, set, elements, (element) => [
    nested(NFTA.elements.key, attribute(NFTA.elements.value, element.key)),
    ...(element.data === undefined
      ? []
      : [
          nested(
            NFTA.elements.data,
            ...(Buffer.isBuffer(element.data) ? [data(element.data)] : [verdictData(element.data)]),
          ),
        ]),
    attribute(NFTA.elements.userdata, commentData(element.comment)),
  ]);
}

/** Takes elements away. Fails with ENOENT when one is not there. */
export function elementsDel(ref: TableRef, set: string, keys: Buffer[]): NfMessage[] {
  return inParts('delete', DEL.element, 0, ref, set, keys, (key) => [
    nested(NFTA.elements.key, attribute(NFTA.elements.value, key)),
  ]);
}

function inParts<T>(
  verb: string,
  type: number,
  flags: number,
  { family, table }: TableRef,
  set: string,
  elements: T[],
  body: (element: T) => Buffer[],
): NfMessage[] {
  const count = Math.ceil(elements.length / ELEMENTS_A_MESSAGE);
  return Array.from({ length: count }, (_, index) => {
    const some = elements.slice(index * ELEMENTS_A_MESSAGE, (index + 1) * ELEMENTS_A_MESSAGE);
    return message(`${verb} elements ${table} ${set}`, type, flags, family, [
      attribute(NFTA.elements.table, text(table)),
      attribute(NFTA.elements.set, text(set)),
      nested(NFTA.elements.list, ...some.map((element) => nested(1, ...body(element)))),
    ]);
  });
}

/** The body of a request for the elements of a set, or for the one with this key. */
export function elementsOf({ table }: TableRef, set: string, key?: Buffer): Buffer {
  const wanted = (bytes: Buffer): Buffer =>
    nested(1, nested(NFTA.elements.key, attribute(NFTA.elements.value, bytes)));
  return Buffer.concat([
    attribute(NFTA.elements.table, text(table)),
    attribute(NFTA.elements.set, text(set)),
    ...(key === undefined ? [] : [nested(NFTA.elements.list, wanted(key))]),
  ]);
}

/** The elements in an answer: key, data and comment. Data that is a verdict is left out. */
export function readElements({ attributes: all }: { attributes: Map<number, Buffer> }): FoundElement[] {
  return listed(all.get(NFTA.elements.list)).map((bytes) => {
    const element = attributes(bytes);
    const value = (type: number): Buffer | undefined =>
      attributes(element.get(type) ?? Buffer.alloc(0)).get(NFTA.elements.value);
    return {
      key: value(NFTA.elements.key) ?? Buffer.alloc(0),
      data: value(NFTA.elements.data),
      comment: commentOf(element.get(NFTA.elements.userdata)),
    };
  });
}

export interface FoundElement {
  key: Buffer;
  data: Buffer | undefined;
  comment: string;
}

/** The body of a request for the rules of a table, or of one chain of it. */
export function rulesOf({ table }: TableRef, chain?: string): Buffer {
  return Buffer.concat([
    attribute(NFTA.rule.table, text(table)),
    ...(chain === undefined ? [] : [attribute(NFTA.rule.chain, text(chain))]),
  ]);
}

function message(name: string, type: number, flags: number, family: number, body: Buffer[]): NfMessage {
  return { name, type, flags, family, body: Buffer.concat(body) };
}
