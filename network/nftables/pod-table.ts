import { ipBytes, textOf } from '../../native/netlink-attributes.ts';
import { isErrno } from '../../native/errno.ts';
import type { NfTables } from '../../native/nftables.ts';
import {
  address,
  connection,
  counter,
  CT_BITS,
  type Expression,
  lookup,
  masquerade,
  verdict,
  within,
} from '../../native/nftables-expressions.ts';
import {
  chainAdd,
  type ChainPlan,
  DATA_TYPE,
  elementsAdd,
  elementsDel,
  elementsOf,
  type FoundElement,
  type NfMessage,
  NFT_GET,
  NFTA,
  readElements,
  ruleAdd,
  ruleDel,
  type SetPlan,
  setAdd,
  setDel,
  setOf,
  tableAdd,
  tableDel,
  type TableRef,
} from '../../native/nftables-messages.ts';
import type { PodWish } from '../plugins/pod-firewall.ts';
import { networkOf, split } from '../plugins/pod-interface.ts';
import { rangeOf } from './bridge-rules.ts';
import { acceptMessages, forwardChains, removeAccepts } from './forward-accepts.ts';
import {
  dnatRules,
  hairpinMatch,
  hostPortElements,
  hostPortSets,
  type Placed,
  tableOf,
} from './host-port-elements.ts';

/** Of both families. */
export const POD_TABLE = 'berth-cni';
const FORWARD_TAG = 'berth-cni:forward';
const MULTICAST = { 4: '224.0.0.0/4', 6: 'ff00::/8' } as const;

const CHAINS: readonly ChainPlan[] = [
  { name: 'prerouting', hook: { type: 'nat', hook: 'prerouting', priority: -100 } },
  { name: 'output', hook: { type: 'nat', hook: 'output', priority: -100 } },
  { name: 'postrouting', hook: { type: 'nat', hook: 'postrouting', priority: 100 } },
  { name: 'forward', hook: { type: 'filter', hook: 'forward', priority: 0 } },
];

/** An element, and the table that it is in. */
interface Somewhere extends Placed {
  ref: TableRef;
}

/**
 * The table of one family for pods of CNI plugins:
 *
 *     ports, ports-at, hairpin   host ports; hairpin leads to a chain for the pod's network
 *     masquerade                 pod's address -> a chain for its networks
 *     forward                    a chain of the operator's, before all else
 *
 * What makes the table is written with the first pod, and again when a transaction shows that somebody changed it.
 * Chains for networks stay when their last pod goes.
 */
export class NftPodTable {
  readonly family: 4 | 6;
  readonly #nft: NfTables;
  readonly #ref: TableRef;
  /** The set that dropping chains of others look into; it has to be in their table, which may serve both families. */
  readonly #forwardSet: string;
  /** Chains that were made; the table among them as ''. */
  readonly #made = new Set<string>();
  #dropping: { generation: number; refs: TableRef[] } | undefined;

  constructor(nft: NfTables, family: 4 | 6) {
    this.#nft = nft;
    this.family = family;
    this.#ref = tableOf(family, POD_TABLE);
    this.#forwardSet = `berth-pods${family}`;
  }

