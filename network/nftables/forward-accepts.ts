import type { NfTables } from '../../native/nftables.ts';
import { attributes, textOf } from '../../native/netlink-attributes.ts';
import { compare, type Expression, meta } from '../../native/nftables-expressions.ts';
import {
  commentOf,
  NF_HOOK,
  type NfMessage,
  NFPROTO,
  NFT_GET,
  NFTA,
  ruleAdd,
  ruleDel,
  rulesOf,
  type TableRef,
} from '../../native/nftables-messages.ts';
import { tableOf } from './host-port-elements.ts';

const POLICY_DROP = 0;

/** A chain of another program's that forwards nothing by itself. */
export interface DroppingChain {
  ref: TableRef;
  chain: string;
}

/**
 * The base chains of a family that packets are forwarded through. A packet must be accepted in each of them: what a table
 * of ours accepts, another one still drops.
 */
export function forwardChains(nft: NfTables, family: 4 | 6, which: 'dropping' | 'all'): DroppingChain[] {
  const families: number[] = [family === 4 ? NFPROTO.ip : NFPROTO.ip6, NFPROTO.inet];
  return nft.dump('get chains', NFT_GET.chain, 0).flatMap(({ family: of, attributes: chain }) => {
    const hook = chain.get(NFTA.chain.hook);
    if (hook === undefined || !families.includes(of)) return [];
    const number = attributes(hook).get(NFTA.chain.hookNumber)?.readUInt32BE(0);
    const policy = chain.get(NFTA.chain.policy)?.readUInt32BE(0);
    if (number !== NF_HOOK.forward || textOf(chain.get(NFTA.chain.type)) !== 'filter') return [];
    if (which === 'dropping' && policy !== POLICY_DROP) return [];
    const ref = { family: of, table: textOf(chain.get(NFTA.chain.table)) };
    return [{ ref, chain: textOf(chain.get(NFTA.chain.name)) }];
  });
}

/** The rules of a chain whose comment begins so. */
export function rulesTagged(
  nft: NfTables,
  { ref, chain }: DroppingChain,
  tag: string,
): { handle: bigint; comment: string }[] {
  return nft
    .dump(`get rules of ${ref.table} ${chain}`, NFT_GET.rule, ref.family, rulesOf(ref, chain))
    .map(({ attributes: rule }) => ({
      handle: rule.get(NFTA.rule.handle)!.readBigUInt64BE(0),
      comment: commentOf(rule.get(NFTA.rule.userdata)),
    }))
    .filter(({ comment }) => comment.startsWith(tag));
}

/** What makes each dropping chain accept what `rules` match; nothing when it does already. */
export function acceptMessages(
  nft: NfTables,
  family: 4 | 6,
  { rules, comment, tag }: { rules: Expression[][]; comment: string; tag: string },
): NfMessage[] {
  return forwardChains(nft, family, 'dropping').flatMap((found) => {
    const { ref, chain } = found;
    const present = rulesTagged(nft, found, tag);
    const same = present.filter((rule) => rule.comment === comment);
    if (same.length === rules.length && present.length === same.length) return [];
    return [
      ...present.map(({ handle }) => ruleDel(ref, chain, handle)),
      ...rules.map((rule) =>
        ruleAdd(ref, chain, [...ofFamily(ref, family), ...rule], { comment, first: true }),
      ),
    ];
  });
}

/** What takes such rules away again. */
export function removeAccepts(nft: NfTables, family: 4 | 6, tag: string): NfMessage[] {
  return forwardChains(nft, family, 'all').flatMap((found) =>
    rulesTagged(nft, found, tag).map(({ handle }) => ruleDel(found.ref, found.chain, handle)),
  );
}

function ofFamily(ref: TableRef, family: 4 | 6): Expression[] {
  if (ref.family !== NFPROTO.inet) return [];
  return [meta(0, 'nfproto'), compare(0, Buffer.from([tableOf(family, '').family]))];
}
