import { readFileSync, realpathSync } from 'node:fs';
import { Fault } from '../ground/fault.ts';
import type { ExitWatcher } from '../native/exits.ts';
import { NfTables } from '../native/nftables.ts';
import { findExecutable } from '../native/spawn.ts';
import { Iptables, type IptablesVariant, programName } from './iptables.ts';
import { IptablesRules } from './iptables-rules.ts';
import { NftBridgeRules } from './nftables/bridge-rules.ts';
import { IptablesNftLeftovers } from './nftables/leftovers.ts';
import { podTableExists } from './nftables/pod-table.ts';
import {
  type FormerFirewall,
  hasPodChains,
  IptablesNftPodRemains,
  SwitchedPodFirewall,
} from './plugins/former-firewalls.ts';
import { IptablesPodFirewall } from './plugins/iptables-firewall.ts';
import { NftPodFirewall } from './plugins/nft-firewall.ts';
import { PodChains } from './plugins/pod-chains.ts';
import type { PodFirewall } from './plugins/pod-firewall.ts';
import { OUR_CHAINS } from './rule-text.ts';
import type { RuleWriter } from './rule-writer.ts';

export const FIREWALLS = ['auto', 'iptables', 'iptables-legacy', 'nftables'] as const;
/** The words of the configuration. */
export type FirewallSetting = (typeof FIREWALLS)[number];
/** What serves. */
export type FirewallKind = Exclude<FirewallSetting, 'auto'>;

const FAMILIES = [4, 6] as const;
const LEGACY_TABLES = { 4: '/proc/net/ip_tables_names', 6: '/proc/net/ip6_tables_names' } as const;

/** How the node's packet filter is written. */
export interface Firewall {
  kind: FirewallKind;
  /** Why this one, for the log. */
  why: string;
  /** Programs that it needs and that are not installed. */
  missing: string[];
  /** For the built-in bridge network, one of each family. */
  rules: RuleWriter[];
  /** What the other ways may have left of it. */
  others: Pick<RuleWriter, 'clear'>[];
  /** For plugins. */
  pods: PodFirewall;
  close(): void;
}

/**
 * Chooses how the packet filter of the network namespace that the process is in is written, once for its whole life.
 * `auto`: by iptables where it is installed, in the variant that the node uses, else by nf_tables directly.
 */
export async function openFirewall(setting: FirewallSetting, exits: ExitWatcher): Promise<Firewall> {
  const nft = openNfTables();
  const { kind, why } = await choose(setting, exits, nft);
  const native = nft === undefined ? [] : FAMILIES.map((family) => new NftBridgeRules(nft, family));
  if (kind === 'nftables' && nft === undefined)
    throw new Fault('precondition', 'the kernel has no nf_tables', {
      hint: 'modprobe nf_tables, or set [network] firewall to another one',
    });
  const keepsLegacy = kind === 'iptables-legacy' || (kind === 'iptables' && defaultIsLegacy());
  const variant = kind === 'iptables-legacy' && !onlyDefault() ? 'legacy' : 'default';
  const older = FAMILIES.filter(
    (family) => !keepsLegacy && legacyTables(family) && hasPrograms('legacy', family),
  ).map((family) => new IptablesRules(new Iptables(exits, family, 'legacy')));
  const newer =
    nft === undefined || (kind === 'iptables' && !keepsLegacy)
      ? []
      : FAMILIES.map((family) => new IptablesNftLeftovers(nft, family));
  const chains = (which: IptablesVariant): PodFirewall =>
    new IptablesPodFirewall(new PodChains(FAMILIES.map((family) => new Iptables(exits, family, which))));
  const current = kind === 'nftables' ? new NftPodFirewall(nft!) : chains(variant);
  const former: FormerFirewall[] = [];
  if (nft !== undefined && kind !== 'nftables' && FAMILIES.some((family) => podTableExists(nft, family)))
    former.push(new NftPodFirewall(nft));
  if (newer.length > 0 && FAMILIES.some((family) => hasPodChains(nft!, family)))
    former.push(new IptablesNftPodRemains(nft!));
  if (older.length > 0 && (await hasLegacyPodChains(exits))) former.push(chains('legacy'));
  return {
    kind,
    why,
    missing: kind === 'nftables' ? [] : FAMILIES.flatMap((family) => missingPrograms(variant, family)),
    pods: former.length === 0 ? current : new SwitchedPodFirewall(current, former),
    rules:
      kind === 'nftables'
        ? native
        : FAMILIES.map((family) => new IptablesRules(new Iptables(exits, family, variant))),
    others: [...(kind === 'nftables' ? [] : native), ...older, ...newer],
    close: () => nft?.close(),
  };
}

