import { hash } from 'node:crypto';
import { ipBytes, textOf } from '../../native/netlink-attributes.ts';
import type { NfTables } from '../../native/nftables.ts';
import {
  connection,
  counter,
  CT_BITS,
  type Expression,
  link,
  masquerade,
  verdict,
  within,
} from '../../native/nftables-expressions.ts';
import {
  chainAdd,
  type ChainPlan,
  commentOf,
  elementsAdd,
  elementsDel,
  elementsOf,
  type FoundElement,
  type NfMessage,
  NFT_GET,
  NFTA,
  readElements,
  ruleAdd,
  rulesOf,
  setAdd,
  tableAdd,
  tableDel,
  type TableRef,
} from '../../native/nftables-messages.ts';
import { isErrno } from '../../native/errno.ts';
import type { RuleSet } from '../rule-text.ts';
import type { RuleWriter } from '../rule-writer.ts';
import { acceptMessages, removeAccepts } from './forward-accepts.ts';
import {
  dnatRules,
  hairpinMatch,
  hostPortElements,
  hostPortSets,
  type Placed,
  tableOf,
} from './host-port-elements.ts';

/** Of both families. */
export const BRIDGE_TABLE = 'berth';
const LOOPBACK = '127.0.0.0/8';

const CHAINS: readonly ChainPlan[] = [
  { name: 'prerouting', hook: { type: 'nat', hook: 'prerouting', priority: -100 } },
  { name: 'output', hook: { type: 'nat', hook: 'output', priority: -100 } },
  { name: 'postrouting', hook: { type: 'nat', hook: 'postrouting', priority: 100 } },
  { name: 'input', hook: { type: 'filter', hook: 'input', priority: 0 } },
];

/**
 * The rules of the built-in bridge network in a table of its own, through netlink: no program is needed. The table is
 * made as a whole; pods come and go as elements of its maps.
 */
export class NftBridgeRules implements RuleWriter {
  readonly family: 4 | 6;
  readonly #nft: NfTables;
  readonly #ref: TableRef;
  /** A table of both families may have the rules of both. */
  readonly #forwardTag: string;
  /** The elements that are there, by set and key. Undefined: not known. */
  #written: Map<string, Placed> | undefined;

  constructor(nft: NfTables, family: 4 | 6) {
    this.#nft = nft;
    this.family = family;
    this.#ref = tableOf(family, BRIDGE_TABLE);
    this.#forwardTag = `berth:forward${family}`;
  }

  async ensure(set: RuleSet): Promise<boolean> {
    const wanted = elementsFor(set);
    const accepts = this.#accepts(set);
    const complete = this.#complete(set, wanted);
    await this.#nft.commit([...(complete ? [] : this.#whole(set, wanted)), ...accepts]);
    this.#written = wanted;
    return !complete || accepts.length > 0;
  }

  async write(set: RuleSet): Promise<void> {
    const wanted = elementsFor(set);
    const before = this.#written;
    // Until it is done nobody knows.
    this.#written = undefined;
    if (before === undefined) await this.#nft.commit(this.#whole(set, wanted));
    else
      try {
        await this.#nft.commit(this.#changes(before, wanted));
      } catch (error) {
        // Somebody has changed the table: it is made anew.
        if (!isErrno(error, 'ENOENT', 'EEXIST', 'EBUSY')) throw error;
        await this.#nft.commit(this.#whole(set, wanted));
      }
    this.#written = wanted;
  }