  /** What writes the wishes of one pod. `whole`: look at what is there before, and make all that is shared again. */
  additions(tag: string, wishes: PodWish[], whole: boolean): NfMessage[] {
    if (whole) {
      this.#made.clear();
      this.#dropping = undefined;
    }
    const messages: NfMessage[] = [];
    if (!this.#made.has('')) messages.push(...this.#frame());
    this.#made.add('');
    for (const wish of wishes) messages.push(...this.#chainsFor(wish));
    const elements = wishes.flatMap((wish) => this.#elements(tag, wish, messages));
    // Of another pod, or of this one in an earlier life.
    const stale = whole ? elements.filter((one) => this.#find(one) !== undefined) : [];
    return [...messages, ...deletions(stale), ...inserts(elements)];
  }

  /** What takes away those of the elements that are there and the pod's. Without addresses: whatever is the pod's. */
  removals(tag: string, wish: PodWish): NfMessage[] {
    if (wish.ips.length === 0) {
      const sets = wish.kind === 'masquerade' ? ['masquerade'] : ['ports', 'ports-at', 'hairpin'];
      const places =
        wish.kind === 'forward'
          ? this.#droppingTables().map((ref) => ({ ref, set: this.#forwardSet }))
          : sets.map((set) => ({ ref: this.#ref, set }));
      return places.flatMap(({ ref, set }) =>
        elementsDel(
          ref,
          set,
          this.#all(ref, set)
            .filter(({ comment }) => comment === tag)
            .map(({ key }) => key),
        ),
      );
    }
    return deletions(this.#elements(tag, wish).filter((one) => this.#find(one)?.comment === tag));
  }

  /** What takes the table away, and what stands in tables of others, when no pod is left in it. */
  clearing(): NfMessage[] {
    const sets = ['ports', 'ports-at', 'hairpin', 'masquerade'];
    if (!podTableExists(this.#nft, this.family)) return [];
    if (sets.some((set) => this.#all(this.#ref, set).length > 0)) return [];
    const others = [
      ...new Map(
        forwardChains(this.#nft, this.family, 'all').map(({ ref }) => [`${ref.family} ${ref.table}`, ref]),
      ).values(),
    ].filter((ref) => this.#hasSet(ref));
    if (others.some((ref) => this.#all(ref, this.#forwardSet).length > 0)) return [];
    return [
      tableDel(this.#ref),
      ...removeAccepts(this.#nft, this.family, `${FORWARD_TAG}${this.family}`),
      ...others.map((ref) => setDel(ref, this.#forwardSet)),
    ];
  }

  #hasSet(ref: TableRef): boolean {
    const body = setOf(ref, this.#forwardSet);
    return this.#nft.get('get set', NFT_GET.set, ref.family, body) !== undefined;
  }

  /** Whether all of it is there. */
  has(tag: string, wish: PodWish): boolean {
    return this.#elements(tag, wish).every((one) => {
      const found = this.#find(one);
      if (found?.comment !== tag) return false;
      return !Buffer.isBuffer(one.element.data) || found.data?.equals(one.element.data) === true;
    });
  }

  /** The table with all that does not depend on pods; what is there already stays. */
  #frame(): NfMessage[] {
    const ref = this.#ref;
    const verdicts: SetPlan = {
      name: 'masquerade',
      keyType: this.family === 4 ? DATA_TYPE.ip : DATA_TYPE.ip6,
      keyLength: this.family === 4 ? 4 : 16,
      data: 'verdict',
    };
    const rules: Record<string, Expression[][]> = {
      prerouting: dnatRules(this.family),
      output: dnatRules(this.family),
      postrouting: [
        hairpinMatch(this.family, 'verdict'),
        [address(0, this.family, 'source'), lookup('masquerade', 'verdict')],
      ],
    };
    return [
      tableAdd(ref, 'berth: pods of CNI plugins'),
      ...CHAINS.map((chain) => chainAdd(ref, chain)),
      ...[...hostPortSets(this.family, 'verdict'), verdicts].map((plan) => setAdd(ref, plan)),
      ...Object.entries(rules).flatMap(([chain, some]) => [
        ruleDel(ref, chain),
        ...some.map((rule) => ruleAdd(ref, chain, rule)),
      ]),
    ];
  }

  /** The chains that the pod's elements lead to. */
  #chainsFor(wish: PodWish): NfMessage[] {
    switch (wish.kind) {
      case 'masquerade': {
        const networks = wish.ips.map(networkOf);
        return this.#chain(masqueradeChain(wish.ips), [
          ...networks.map((net) => [...within(this.family, 'destination', rangeOf(net)), verdict('accept')]),
          [...within(this.family, 'destination', rangeOf(MULTICAST[this.family]), true), masquerade()],
        ]);
      }
      case 'host-ports':
        return wish.ips.flatMap((ip) => {
          const sources = [networkOf(ip), ...(this.family === 4 ? ['127.0.0.1/32'] : [])];
          return this.#chain(
            snatChain(ip, wish.settings.snat),
            wish.settings.snat
              ? sources.map((range) => [...within(this.family, 'source', rangeOf(range)), masquerade()])
              : [],
          );
        });
      case 'forward': {
        // An operator's chain keeps its rules.
        const known = this.#made.has(wish.adminChain);
        this.#made.add(wish.adminChain);
        if (known) return [];
        return [
          chainAdd(this.#ref, { name: wish.adminChain }),
          ruleDel(this.#ref, 'forward'),
          ruleAdd(this.#ref, 'forward', [verdict({ jump: wish.adminChain })]),
        ];
      }
      default:
        return wish satisfies never;
    }
  }

  #chain(name: string, rules: Expression[][]): NfMessage[] {
    if (this.#made.has(name)) return [];
    this.#made.add(name);
    const ref = this.#ref;
    return [chainAdd(ref, { name }), ruleDel(ref, name), ...rules.map((rule) => ruleAdd(ref, name, rule))];
  }

  /** The elements of a wish. `needs` takes what has to be made before them in tables of others. */
  #elements(tag: string, wish: PodWish, needs?: NfMessage[]): Somewhere[] {
    const inOurs = (placed: Placed[]): Somewhere[] => placed.map((one) => ({ ...one, ref: this.#ref }));
    const keys = wish.ips.map((ip) => ipBytes(split(ip).address).bytes);
    switch (wish.kind) {
      case 'masquerade': {
        const data = { jump: masqueradeChain(wish.ips) };
        return inOurs(keys.map((key) => ({ set: 'masquerade', element: { key, data, comment: tag } })));
      }
      case 'host-ports':
        return inOurs(
          wish.ips.flatMap((ip) =>
            hostPortElements(
              { address: split(ip).address, ports: wish.settings.ports, comment: tag },
              { jump: snatChain(ip, wish.settings.snat) },
            ),
          ),
        );
      case 'forward':
        needs?.push(...this.#acceptPods());
        return this.#droppingTables().flatMap((ref) =>
          keys.map((key) => ({ ref, set: this.#forwardSet, element: { key, comment: tag } })),
        );
      default:
        return wish satisfies never;
    }
  }

  /** Tables of others that drop what they forward. They are looked for again when anybody has changed a rule. */
  #droppingTables(): TableRef[] {
    const generation = this.#nft.generation();
    if (this.#dropping?.generation === generation) return this.#dropping.refs;
    const chains = forwardChains(this.#nft, this.family, 'dropping');
    const refs = [...new Map(chains.map(({ ref }) => [`${ref.family} ${ref.table}`, ref])).values()];
    this.#dropping = { generation, refs };
    return refs;
  }

  #acceptPods(): NfMessage[] {
    const { family } = this;
    const match = (which: 'source' | 'destination'): Expression[] => [
      address(0, family, which),
      lookup(this.#forwardSet),
    ];
    const answers = CT_BITS.established | CT_BITS.related;
    const rules = [
      [...match('source'), counter(), verdict('accept')],
      [...match('destination'), ...connection('state', answers), counter(), verdict('accept')],
    ];
    const tag = `${FORWARD_TAG}${family}`;
    const messages = acceptMessages(this.#nft, family, { rules, comment: tag, tag });
    const keyType = family === 4 ? DATA_TYPE.ip : DATA_TYPE.ip6;
    const set: SetPlan = { name: this.#forwardSet, keyType, keyLength: family === 4 ? 4 : 16 };
    return messages.length === 0
      ? []
      : [...this.#droppingTables().map((ref) => setAdd(ref, set)), ...messages];
  }

  #find({ ref, set, element }: Somewhere): FoundElement | undefined {
    const body = elementsOf(ref, set, element.key);
    const found = this.#nft.get(`get element of ${set}`, NFT_GET.element, ref.family, body);
    return found === undefined ? undefined : readElements(found)[0];
  }

  #all(ref: TableRef, set: string): FoundElement[] {
    try {
      const body = elementsOf(ref, set);
      return this.#nft
        .dump(`get elements of ${set}`, NFT_GET.element, ref.family, body)
        .flatMap(readElements);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }
}

/** Whether pods of CNI plugins have ever had rules by nf_tables here. */
export function podTableExists(nft: NfTables, family: 4 | 6): boolean {
  const { family: number, table } = tableOf(family, POD_TABLE);
  return nft
    .dump('get tables', NFT_GET.table, number)
    .some(({ attributes: one }) => textOf(one.get(NFTA.table.name)) === table);
}

function masqueradeChain(ips: string[]): string {
  return `masquerade-${[...new Set(ips.map(networkOf))].join('_').replaceAll(/[/:]/g, '-')}`.slice(0, 120);
}

function snatChain(ip: string, snat: boolean): string {
  return snat ? `snat-${networkOf(ip).replaceAll(/[/:]/g, '-')}` : 'snat-none';
}

function deletions(elements: Somewhere[]): NfMessage[] {
  return inSets(elements).flatMap(([first, some]) =>
    elementsDel(
      first.ref,
      first.set,
      some.map(({ element }) => element.key),
    ),
  );
}

function inserts(elements: Somewhere[]): NfMessage[] {
  return inSets(elements).flatMap(([first, some]) =>
    elementsAdd(
      first.ref,
      first.set,
      some.map(({ element }) => element),
    ),
  );
}

function inSets(elements: Somewhere[]): [Somewhere, Somewhere[]][] {
  const groups = Map.groupBy(elements, ({ ref, set }) => `${ref.family} ${ref.table} ${set}`);
  return [...groups.values()].map((some) => [some[0]!, some]);
}