async function hasLegacyPodChains(exits: ExitWatcher): Promise<boolean> {
  const saved = await new Iptables(exits, 4, 'legacy').save('nat').catch(() => '');
  return /^:CNI-/m.test(saved);
}

async function choose(
  setting: FirewallSetting,
  exits: ExitWatcher,
  nft: NfTables | undefined,
): Promise<{ kind: FirewallKind; why: string }> {
  if (setting !== 'auto') return { kind: setting, why: 'the configuration says so' };
  if (!hasPrograms('default', 4)) {
    if (nft !== undefined) return { kind: 'nftables', why: 'iptables is not installed' };
    return { kind: 'iptables', why: 'the kernel has no nf_tables' };
  }
  if (!defaultIsLegacy() && legacyTables(4) && hasPrograms('legacy', 4)) {
    const [legacy, others] = await Promise.all(
      (['legacy', 'default'] as const).map(async (variant) => await foreignRules(exits, variant)),
    );
    if (legacy! > others!)
      return {
        kind: 'iptables-legacy',
        why: `other programs keep ${legacy} rules in the legacy tables and ${others} in the newer ones`,
      };
  }
  return { kind: 'iptables', why: 'iptables is installed' };
}

/** nf_tables of the kernel, undefined when it has none. */
function openNfTables(): NfTables | undefined {
  const nft = new NfTables();
  try {
    nft.generation();
    return nft;
  } catch {
    nft.close();
    return undefined;
  }
}

function hasPrograms(variant: IptablesVariant, family: 4 | 6): boolean {
  return missingPrograms(variant, family).length === 0;
}

function missingPrograms(variant: IptablesVariant, family: 4 | 6): string[] {
  return ['save', 'restore']
    .map((verb) => `${programName(family, variant)}-${verb}`)
    .filter((program) => findExecutable(program) === undefined);
}

/** Whether the program that is called just iptables keeps its rules in the legacy tables. */
function defaultIsLegacy(): boolean {
  const path = findExecutable('iptables-restore');
  return path !== undefined && !realpathSync(path).includes('nft');
}

/** Old systems have the legacy variant without its name. */
function onlyDefault(): boolean {
  return defaultIsLegacy() && !hasPrograms('legacy', 4);
}

/** Whether the namespace has legacy tables: asking iptables-legacy would make them. */
function legacyTables(family: 4 | 6): boolean {
  try {
    return readFileSync(LEGACY_TABLES[family], 'latin1').trim() !== '';
  } catch {
    return false;
  }
}

/** How many rules other programs have. One that cannot be asked has none. */
async function foreignRules(exits: ExitWatcher, variant: IptablesVariant): Promise<number> {
  const tables = new Iptables(exits, 4, variant);
  try {
    const saved = `${await tables.save('nat')}\n${await tables.save('filter')}`;
    const ours = (line: string): boolean => OUR_CHAINS.some((chain) => line.includes(` ${chain}`));
    return saved.split('\n').filter((line) => line.startsWith('-A ') && !ours(line)).length;
  } catch {
    return 0;
  }
}
