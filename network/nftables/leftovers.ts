import type { NfTables } from '../../native/nftables.ts';
import { attributes, listed, textOf } from '../../native/netlink-attributes.ts';
import {
  chainDel,
  type NfMessage,
  NFT_GET,
  NFTA,
  ruleDel,
  rulesOf,
  type TableRef,
} from '../../native/nftables-messages.ts';
import { OUR_CHAINS } from '../rule-text.ts';
import type { RuleWriter } from '../rule-writer.ts';
import { tableOf } from './host-port-elements.ts';

const TABLES = ['nat', 'filter'] as const;

/** A rule as a dump gives it. */
interface FoundRule {
  chain: string;
  handle: bigint;
  /** The chain that it leads to; empty when to none. */
  target: string;
  /** What it compares with. */
  values: Buffer[];
}

/** The chains of a table that iptables (its nft variant) made, whose name is wanted. */
export function chainsLike(nft: NfTables, ref: TableRef, wanted: (name: string) => boolean): string[] {
  return nft
    .dump('get chains', NFT_GET.chain, ref.family)
    .filter(({ attributes: chain }) => textOf(chain.get(NFTA.chain.table)) === ref.table)
    .map(({ attributes: chain }) => textOf(chain.get(NFTA.chain.name)))
    .filter(wanted);
}

/** What takes these chains away with all that leads to them, and rules of other chains that `also` picks. */
export function removalOf(
  nft: NfTables,
  ref: TableRef,
  chains: string[],
  also: (rule: FoundRule) => boolean = () => false,
): NfMessage[] {
  const rules = rulesIn(nft, ref).filter(
    (rule) => !chains.includes(rule.chain) && (chains.includes(rule.target) || also(rule)),
  );
  return [
    ...rules.map(({ chain, handle }) => ruleDel(ref, chain, handle)),
    ...chains.map((name) => ruleDel(ref, name)),
    ...chains.map((name) => chainDel(ref, name)),
  ];
}

function rulesIn(nft: NfTables, ref: TableRef): FoundRule[] {
  return nft
    .dump(`get rules of ${ref.table}`, NFT_GET.rule, ref.family, rulesOf(ref))
    .map(({ attributes: rule }) => {
      const expressions = listed(rule.get(NFTA.rule.expressions)).map((bytes) => attributes(bytes));
      const parts = expressions.map((expression) => ({
        name: textOf(expression.get(1)),
        body: attributes(expression.get(2) ?? Buffer.alloc(0)),
      }));
      return {
        chain: textOf(rule.get(NFTA.rule.chain)),
        handle: rule.get(NFTA.rule.handle)!.readBigUInt64BE(0),
        target: parts.map(({ name, body }) => (name === 'immediate' ? targetOf(body) : '')).join(''),
        values: parts
          .filter(({ name }) => name === 'cmp')
          .flatMap(({ body }) => attributes(body.get(3) ?? Buffer.alloc(0)).get(1) ?? []),
      };
    });
}

/** The chain that the verdict of an `immediate` names. */
function targetOf(body: Map<number, Buffer>): string {
  const verdict = attributes(body.get(2) ?? Buffer.alloc(0)).get(2);
  return verdict === undefined ? '' : textOf(attributes(verdict).get(2));
}

/**
 * What the built-in bridge network wrote by the nft variant of iptables, taken away without those programs: they may be
 * gone, and their rules still stand.
 */
export class IptablesNftLeftovers implements Pick<RuleWriter, 'clear'> {
  readonly #nft: NfTables;
  readonly #family: 4 | 6;

  constructor(nft: NfTables, family: 4 | 6) {
    this.#nft = nft;
    this.#family = family;
  }

  async clear(): Promise<boolean> {
    const messages = TABLES.flatMap((table) => {
      const ref = tableOf(this.#family, table);
      const chains = chainsLike(this.#nft, ref, (name) => OUR_CHAINS.includes(name));
      return chains.length === 0 ? [] : removalOf(this.#nft, ref, chains);
    });
    await this.#nft.commit(messages);
    return messages.length > 0;
  }
}