  async clear(): Promise<boolean> {
    this.#written = undefined;
    const there = this.#note() !== undefined;
    const messages = [
      ...(there ? [tableDel(this.#ref)] : []),
      ...removeAccepts(this.#nft, this.family, this.#forwardTag),
    ];
    await this.#nft.commit(messages);
    return messages.length > 0;
  }

  #whole(set: RuleSet, wanted: Map<string, Placed>): NfMessage[] {
    const ref = this.#ref;
    return [
      // Deleting what is not there would fail.
      tableAdd(ref),
      tableDel(ref),
      tableAdd(ref, noteOf(set)),
      ...CHAINS.map((chain) => chainAdd(ref, chain)),
      ...hostPortSets(this.family, 'set').map((plan) => setAdd(ref, plan)),
      ...Object.entries(rulesFor(set)).flatMap(([chain, rules]) =>
        rules.map((rule) => ruleAdd(ref, chain, rule)),
      ),
      ...additions(ref, [...wanted.values()]),
    ];
  }

  #changes(before: Map<string, Placed>, wanted: Map<string, Placed>): NfMessage[] {
    const gone = [...before].filter(([name, one]) => !same(one, wanted.get(name))).map(([, one]) => one);
    const fresh = [...wanted].filter(([name, one]) => !same(one, before.get(name))).map(([, one]) => one);
    const deletions = Map.groupBy(gone, ({ set }) => set);
    return [
      ...[...deletions].flatMap(([set, some]) =>
        elementsDel(
          this.#ref,
          set,
          some.map(({ element }) => element.key),
        ),
      ),
      ...additions(this.#ref, fresh),
    ];
  }

  /** Whether the table is as `#whole` would make it. */
  #complete(set: RuleSet, wanted: Map<string, Placed>): boolean {
    if (this.#note() !== noteOf(set)) return false;
    const { family } = this.#ref;
    const chains = this.#nft
      .dump('get rules', NFT_GET.rule, family, rulesOf(this.#ref))
      .map(({ attributes: rule }) => textOf(rule.get(NFTA.rule.chain)));
    const expected = Object.entries(rulesFor(set));
    if (!expected.every(([chain, rules]) => chains.filter((one) => one === chain).length === rules.length))
      return false;
    const found = hostPortSets(this.family, 'set').flatMap(({ name }) =>
      this.#elements(name).map((element): [string, FoundElement] => [nameOf(name, element.key), element]),
    );
    return (
      found.length === wanted.size &&
      found.every(([name, { data, comment }]) => {
        const element = wanted.get(name)?.element;
        if (element?.comment !== comment) return false;
        return !Buffer.isBuffer(element.data) || data?.equals(element.data) === true;
      })
    );
  }

  #elements(set: string): FoundElement[] {
    const { family } = this.#ref;
    try {
      const body = elementsOf(this.#ref, set);
      return this.#nft.dump(`get elements of ${set}`, NFT_GET.element, family, body).flatMap(readElements);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  /** What the table was made for; undefined when there is none. */
  #note(): string | undefined {
    const table = this.#nft
      .dump('get tables', NFT_GET.table, this.#ref.family)
      .find(({ attributes: one }) => textOf(one.get(NFTA.table.name)) === BRIDGE_TABLE);
    return table === undefined ? undefined : commentOf(table.attributes.get(NFTA.table.userdata));
  }

  #accepts({ family, ranges, overlay }: RuleSet): NfMessage[] {
    const rules = ranges
      .map(rangeOf)
      .flatMap((range) => [
        [...within(family, 'source', range), counter(), verdict('accept')],
        [
          ...within(family, 'destination', range),
          ...connection('state', CT_BITS.established | CT_BITS.related),
          counter(),
          verdict('accept'),
        ],
        [
          ...within(family, 'destination', range),
          ...connection('status', CT_BITS.dnat),
          counter(),
          verdict('accept'),
        ],
        ...(overlay === ''
          ? []
          : [
              [
                ...within(family, 'destination', range),
                ...link('iifname', overlay),
                counter(),
                verdict('accept'),
              ],
            ]),
      ]);
    const tag = this.#forwardTag;
    const comment = `${tag} ${hash('sha256', [...ranges, overlay].join(' ')).slice(0, 16)}`;
    return acceptMessages(this.#nft, family, { rules, comment, tag });
  }
}

function rulesFor({ family, ranges, bridge, overlay }: RuleSet): Record<string, Expression[][]> {
  const all = ranges.map(rangeOf);
  const loopback = rangeOf(LOOPBACK);
  return {
    prerouting: dnatRules(family),
    output: dnatRules(family),
    postrouting: [
      // A pod that reaches itself or a neighbour through a host port must get its answer from the node, not directly.
      ...all.map((range) => [...within(family, 'source', range), ...hairpinMatch(family), masquerade()]),
      ...all.map((range) => [
        ...within(family, 'source', range),
        ...within(family, 'destination', range, true),
        // Pods of other nodes see whom they talk to.
        ...(overlay === '' ? [] : link('oifname', overlay, true)),
        masquerade(),
      ]),
      // A process of the node that dials localhost:hostPort.
      ...(family === 4 ? [[...within(4, 'source', loopback), ...link('oifname', bridge), masquerade()]] : []),
    ],
    input:
      family === 4
        ? [
            // route_localnet, which localhost:hostPort needs, would open the node's loopback services to pods.
            [
              ...within(4, 'destination', loopback),
              ...link('iifname', bridge),
              ...connection('state', CT_BITS.established | CT_BITS.related, true),
              ...connection('status', CT_BITS.dnat, true),
              verdict('drop'),
            ],
          ]
        : [],
  };
}

function elementsFor({ hostPorts }: RuleSet): Map<string, Placed> {
  const placed = hostPorts.flatMap(({ id, address, ports }) =>
    hostPortElements({ address, ports, comment: `berth:${id}` }),
  );
  return new Map(placed.map((one) => [nameOf(one.set, one.element.key), one]));
}

function nameOf(set: string, key: Buffer): string {
  return `${set} ${key.toString('hex')}`;
}

function same(a: Placed, b: Placed | undefined): boolean {
  if (b === undefined || a.element.comment !== b.element.comment) return false;
  const [left, right] = [a.element.data, b.element.data];
  return Buffer.isBuffer(left) && Buffer.isBuffer(right) ? left.equals(right) : left === right;
}

function additions(ref: TableRef, placed: Placed[]): NfMessage[] {
  return [...Map.groupBy(placed, ({ set }) => set)].flatMap(([set, some]) =>
    elementsAdd(
      ref,
      set,
      some.map(({ element }) => element),
    ),
  );
}

/** What a table is made for: one that says otherwise is made anew. */
function noteOf({ bridge, overlay, ranges }: RuleSet): string {
  return `berth 1 ${hash('sha256', [bridge, overlay, ...ranges].join(' ')).slice(0, 16)}`;
}

/** `10.1.0.0/24` as bytes. */
export function rangeOf(cidr: string): { bytes: Buffer; prefix: number } {
  const [text = '', prefix = ''] = cidr.split('/');
  return { bytes: ipBytes(text).bytes, prefix: Number(prefix) };
}
